// Package abi is the contract between a guest and its host: what a request and
// a response are, how they look as JSON, which names a guest may import or
// export, and what can go wrong. It imports the standard library only, so that
// an SDK, another host or a test can use it alone. The rules are numbered in
// ABI.md.
package abi

import (
	"strings"
)

// Field is one header line. Names compare without regard to ASCII case.
type Field struct{ Name, Value string }

// Header holds header lines in the order in which they came.
type Header []Field

// Get returns the first value of name, or "".
func (h Header) Get(name string) string {
	for i := range h {
		if EqualFold(h[i].Name, name) {
			return h[i].Value
		}
	}
	return ""
}

// Has reports whether there is a line called name.
func (h Header) Has(name string) bool {
	for i := range h {
		if EqualFold(h[i].Name, name) {
			return true
		}
	}
	return false
}

// Values returns every value of name, in order.
func (h Header) Values(name string) (values []string) {
	for i := range h {
		if EqualFold(h[i].Name, name) {
			values = append(values, h[i].Value)
		}
	}
	return values
}

// Add appends a line.
func (h *Header) Add(name, value string) { *h = append(*h, Field{name, value}) }

// Set replaces every line called name by one, in the place of the first.
func (h *Header) Set(name, value string) {
	for i := range *h {
		if EqualFold((*h)[i].Name, name) {
			(*h)[i].Value = value
			rest := (*h)[i+1:]
			rest.Del(name)
			*h = (*h)[:i+1+len(rest)]
			return
		}
	}
	h.Add(name, value)
}

// Del removes every line called name.
func (h *Header) Del(name string) {
	kept := (*h)[:0]
	for _, f := range *h {
		if !EqualFold(f.Name, name) {
			kept = append(kept, f)
		}
	}
	*h = kept
}

// EqualFold reports whether a and b are the same header name.
func EqualFold(a, b string) bool {
	return len(a) == len(b) && strings.EqualFold(a, b)
}

// Request is one HTTP request as the guest sees it.
//
// Its strings and its body belong to whoever made it and may be overwritten as
// soon as Invoke returns; Clone makes a copy that may be kept.
type Request struct {
	// ID names the request in headers and logs: a ULID of 26 characters.
	ID string
	// Function is the name of the function that was matched, "" before routing.
	Function string
	// Method is any RFC 9110 token but CONNECT and TRACE, case kept.
	Method string
	// Proto is "HTTP/1.0" or "HTTP/1.1".
	Proto string
	// Scheme is "http" or "https".
	Scheme string
	// Host is the Host header, with its port if it has one.
	Host string
	// Path is the client's path, percent-encoded as it came, its dot segments
	// resolved; a rewrite does not change it.
	Path string
	// RawQuery is what follows "?", undecoded; HasQuery tells "/a?" from "/a".
	RawQuery string
	HasQuery bool
	// Header holds lower-case names; hop-by-hop lines are gone.
	Header Header
	// Body is whole: at most 6 MiB, 256 KiB for a background function.
	Body []byte
	// RemoteAddr is the peer as "ip:port"; never taken from a header.
	RemoteAddr string
}

// Clone returns a copy that shares no memory with r.
func (r *Request) Clone() *Request {
	c := *r
	for _, s := range []*string{
		&c.ID, &c.Function, &c.Method, &c.Proto, &c.Scheme, &c.Host, &c.Path, &c.RawQuery, &c.RemoteAddr,
	} {
		*s = strings.Clone(*s)
	}
	c.Header = r.Header.Clone()
	c.Body = append([]byte(nil), r.Body...)
	return &c
}

// Clone returns a copy that shares no memory with h.
func (h Header) Clone() Header {
	if h == nil {
		return nil
	}
	c := make(Header, len(h))
	for i, f := range h {
		c[i] = Field{strings.Clone(f.Name), strings.Clone(f.Value)}
	}
	return c
}

// Target is the path and query as the client sent them.
func (r *Request) Target() string {
	if r.HasQuery {
		return r.Path + "?" + r.RawQuery
	}
	return r.Path
}

// Body takes the bytes of a response as the guest makes them: a Buffer that is
// sent whole, or a stream to the client.
type Body interface {
	// Write takes all of p or returns an error: ErrBodyTooLarge over the limit.
	Write(p []byte) (int, error)
	// Reset forgets what was written. It fails once a byte has left the host.
	Reset() error
}

// Response is what a function answers. Its maker sets Body; the guest's side
// sets the rest.
type Response struct {
	// Status is 200 to 599, or 0 while nobody has set one.
	Status int
	Header Header
	Body   Body
}

// Buffer is a Body in memory, capped at Limit bytes.
type Buffer struct {
	Bytes []byte
	Limit int
}

// Write appends p, or nothing and ErrBodyTooLarge.
func (b *Buffer) Write(p []byte) (int, error) {
	if len(p) > b.Limit-len(b.Bytes) {
		return 0, ErrBodyTooLarge
	}
	b.Bytes = append(b.Bytes, p...)
	return len(p), nil
}

// Reset empties the buffer and keeps its memory.
func (b *Buffer) Reset() error {
	b.Bytes = b.Bytes[:0]
	return nil
}
