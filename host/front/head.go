package front

import (
	"bytes"
	"strings"
	"unsafe"

	"github.com/cloche-run/cloche/abi"
)

const (
	proto10 = "HTTP/1.0"
	proto11 = "HTTP/1.1"
)

// request is one request as its head describes it.
type request struct {
	req abi.Request // borrows the reader's buffer

	asterisk  bool   // the target is "*"
	authority string // the host of a target in absolute form
	length    int    // of a body of known length
	chunked   bool
	expect    bool // the client waits for 100 Continue
	close     bool // after this request
	keepAlive bool // although HTTP/1.0

	// What the framing fields said, to be judged once all of them are known.
	contentLength, transferEncoding, expectation string
	lengths, codings, expectations, hosts        int
	options                                      int // fields that Connection names
}

// reset forgets the request and keeps the memory of its fields.
func (q *request) reset() {
	fields := q.req.Header[:0]
	clear(fields[:cap(fields)])
	*q = request{req: abi.Request{Header: fields}}
}

// head reads the rest of a request's head and settles what follows it.
func (g *reader) head() error {
	if g.full != nil {
		return g.full
	}
	g.held = g.r
	line, err := g.line(HeadBytes)
	if err == errLongLine {
		return refusal(abi.FaultURITooLong, "request line too long")
	}
	if err == nil {
		g.held = g.r
		err = g.requestLine(line)
	}
	for n := 0; err == nil; n++ {
		line, err = g.line(HeadBytes - g.held)
		g.held = g.r
		if err == errLongLine || n > RequestFields {
			return refusal(abi.FaultHeadersTooLarge, "request header too large")
		}
		if err == nil && len(line) == 0 {
			return g.settle()
		}
		if err == nil {
			err = g.field(line)
		}
	}
	return err
}

// settle judges the whole head. Its order is that of the answers: framing first,
// since a head that cannot be framed says nothing reliable.
func (g *reader) settle() error {
	if err := g.frame(); err != nil {
		return err
	}
	if err := g.checkHost(); err != nil {
		return err
	}
	if err := g.checkExpect(); err != nil {
		return err
	}
	if err := g.judge.admit(&g.request); err != nil {
		return err
	}
	g.compose()
	return nil
}

// requestLine reads method SP target SP version. RFC 9112 section 3.
func (q *request) requestLine(line []byte) error {
	method, rest, ok := bytes.Cut(line, []byte(" "))
	target, version, ok2 := bytes.Cut(rest, []byte(" "))
	if !ok || !ok2 || len(method) == 0 || len(method) > MethodBytes || !abi.IsToken(method) {
		return refusal(abi.FaultBadRequest, "bad request line")
	}
	q.req.Method = text(method)
	if err := q.version(version); err != nil {
		return err
	}
	switch q.req.Method {
	case "CONNECT", "TRACE":
		return refusal(abi.FaultMethod, "method not allowed")
	}
	return q.target(target)
}

// version accepts HTTP/1.0 and HTTP/1.1 and tells others from nonsense.
func (q *request) version(v []byte) error {
	switch string(v) {
	case proto10:
		q.req.Proto = proto10
	case proto11:
		q.req.Proto = proto11
	default:
		if len(v) == len(proto11) && string(v[:5]) == "HTTP/" && digit(v[5]) && v[6] == '.' && digit(v[7]) {
			return refusal(abi.FaultVersion, "HTTP version not supported")
		}
		return refusal(abi.FaultBadRequest, "bad HTTP version")
	}
	return nil
}

// field reads one header line, notes what the host must know of it, and keeps
// it with its name in lower case.
func (q *request) field(line []byte) error {
	name, value, err := splitField(line)
	if err != nil {
		return err
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			name[i] = c + ('a' - 'A')
		}
	}
	f := abi.Field{Name: text(name), Value: text(value)}
	switch f.Name {
	case "host":
		q.hosts++
		q.req.Host = f.Value
	case "content-length":
		q.lengths++
		q.contentLength = f.Value
	case "transfer-encoding":
		q.codings++
		q.transferEncoding = f.Value
	case "expect":
		q.expectations++
		q.expectation = f.Value
	case "connection":
		if q.connection(f.Value); q.options > connectionOptions {
			return refusal(abi.FaultHeadersTooLarge, "Connection names too many fields")
		}
	}
	q.req.Header = append(q.req.Header, f)
	return nil
}

// splitField cuts "name: value" and checks both. RFC 9112 section 5: no space
// before the colon, no line folding; RFC 9110 section 5.5: no control bytes.
func splitField(line []byte) (name, value []byte, err error) {
	if line[0] == ' ' || line[0] == '\t' {
		return nil, nil, refusal(abi.FaultBadRequest, "a header line is folded")
	}
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || !abi.IsToken(line[:colon]) {
		return nil, nil, refusal(abi.FaultBadRequest, "bad header field name")
	}
	value = line[colon+1:]
	if !abi.IsFieldValue(value) {
		return nil, nil, refusal(abi.FaultBadRequest, "control byte in a header field")
	}
	return line[:colon], trim(value), nil
}

// connectionOptions is how many fields Connection may name: each is looked for
// among all others.
const connectionOptions = 32

// connection reads one Connection line. RFC 9110 section 7.6.1.
func (q *request) connection(value string) {
	for option := range strings.SplitSeq(value, ",") {
		switch option = strings.Trim(option, " \t"); {
		case option == "":
		case abi.EqualFold(option, "close"):
			q.close = true
		case abi.EqualFold(option, "keep-alive"):
			q.keepAlive = true
		default:
			q.options++
		}
	}
}

// frame finds the length of the body. RFC 9112 section 6.3, read strictly: one
// Content-Length or one Transfer-Encoding, never both, never two.
func (q *request) frame() error {
	if q.lengths+q.codings > 1 {
		return refusal(abi.FaultBadRequest, "ambiguous request length")
	}
	if q.codings == 1 {
		if q.req.Proto == proto10 {
			return refusal(abi.FaultBadRequest, "Transfer-Encoding in HTTP/1.0")
		}
		if !abi.EqualFold(q.transferEncoding, "chunked") {
			return refusal(abi.FaultTransferCoding, "transfer coding not supported")
		}
		q.chunked = true
	}
	if q.lengths == 0 {
		return nil
	}
	if q.contentLength == "" {
		return refusal(abi.FaultBadRequest, "bad Content-Length")
	}
	for i := range len(q.contentLength) {
		c := q.contentLength[i]
		if !digit(c) {
			return refusal(abi.FaultBadRequest, "bad Content-Length")
		}
		q.length = min(q.length*10+int(c-'0'), abi.RequestBodyBytes+1)
	}
	if q.length > abi.RequestBodyBytes {
		return refusal(abi.FaultBodyTooLarge, "request body too large")
	}
	return nil
}

// checkExpect knows one expectation. RFC 9110 section 10.1.1: HTTP/1.0 has none.
func (q *request) checkExpect() error {
	if q.expectations == 0 || q.req.Proto == proto10 {
		return nil
	}
	if q.expectations > 1 || !abi.EqualFold(q.expectation, "100-continue") {
		return refusal(abi.FaultExpectation, "expectation not supported")
	}
	q.expect = true
	return nil
}

// text is b as a string that borrows b's memory. The reader's buffer holds the
// head until the request is answered, and abi.Request promises no more.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}
