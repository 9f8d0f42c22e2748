package cloche

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
)

// ErrBodyTooLarge is what Body returns for more than MaxBodyBytes.
var ErrBodyTooLarge = errors.New("cloche: request body too large")

// Request is the request that a Handler answers. Each method asks the host when
// it is called, so what a handler does not look at costs nothing.
type Request struct {
	from source
	uri  string
	body []byte
	// scratch is where the host writes short values.
	scratch [512]byte
}

// source is where a request comes from: the host, or a TestRequest. A value
// longer than buf is not written; only its length is returned.
type source interface {
	text(p property, buf []byte) (length int)
	// list is for the values of a header or, with name "", for all names, each
	// followed by a NUL.
	list(name string, buf []byte) (count, length int)
	read(buf []byte) (n int, eof bool)
}

// property is one of the plain strings that a source has.
type property int

const (
	method property = iota
	uri
	protocol
	remoteAddr
)

// Method is the method as the client sent it, such as "GET".
func (r *Request) Method() string { return r.text(method) }

// Protocol is "HTTP/1.0" or "HTTP/1.1".
func (r *Request) Protocol() string { return r.text(protocol) }

// RemoteAddr is the address of the client as "ip:port".
func (r *Request) RemoteAddr() string { return r.text(remoteAddr) }

// URI is the path and query as the client sent them, still percent-encoded.
func (r *Request) URI() string {
	if r.uri == "" {
		r.uri = r.text(uri)
	}
	return r.uri
}

// Path is the URI before its "?", still percent-encoded.
func (r *Request) Path() string {
	path, _, _ := strings.Cut(r.URI(), "?")
	return path
}

// RawQuery is the URI after its "?", undecoded.
func (r *Request) RawQuery() string {
	_, query, _ := strings.Cut(r.URI(), "?")
	return query
}

// Query returns the first value of a query parameter, or "". It decodes as
// URLSearchParams does: "+" is a blank, only "&" separates, a broken "%" stays.
func (r *Request) Query(name string) string {
	for pair := range strings.SplitSeq(r.RawQuery(), "&") {
		key, value, _ := strings.Cut(pair, "=")
		if unescape(key) == name {
			return unescape(value)
		}
	}
	return ""
}

// Header returns the first value of a header, or "". The case of name does not
// matter.
func (r *Request) Header(name string) string {
	values := r.list(name)
	first, _, _ := bytes.Cut(values, nul)
	return string(first)
}

// HeaderValues returns all values of a header, in order; nil if there is none.
func (r *Request) HeaderValues(name string) []string {
	if name == "" {
		return nil
	}
	return split(r.list(name))
}

// HeaderNames returns the names of all headers in lower case.
func (r *Request) HeaderNames() []string { return split(r.list("")) }

// Body reads what is left of the request body. Later calls return the same
// slice. The error is ErrBodyTooLarge or nil.
func (r *Request) Body() ([]byte, error) {
	if r.body != nil {
		return r.body, nil
	}
	body := make([]byte, 0, r.bodyHint())
	for {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
		n, eof := r.from.read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if len(body) > MaxBodyBytes {
			return nil, ErrBodyTooLarge
		}
		if eof {
			r.body = body
			return body, nil
		}
	}
}

// bodyHint is one more than the Content-Length, so that the read that gets the
// last byte also meets the end.
func (r *Request) bodyHint() int {
	length, err := strconv.Atoi(r.Header("content-length"))
	if err != nil || length < 0 || length > MaxBodyBytes {
		return 512
	}
	return length + 1
}

// Read is for bodies that need not be in memory at once. It returns io.EOF at
// the end and no other error.
func (r *Request) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, eof := r.from.read(p)
	if eof && n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (r *Request) text(p property) string {
	buf := r.scratch[:]
	for {
		n := r.from.text(p, buf)
		if n <= len(buf) {
			return string(buf[:n])
		}
		buf = grown(n)
	}
}

// list returns a slice that the next call may overwrite.
func (r *Request) list(name string) []byte {
	buf := r.scratch[:]
	for {
		_, n := r.from.list(name, buf)
		if n <= len(buf) {
			return buf[:n]
		}
		buf = grown(n)
	}
}

// grown makes room for a value that did not fit.
func grown(length int) []byte {
	if length > MaxValueBytes {
		panic("cloche: the host has a value of " + strconv.Itoa(length) + " bytes")
	}
	return make([]byte, length)
}

var nul = []byte{0}

// split cuts at each NUL; the copy is shared by all strings.
func split(list []byte) []string {
	if len(list) == 0 {
		return nil
	}
	return strings.Split(string(list[:len(list)-1]), "\x00")
}

func unescape(s string) string {
	if !strings.ContainsAny(s, "+%") {
		return s
	}
	decoded := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			decoded = append(decoded, ' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			decoded = append(decoded, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			decoded = append(decoded, s[i])
		}
	}
	return string(decoded)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
