// Package fetch makes HTTP requests from a guest, of either kind: there is no
// network but through the host, which calls the functions of the own site at once
// and other hosts if the site's allow_hosts names them.
//
//	resp, err := fetch.Get("https://api.example.com/things")
//
// The call returns when the whole answer is there, or with the function's deadline.
// A program that is not a guest, such as a test, has net/http do the same.
package fetch

import (
	"errors"
	"strconv"
	"strings"
)

// Request is one request. Only URL is required.
type Request struct {
	// Method is GET if "".
	Method string
	// URL is absolute, http or https.
	URL    string
	Header Header
	Body   []byte
	// Manual has a redirect returned instead of followed.
	Manual bool
}

// Response is a whole answer, whatever its status.
type Response struct {
	Status int
	// URL is where the answer came from, after redirects.
	URL    string
	Header Header
	Body   []byte
}

// Header maps names to values. Those of a Response are in lower case.
type Header map[string][]string

// Get returns the first value of name, whose case does not matter, or "".
func (h Header) Get(name string) string {
	for key, values := range h {
		if strings.EqualFold(key, name) && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}

// Code says why there is no answer.
type Code int32

// Codes, as the contract between guests and hosts has them.
const (
	Failed   Code = -1 // the other side could not be reached, or made no sense
	Refused  Code = -2 // the function may not call that address
	Invalid  Code = -3 // the request is malformed
	TooLarge Code = -4 // the request or the answer is over a limit
	Busy     Code = -5 // the host has no room for an answer now
)

// Error is why there is no answer.
type Error struct {
	Code    Code
	Message string
}

func (e *Error) Error() string { return "fetch: " + e.Message }

// Get fetches a URL.
func Get(url string) (*Response, error) { return Do(Request{URL: url}) }

// Post sends a body to a URL.
func Post(url, contentType string, body []byte) (*Response, error) {
	return Do(Request{Method: "POST", URL: url, Header: Header{"content-type": {contentType}}, Body: body})
}

// Do makes a request. An error is an *Error; an answer with status 500 is none.
func Do(r Request) (*Response, error) {
	head, err := r.head()
	if err != nil {
		return nil, err
	}
	return send(head, r)
}

// head is the request as the host reads it: "METHOD URL" and lines of a header.
func (r *Request) head() (string, error) {
	if r.Method == "" {
		r.Method = "GET"
	}
	var b strings.Builder
	b.WriteString(r.Method + " " + r.URL)
	if r.Manual {
		b.WriteString(" manual")
	}
	b.WriteByte('\n')
	for name, values := range r.Header {
		for _, value := range values {
			if strings.Contains(name+value, "\n") {
				return "", &Error{Invalid, "a line end in a header"}
			}
			b.WriteString(name + ": " + value + "\n")
		}
	}
	if strings.ContainsAny(r.Method+r.URL, " \n") {
		return "", &Error{Invalid, "a blank in the method or the URL"}
	}
	return b.String(), nil
}

// parse reads the head of an answer.
func parse(head string) (*Response, error) {
	lines := strings.Split(strings.TrimSuffix(head, "\n"), "\n")
	status, url, _ := strings.Cut(lines[0], " ")
	code, err := strconv.Atoi(status)
	if err != nil {
		return nil, errors.New("fetch: the host answered " + strconv.Quote(lines[0]))
	}
	r := &Response{Status: code, URL: url, Header: Header{}}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		r.Header[name] = append(r.Header[name], value)
	}
	return r, nil
}
