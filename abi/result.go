package abi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// DecodeResult reads the Netlify v1 response JSON in data and makes it resp's
// status, header and body. Rules 20 to 27 of ABI.md. Its errors have
// FaultBadResponse or FaultResponseTooLarge.
func DecodeResult(data []byte, resp *Response) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return badResult("%v", err)
	}
	status, err := decodeStatus(fields["statusCode"])
	if err != nil {
		return err
	}
	header, err := decodeHeaders(fields["headers"], fields["multiValueHeaders"])
	if err != nil {
		return err
	}
	body, err := decodeBody(fields["body"], fields["isBase64Encoded"])
	if err != nil {
		return err
	}
	resp.Status, resp.Header = status, append(resp.Header[:0], header...)
	if err := resp.Body.Reset(); err != nil {
		return err
	}
	_, err = resp.Body.Write(body)
	return err
}

// badResult words an error as Netlify does, so that a search for it finds help.
func badResult(format string, args ...any) error {
	return &Error{What: FaultBadResponse, Message: "error decoding lambda response: " + fmt.Sprintf(format, args...)}
}

// decodeStatus takes a number or, as Netlify does, a numeric string.
func decodeStatus(raw json.RawMessage) (int, error) {
	text := string(raw)
	if strings.HasPrefix(text, `"`) {
		if err := json.Unmarshal(raw, &text); err != nil {
			return 0, badResult("statusCode: %v", err)
		}
	}
	if text == "" || text == "null" {
		text = "0"
	}
	number, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || number != math.Trunc(number) || number < 200 || number > 599 {
		return 0, badResult("invalid status code returned from lambda: %s", clip(text))
	}
	return int(number), nil
}

// decodeHeaders merges both maps; a name in multi replaces the same name in single.
func decodeHeaders(single, multi json.RawMessage) (Header, error) {
	ones, err := decodeObject("headers", single)
	if err != nil {
		return nil, err
	}
	lists, err := decodeObject("multiValueHeaders", multi)
	if err != nil {
		return nil, err
	}
	var header Header
	for _, name := range sortedKeys(ones) {
		value, ok, err := decodeScalar(name, ones[name])
		if err != nil {
			return nil, err
		}
		if ok {
			header.Add(name, value)
		}
	}
	for _, name := range sortedKeys(lists) {
		values, err := decodeList(name, lists[name])
		if err != nil {
			return nil, err
		}
		header.Del(name)
		for _, value := range values {
			header.Add(name, value)
		}
	}
	return header, nil
}

func decodeObject(name string, raw json.RawMessage) (map[string]json.RawMessage, error) {
	if raw == nil {
		return nil, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, badResult("%s is not an object", name)
	}
	if len(fields) > ResponseFields {
		return nil, badResult("%s has more than %d names", name, ResponseFields)
	}
	return fields, nil
}

func decodeList(name string, raw json.RawMessage) ([]string, error) {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		items = []json.RawMessage{raw}
	}
	if len(items) > ResponseFields {
		return nil, badResult("header %s has more than %d values", clip(name), ResponseFields)
	}
	values := make([]string, 0, len(items))
	for _, item := range items {
		value, ok, err := decodeScalar(name, item)
		if err != nil {
			return nil, err
		}
		if ok {
			values = append(values, value)
		}
	}
	return values, nil
}

// decodeScalar takes a string, a number or a bool; null means "not there".
func decodeScalar(name string, raw json.RawMessage) (value string, ok bool, err error) {
	switch raw[0] {
	case '"':
		err = json.Unmarshal(raw, &value)
		return value, true, err
	case 'n':
		return "", false, nil
	case '{', '[':
		return "", false, badResult("header %s is no string, number or boolean", clip(name))
	}
	return string(raw), true, nil
}

func decodeBody(raw, encoded json.RawMessage) ([]byte, error) {
	if raw == nil || bytes.Equal(raw, []byte("null")) {
		return nil, nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, badResult("body is no string")
	}
	var isBase64 bool
	if encoded != nil && json.Unmarshal(encoded, &isBase64) != nil {
		return nil, badResult("isBase64Encoded is no boolean")
	}
	if !isBase64 {
		return []byte(text), nil
	}
	body, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, badResult("body: %v", err)
	}
	return body, nil
}

func sortedKeys(fields map[string]json.RawMessage) []string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// clip makes a guest's text fit for a message.
func clip(s string) string {
	const limit = 80
	if len(s) > limit {
		s = s[:limit] + "..."
	}
	return strings.Trim(strconv.Quote(s), `"`)
}
