package abi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// DecodeResult reads the Netlify v1 response JSON in data and makes it resp's
// status, header and body. Rules 20 to 27 of ABI.md. Its errors have
// FaultBadResponse or FaultResponseTooLarge.
//
// It goes through the JSON once and keeps only what a response may hold, so a
// guest cannot have the host build more than it printed.
func DecodeResult(data []byte, resp *Response) error {
	r := result{json: json.NewDecoder(bytes.NewReader(data))}
	r.json.UseNumber()
	if err := r.decode(); err != nil {
		return err
	}
	status, err := statusOf(r.status)
	if err != nil {
		return err
	}
	body, err := r.decodeBody()
	if err != nil {
		return err
	}
	resp.Status, resp.Header = status, r.header()
	if err := resp.Body.Reset(); err != nil {
		return err
	}
	_, err = resp.Body.Write(body)
	return err
}

// result is the response JSON as far as it was read.
type result struct {
	json *json.Decoder

	status        json.Token
	single, multi Header
	body          string
	isBase64      bool
}

// badResult words an error as Netlify does, so that a search for it finds help.
func badResult(format string, args ...any) error {
	return &Error{What: FaultBadResponse, Message: "error decoding lambda response: " + fmt.Sprintf(format, args...)}
}

// resultMembers is how many members a response may have, known or not.
const resultMembers = 1000

func (r *result) decode() error {
	members := 0
	err := r.object("the response", func(name string) (err error) {
		if members++; members > resultMembers {
			return badResult("more than %d members", resultMembers)
		}
		switch name {
		case "statusCode":
			if r.status, err = r.next(); err == nil && isDelim(r.status) {
				err = badStatus(r.status)
			}
			return err
		case "headers":
			r.single = r.single[:0]
			return r.object(name, func(header string) error { return r.value(&r.single, header) })
		case "multiValueHeaders":
			r.multi = r.multi[:0]
			return r.object(name, func(header string) error { return r.values(header) })
		case "body":
			return r.text(&r.body)
		case "isBase64Encoded":
			return r.boolean(&r.isBase64)
		}
		var unknown json.RawMessage
		return r.syntax(r.json.Decode(&unknown))
	})
	if err != nil {
		return err
	}
	if _, err := r.json.Token(); !errors.Is(err, io.EOF) {
		return badResult("more than one JSON value")
	}
	return nil
}

// next returns the next token.
func (r *result) next() (json.Token, error) {
	token, err := r.json.Token()
	return token, r.syntax(err)
}

// syntax words an error of the JSON itself as Go does, and so Netlify.
func (r *result) syntax(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return badResult("unexpected end of JSON input")
	}
	return badResult("%v", err)
}

// object reads an object, or null, and calls member for each name in it.
func (r *result) object(what string, member func(name string) error) error {
	token, err := r.next()
	if err != nil || token == nil {
		return err
	}
	if token != json.Delim('{') {
		return badResult("%s is not an object", what)
	}
	for r.json.More() {
		name, err := r.next()
		if err != nil {
			return err
		}
		text, _ := name.(string)
		if err := member(text); err != nil {
			return err
		}
	}
	_, err = r.next()
	return err
}

// value reads one scalar into header.
func (r *result) value(header *Header, name string) error {
	token, err := r.next()
	if err != nil {
		return err
	}
	return add(header, name, token)
}

// values reads a list of scalars, or one scalar.
func (r *result) values(name string) error {
	token, err := r.next()
	if err != nil {
		return err
	}
	r.multi.Del(name)
	if token != json.Delim('[') {
		return add(&r.multi, name, token)
	}
	for r.json.More() {
		if err := r.value(&r.multi, name); err != nil {
			return err
		}
	}
	_, err = r.next()
	return err
}

// add adds a line: a string, a number or a boolean; null means "not there".
func add(header *Header, name string, token json.Token) error {
	if len(*header) == ResponseFields {
		return badResult("more than %d header fields", ResponseFields)
	}
	switch value := token.(type) {
	case nil:
	case string:
		header.Add(name, value)
	case json.Number:
		header.Add(name, value.String())
	case bool:
		header.Add(name, strconv.FormatBool(value))
	default:
		return badResult("header %s is no string, number or boolean", clip(name))
	}
	return nil
}

// text reads a string, or null for none.
func (r *result) text(to *string) error {
	token, err := r.next()
	if err != nil {
		return err
	}
	text, ok := token.(string)
	if !ok && token != nil {
		return badResult("body is no string")
	}
	*to = text
	return nil
}

func (r *result) boolean(to *bool) error {
	token, err := r.next()
	if err != nil {
		return err
	}
	value, ok := token.(bool)
	if !ok && token != nil {
		return badResult("isBase64Encoded is no boolean")
	}
	*to = value
	return nil
}

// header merges both maps: a name in multi replaces the same name in single,
// and of two in single that differ by case only the later counts.
func (r *result) header() Header {
	header := make(Header, 0, len(r.single)+len(r.multi))
	for _, f := range r.single {
		if !r.multi.Has(f.Name) {
			header.Set(f.Name, f.Value)
		}
	}
	return append(header, r.multi...)
}

// statusOf takes a whole number or, as Netlify does, one in a string.
func statusOf(token json.Token) (int, error) {
	var number float64
	var err error
	switch value := token.(type) {
	case json.Number:
		number, err = value.Float64()
	case string:
		var n int
		n, err = strconv.Atoi(strings.TrimSpace(value))
		number = float64(n)
	}
	if err != nil || number != math.Trunc(number) || number < 200 || number > 599 {
		return 0, badStatus(token)
	}
	return int(number), nil
}

func badStatus(token json.Token) error {
	if token == nil {
		token = 0
	}
	return badResult("invalid status code returned from lambda: %s", clip(fmt.Sprint(token)))
}

func isDelim(token json.Token) bool {
	_, ok := token.(json.Delim)
	return ok
}

func (r *result) decodeBody() ([]byte, error) {
	if !r.isBase64 {
		return []byte(r.body), nil
	}
	body, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(r.body, "="))
	if err != nil {
		return nil, badResult("body: %v", err)
	}
	return body, nil
}

// clip makes a guest's text fit for a message.
func clip(s string) string { return Printable(s, 80) }
