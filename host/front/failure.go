package front

import (
	_ "embed"
	"encoding/json"
	"errors"
	"html/template"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/cloche-run/cloche/abi"
)

// failure is the JSON body of an error, in the shape of Netlify and AWS Lambda.
type failure struct {
	ErrorType    string   `json:"errorType"`
	ErrorMessage string   `json:"errorMessage"`
	RequestID    string   `json:"requestId"`
	Trace        []string `json:"trace,omitempty"`
}

// refuse answers a request that fasthttp could not read, most often because the
// reader stopped it, and closes the connection.
func (l *listener) refuse(ctx *fasthttp.RequestCtx, err error) {
	c, _ := ctx.Conn().(*conn)
	g := &c.seat.reader
	if g.fault == nil {
		g.fault = broken(err)
	}
	c.identify()
	c.lingers.Store(true)
	if l.server.cfg.Refused != nil {
		l.server.cfg.Refused(&g.req, g.fault)
	}
	l.server.fail(ctx, &g.req, g.fault)
	ctx.Response.SkipBody = g.req.Method == "HEAD"
	ctx.Response.Header.Set("X-Nf-Request-Id", g.req.ID)
	ctx.SetConnectionClose()
}

// fail turns an error into a response, in place of whatever was written.
func (s *Server) fail(ctx *fasthttp.RequestCtx, req *abi.Request, err error) {
	var faulter abi.Faulter
	if !errors.As(err, &faulter) {
		s.cfg.Log.Error("request failed", "request", req.ID, "error", err)
		faulter = &abi.Error{What: abi.FaultInternal, Message: "internal error"}
	}
	ctx.Response.ResetBody()
	r, _ := rowOf(faulter.Fault())
	ctx.SetStatusCode(r.status)
	h := &ctx.Response.Header
	if r.retry {
		h.Set("Retry-After", retryAfter(faulter))
	}
	if r.status == http.StatusMethodNotAllowed {
		h.Set("Allow", allowed)
	}
	s.explain(ctx, req, r, faulter)
}

// Answer fills resp with what a client would be told about err. It is for requests
// that come from within, and go no further than this machine's own guests.
func Answer(req *abi.Request, resp *abi.Response, err error) {
	var faulter abi.Faulter
	if !errors.As(err, &faulter) {
		faulter = &abi.Error{What: abi.FaultInternal, Message: "internal error"}
	}
	r, _ := rowOf(faulter.Fault())
	_ = resp.Body.Reset() // it is in memory
	resp.Status, resp.Header = r.status, nil
	if r.retry {
		resp.Header.Add("retry-after", retryAfter(faulter))
	}
	body, _ := json.Marshal(failure{ErrorType: r.errorType, ErrorMessage: faulter.Error(), RequestID: req.ID})
	resp.Header.Add("content-type", "application/json")
	switch faulter.Fault() {
	case abi.FaultUnknownFunction, abi.FaultBadName:
		body = []byte(faulter.Error())
		resp.Header.Set("content-type", "text/plain; charset=utf-8")
	}
	_, _ = resp.Body.Write(body)
}

// explain writes the body of an error. Two are plain text, as in netlify-cli.
func (s *Server) explain(ctx *fasthttp.RequestCtx, req *abi.Request, r row, faulter abi.Faulter) {
	switch faulter.Fault() {
	case abi.FaultUnknownFunction:
		writeText(ctx, "Function not found...")
		return
	case abi.FaultBadName:
		writeText(ctx, faulter.Error())
		return
	}
	f := failure{ErrorType: r.errorType, ErrorMessage: faulter.Error(), RequestID: req.ID}
	if s.cfg.Dev {
		if trace := strings.TrimRight(faulter.Trace(), "\n"); trace != "" {
			f.Trace = strings.Split(trace, "\n")
		}
		if strings.Contains(req.Header.Get("accept"), "text/html") {
			writePage(ctx, req, r, f)
			return
		}
	}
	body, _ := json.Marshal(f) // strings always encode
	ctx.Response.Header.SetContentType("application/json")
	ctx.Response.SetBody(body)
}

func writeText(ctx *fasthttp.RequestCtx, s string) {
	ctx.Response.Header.SetContentType("text/plain; charset=utf-8")
	ctx.Response.SetBodyString(s)
}

// retryAfter is the delay an error asks for, in whole seconds, at least one.
func retryAfter(err error) string {
	var e *abi.Error
	delay := time.Second
	if errors.As(err, &e) && e.RetryAfter > delay {
		delay = e.RetryAfter
	}
	return strconv.Itoa(int(math.Ceil(delay.Seconds())))
}

//go:embed page.html
var pageSource string

// writePage shows an error to a developer's browser.
func writePage(ctx *fasthttp.RequestCtx, req *abi.Request, r row, f failure) {
	page, err := template.New("page").Parse(pageSource)
	if err != nil {
		writeText(ctx, f.ErrorMessage)
		return
	}
	ctx.Response.Header.SetContentType("text/html; charset=utf-8")
	ctx.Response.Header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_ = page.Execute(ctx.Response.BodyWriter(), struct {
		failure
		Status               int
		Text, Method, Target string
	}{f, r.status, http.StatusText(r.status), req.Method, req.Target()})
}
