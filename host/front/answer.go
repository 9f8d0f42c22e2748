package front

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/cloche-run/cloche/abi"
)

// answer serves one request: it is what fasthttp calls.
func (l *listener) answer(ctx *fasthttp.RequestCtx) {
	c, _ := ctx.Conn().(*conn)
	g := &c.seat.reader
	g.req.Body = ctx.Request.Body()
	if err := l.exchange(c, ctx); err != nil {
		l.server.fail(ctx, &g.req, err)
	}
	ctx.Response.Header.Set("X-Nf-Request-Id", g.req.ID)
	g.req.Body = nil
	g.answered = true
	if g.r < g.w { // the next request is here already, and we may be about to close
		c.lingers.Store(true)
	}
}

// exchange has the Handler make a response and puts it into ctx.
func (l *listener) exchange(c *conn, ctx *fasthttp.RequestCtx) error {
	g, resp := &c.seat.reader, &c.seat.resp
	if g.asterisk {
		ctx.SetStatusCode(204)
		ctx.Response.Header.Set("Allow", allowed)
		return nil
	}
	c.seat.sink = sink{resp: &ctx.Response}
	*resp = abi.Response{Header: c.seat.header[:0], Body: &c.seat.sink}
	err := l.invoke(c, &g.req, resp)
	if err == nil && c.seat.sink.cut {
		err = abi.ErrBodyTooLarge
	}
	if err == nil {
		err = resp.Validate()
	}
	if err == nil {
		send(ctx, resp)
	}
	*resp = abi.Response{}
	clear(c.seat.header[:cap(c.seat.header)])
	return err
}

// allowed are the methods named in Allow; other tokens reach a function too.
const allowed = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// invoke calls the Handler and survives its panics.
func (l *listener) invoke(c *conn, req *abi.Request, resp *abi.Response) (err error) {
	c.invoking.Store(true)
	defer func() {
		c.invoking.Store(false)
		if v := recover(); v != nil {
			err = fmt.Errorf("front: handler panicked: %v\n%s", v, debug.Stack())
		}
	}()
	return l.server.handler.Invoke(c.ctx, req, resp)
}

// sink is the abi.Body of a buffered response: it appends to fasthttp's.
type sink struct {
	resp *fasthttp.Response
	n    int
	cut  bool // bytes were refused: the body is not whole, whoever ignored it
}

// Write appends p, or nothing and abi.ErrBodyTooLarge.
func (s *sink) Write(p []byte) (int, error) {
	if len(p) > abi.ResponseBodyBytes-s.n {
		s.cut = true
		return 0, abi.ErrBodyTooLarge
	}
	s.n += len(p)
	s.resp.AppendBody(p)
	return len(p), nil
}

// Reset forgets what was written.
func (s *sink) Reset() error {
	s.n, s.cut = 0, false
	s.resp.ResetBody()
	return nil
}

// send fills in a response that is valid. Framing, connection, Date and
// Server are always ours.
func send(ctx *fasthttp.RequestCtx, resp *abi.Response) {
	h := &ctx.Response.Header
	ctx.SetStatusCode(resp.Status)
	typed := false
	for _, f := range resp.Header {
		if ours(f.Name) || named(resp.Header, f.Name) {
			continue
		}
		typed = typed || abi.EqualFold(f.Name, "content-type")
		h.Add(f.Name, f.Value)
	}
	switch resp.Status {
	case 204, 205, 304:
		ctx.Response.ResetBody()
	default:
		if !typed && len(ctx.Response.Body()) > 0 {
			h.SetContentType("text/plain; charset=utf-8")
		}
	}
}

// ours reports whether a response field is the host's to write.
func ours(name string) bool {
	for _, own := range [...]string{
		"connection", "keep-alive", "proxy-connection", "proxy-authenticate", "te", "trailer", "transfer-encoding",
		"upgrade", "content-length", "date", "server",
	} {
		if abi.EqualFold(name, own) {
			return true
		}
	}
	return len(name) >= len(abi.HeaderPrefixNetlify) &&
		abi.EqualFold(name[:len(abi.HeaderPrefixNetlify)], abi.HeaderPrefixNetlify)
}

// named reports whether a Connection field names another: that one is meant for
// the next hop only (RFC 9110 section 7.6.1).
func named(h abi.Header, name string) bool {
	for _, f := range h {
		if !abi.EqualFold(f.Name, "connection") {
			continue
		}
		for option := range strings.SplitSeq(f.Value, ",") {
			if abi.EqualFold(strings.Trim(option, " \t"), name) {
				return true
			}
		}
	}
	return false
}
