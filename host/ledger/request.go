package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cloche-run/cloche/abi"
)

// Request is what a job calls its function with: an abi.Request without what
// belongs to the invocation. All of it is bytes, UTF-8 or not.
type Request struct {
	// ID is that of the request that enqueued the job.
	ID         string
	Method     string
	Proto      string
	Scheme     string
	Host       string
	Path       string
	RawQuery   string
	HasQuery   bool
	Header     abi.Header
	RemoteAddr string
	Body       []byte
}

// FromABI returns what a job keeps of r. It shares r's memory.
func FromABI(r *abi.Request) Request {
	return Request{
		ID: r.ID, Method: r.Method, Proto: r.Proto, Scheme: r.Scheme, Host: r.Host, Path: r.Path,
		RawQuery: r.RawQuery, HasQuery: r.HasQuery, Header: r.Header, RemoteAddr: r.RemoteAddr, Body: r.Body,
	}
}

// ABI returns r as a request to function. It shares r's memory.
func (r *Request) ABI(function string) *abi.Request {
	return &abi.Request{
		ID: r.ID, Function: function, Method: r.Method, Proto: r.Proto, Scheme: r.Scheme, Host: r.Host, Path: r.Path,
		RawQuery: r.RawQuery, HasQuery: r.HasQuery, Header: r.Header, RemoteAddr: r.RemoteAddr, Body: r.Body,
	}
}

// headVersion is the first byte of an encoded head.
const headVersion = 1

// texts are the parts of a head in the order of its format.
func (r *Request) texts() []*string {
	return []*string{&r.ID, &r.Method, &r.Proto, &r.Scheme, &r.Host, &r.Path, &r.RawQuery, &r.RemoteAddr}
}

// AppendHead appends everything but the body, as drivers store it: a version,
// whether there is a query, and each text behind its length as a uvarint.
func (r *Request) AppendHead(dst []byte) []byte {
	dst = append(dst, headVersion, 0)
	if r.HasQuery {
		dst[len(dst)-1] = 1
	}
	for _, s := range r.texts() {
		dst = appendText(dst, *s)
	}
	for _, f := range r.Header {
		dst = appendText(appendText(dst, f.Name), f.Value)
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// Bytes is how much of the store r takes.
func (r *Request) Bytes() int { return len(r.AppendHead(nil)) + len(r.Body) }

// headBytes is at least what AppendHead appends.
func (r *Request) headBytes() int {
	n := 2
	for _, s := range r.texts() {
		n += binary.MaxVarintLen32 + len(*s)
	}
	for _, f := range r.Header {
		n += 2*binary.MaxVarintLen32 + len(f.Name) + len(f.Value)
	}
	return n
}

var errHead = errors.New("ledger: the stored request is damaged")

// DecodeHead returns the request that AppendHead wrote, without a body. It
// shares no memory with head.
func DecodeHead(head []byte) (r Request, err error) {
	if len(head) < 2 || head[1] > 1 {
		return r, errHead
	}
	if head[0] != headVersion {
		return r, fmt.Errorf("ledger: the stored request has version %d, this cloche reads %d: run the newer cloche", head[0], headVersion)
	}
	r.HasQuery = head[1] == 1
	rest := string(head[2:])
	for _, s := range r.texts() {
		if *s, rest, err = cutText(rest); err != nil {
			return r, err
		}
	}
	for rest != "" {
		var f abi.Field
		if f.Name, rest, err = cutText(rest); err != nil {
			return r, err
		}
		if f.Value, rest, err = cutText(rest); err != nil {
			return r, err
		}
		r.Header = append(r.Header, f)
	}
	return r, nil
}

func cutText(s string) (text, rest string, err error) {
	n, size := binary.Uvarint([]byte(s[:min(len(s), binary.MaxVarintLen32)]))
	if size <= 0 || n > uint64(len(s)-size) {
		return "", "", errHead
	}
	return s[size:][:n], s[size:][n:], nil
}

// Clone returns a copy that shares no memory with r.
func (r *Request) Clone() Request {
	c, err := DecodeHead(r.AppendHead(nil))
	if err != nil {
		panic(err) // what we wrote we can read
	}
	c.Body = append([]byte(nil), r.Body...)
	return c
}
