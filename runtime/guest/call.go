package guest

import (
	"bytes"
	"context"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/limits"
)

// StdoutBytes is what a command or CGI guest may print in one invocation: a
// 6 MiB body as base64 and its header.
const StdoutBytes = abi.ResponseBodyBytes/3*4 + abi.ResponseHeaderBytes

// Call is one invocation as a kind and the guest's imports see it. It belongs to
// that invocation and is used by one goroutine at a time.
type Call struct {
	// Early keeps Request and Response out of reach, while the guest gets ready;
	// they may be nil then.
	Early    bool
	Request  *abi.Request
	Response *abi.Response
	// Next is the handler behind a handler guest; nil for a served function.
	Next func(*abi.Request, *abi.Response)
	// Log takes the guest's log, line by line.
	Log *LogWriter
	// Stop ends the invocation at once, with this trap as its outcome.
	Stop func(*limits.Trap)
	// Fetcher is the grant to fetch for this invocation; nil if it has none.
	Fetcher Fetcher

	fetches fetches
	stdout  bytes.Buffer
	handler handlerState
}

// Preface is what a guest did while it got ready that belongs to every answer:
// what it printed, and the features it asked for.
type Preface struct {
	stdout   []byte
	features uint32
}

// Preface is what c, a call without a request, has gathered.
func (c *Call) Preface() Preface {
	return Preface{bytes.Clone(c.stdout.Bytes()), c.handler.features}
}

// Continue begins a call whose guest has already done p.
func (c *Call) Continue(p Preface) {
	c.stdout.Write(p.stdout)
	c.handler.features = p.features
}

type callKey struct{}

// callContext carries the call to host functions without a search or a copy.
type callContext struct {
	context.Context
	call *Call
}

// WithCall begins call and returns a context from which host functions find it.
func WithCall(ctx context.Context, call *Call) context.Context {
	call.handler.begin(call)
	return callContext{ctx, call}
}

// Value implements context.Context.
func (c callContext) Value(key any) any {
	if key == (callKey{}) {
		return c.call
	}
	return c.Context.Value(key)
}

func callFrom(ctx context.Context) *Call { return ctx.Value(callKey{}).(*Call) }

// stdout collects what a guest prints, up to StdoutBytes.
type stdout struct{ call *Call }

func (w stdout) Write(p []byte) (int, error) {
	if w.call.stdout.Len()+len(p) > StdoutBytes {
		w.call.Stop(limits.Trapf(abi.FaultResponseTooLarge, "response too large: the function printed more than %d bytes", StdoutBytes))
		return 0, abi.ErrBodyTooLarge
	}
	return w.call.stdout.Write(p)
}
