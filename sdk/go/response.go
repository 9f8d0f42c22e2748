package cloche

import "unsafe"

// Response is the answer to a Request. It is 200 without a header or a body
// until the handler says otherwise. Set the status and the headers before the
// first byte of the body: a streamed answer leaves the host with that byte.
//
// An answer that the host does not accept (a status outside 200 to 599, a
// malformed header, too long a body) ends the call, and the client gets a 502.
type Response struct{ to sink }

// sink is where an answer goes: the host, or a TestResponse.
type sink interface {
	status(code int)
	field(e edit, name, value string)
	write(p []byte)
}

// edit is what to do with the values that a header has.
type edit int

const (
	set edit = iota
	add
	remove
)

// Send answers with a whole body in one call.
func (w *Response) Send(status int, contentType, body string) {
	w.SetStatus(status)
	w.SetHeader("content-type", contentType)
	w.WriteString(body)
}

// SetStatus sets the status code: 200 to 599.
func (w *Response) SetStatus(code int) { w.to.status(code) }

// SetHeader replaces all values of a header.
func (w *Response) SetHeader(name, value string) { w.to.field(set, name, value) }

// AddHeader adds a value to a header; each Set-Cookie needs one.
func (w *Response) AddHeader(name, value string) { w.to.field(add, name, value) }

// RemoveHeader removes all values of a header.
func (w *Response) RemoveHeader(name string) { w.to.field(remove, name, "") }

// Write appends to the body. The error is always nil.
func (w *Response) Write(p []byte) (int, error) {
	if len(p) > 0 {
		w.to.write(p)
	}
	return len(p), nil
}

// WriteString appends to the body. The error is always nil.
func (w *Response) WriteString(s string) (int, error) {
	// A sink only reads what it gets, so the string need not be copied.
	return w.Write(unsafe.Slice(unsafe.StringData(s), len(s)))
}
