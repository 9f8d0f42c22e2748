package cloche

import (
	"slices"
	"strings"
)

// TestRequest is a request for Test. The zero value is GET / without headers.
type TestRequest struct {
	Method     string
	URI        string
	RemoteAddr string
	Header     Header
	Body       []byte
}

// TestResponse is what a handler answered.
type TestResponse struct {
	Status int
	Header Header
	Body   []byte
}

// Header holds the values of each name. Test reads and makes lower-case names.
type Header map[string][]string

// Get returns the first value of a header, or "".
func (h Header) Get(name string) string {
	for key, values := range h {
		if strings.EqualFold(key, name) && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}

// Test calls a handler natively, as a host would, and returns its answer.
//
//	got := cloche.Test(hello, cloche.TestRequest{URI: "/?name=Ada"})
func Test(h Handler, r TestRequest) TestResponse {
	source := &recorded{request: r, body: r.Body, header: lowered(r.Header)}
	sink := &recorder{TestResponse{Status: 200, Header: Header{}}}
	h(&Response{to: sink}, &Request{from: source})
	return sink.TestResponse
}

func lowered(h Header) Header {
	lower := make(Header, len(h))
	for name, values := range h {
		name = strings.ToLower(name)
		lower[name] = append(lower[name], values...)
	}
	return lower
}

// recorded is the source that a TestRequest stands for. It keeps to the rules
// of the ABI, so that a handler meets the same short buffers as in a guest.
type recorded struct {
	request TestRequest
	header  Header
	body    []byte
}

func (s *recorded) text(p property, buf []byte) int {
	value := ""
	switch p {
	case method:
		value = or(s.request.Method, "GET")
	case uri:
		value = or(s.request.URI, "/")
	case protocol:
		value = "HTTP/1.1"
	case remoteAddr:
		value = or(s.request.RemoteAddr, "127.0.0.1:1")
	}
	if len(value) <= len(buf) {
		copy(buf, value)
	}
	return len(value)
}

func (s *recorded) list(name string, buf []byte) (count, length int) {
	values := s.header[strings.ToLower(name)]
	if name == "" {
		values = nil
		for key := range s.header {
			values = append(values, key)
		}
		slices.Sort(values)
	}
	joined := ""
	for _, value := range values {
		joined += value + "\x00"
	}
	if len(joined) <= len(buf) {
		copy(buf, joined)
	}
	return len(values), len(joined)
}

func (s *recorded) read(buf []byte) (n int, eof bool) {
	n = copy(buf, s.body)
	s.body = s.body[n:]
	return n, n < len(buf)
}

// recorder is the sink that keeps what it gets.
type recorder struct{ TestResponse }

func (s *recorder) status(code int) { s.Status = code }

func (s *recorder) field(e edit, name, value string) {
	name = strings.ToLower(name)
	switch e {
	case set:
		s.Header[name] = []string{value}
	case add:
		s.Header[name] = append(s.Header[name], value)
	case remove:
		delete(s.Header, name)
	}
}

func (s *recorder) write(p []byte) { s.Body = append(s.Body, p...) }

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
