package guest

import (
	"context"
	"fmt"
	"slices"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/wasi"
)

// handler is a guest of the http-wasm handler ABI: it takes the request apart
// and puts the response together by calling imports. Rules 40 to 47 of ABI.md;
// https://http-wasm.io/http-handler-abi/.
type handler struct {
	// initialize is the export that readies the guest, "" for none: a reactor's
	// _initialize, or _start where a compiler makes main do it.
	initialize string
}

func (handler) Name() string            { return "handler" }
func (handler) Environ(*Call) []string  { return nil }
func (handler) Pauses() wasi.PausePoint { return wasi.NoPause }

// Streams sends what a handler prints to its log.
func (handler) Streams(c *Call) wasi.Streams { return wasi.Streams{Stdout: c.Log, Stderr: c.Log} }

// handlerState is what one call of a handler remembers between imports.
type handlerState struct {
	features  uint32
	afterNext bool

	// response is what the guest sees of the answer: the call's own, or, when
	// there is a next handler, a buffered one that the guest may still change.
	response *abi.Response
	buffer   abi.Buffer

	requestOwned                  bool
	requestWritten, answerWritten bool
	requestRead, answerRead       int
}

// Features of the ABI, as bits.
const (
	featureBufferRequest  = 1 << 0
	featureBufferResponse = 1 << 1
	featuresOffered       = featureBufferRequest | featureBufferResponse
)

func (h handler) Bind(instance api.Module) Guest {
	r := &reactor{instance: instance, request: instance.ExportedFunction(abi.ExportHandleRequest)}
	if h.initialize != "" {
		r.initialize = instance.ExportedFunction(h.initialize)
	}
	return r
}

// reactor is a handler's instance.
type reactor struct {
	instance            api.Module
	initialize          api.Function // nil for none
	request, afterwards api.Function
	stack               [2]uint64 // of parameters and results
}

func (r *reactor) Ready(ctx context.Context) error {
	if r.initialize == nil {
		return nil
	}
	return r.initialize.CallWithStack(ctx, nil)
}

func (r *reactor) Serve(ctx context.Context, call *Call) error {
	s := &call.handler
	if err := r.request.CallWithStack(ctx, r.stack[:]); err != nil {
		return err
	}
	if next := r.stack[0]; next&1 == 1 {
		if err := r.proceed(ctx, call, next>>32); err != nil {
			return err
		}
	} else if s.response.Status == 0 {
		s.response.Status = 200
	}
	return s.finish(call)
}

// proceed hands the request to the next handler and the answer back to the
// guest. A served function has no next: what the guest set so far is the answer.
func (r *reactor) proceed(ctx context.Context, call *Call, requestContext uint64) error {
	s := &call.handler
	if call.Next != nil {
		call.Next(call.Request, s.response)
	}
	s.afterNext = true
	if r.afterwards == nil {
		r.afterwards = r.instance.ExportedFunction(abi.ExportHandleResponse)
	}
	r.stack = [2]uint64{requestContext, 0}
	err := r.afterwards.CallWithStack(ctx, r.stack[:])
	if err != nil || s.response.Status != 0 {
		return err
	}
	s.response.Status = 200
	if call.Next == nil && len(s.response.Header) == 0 && !s.answerWritten {
		s.response.Status = 404
	}
	return nil
}

// finish copies a buffered answer to the call's own.
func (s *handlerState) finish(call *Call) error {
	if s.response == call.Response {
		return nil
	}
	call.Response.Status, call.Response.Header = s.response.Status, s.response.Header
	if err := call.Response.Body.Reset(); err != nil {
		return err
	}
	_, err := call.Response.Body.Write(s.buffer.Bytes)
	return err
}

// begin is called before the guest's first instruction.
func (s *handlerState) begin(call *Call) {
	s.response = call.Response
	if call.Next != nil {
		s.buffer.Limit = abi.ResponseBodyBytes
		s.response = &abi.Response{Body: &s.buffer}
	}
}

// ownRequest returns the call's request for writing: a copy, made once.
func (c *Call) ownRequest() *abi.Request {
	if !c.handler.requestOwned {
		own := *c.Request
		own.Header = slices.Clone(own.Header)
		c.Request, c.handler.requestOwned = &own, true
	}
	return c.Request
}

func initializer(module wazero.CompiledModule) string {
	exports := module.ExportedFunctions()
	for _, name := range []string{abi.ExportInitialize, abi.ExportStart} {
		if exports[name] != nil {
			return name
		}
	}
	return ""
}

// checkHandler refuses what could not be called.
func checkHandler(module wazero.CompiledModule) error {
	const i32, i64 = api.ValueTypeI32, api.ValueTypeI64
	exports := module.ExportedFunctions()
	for _, want := range []struct {
		name            string
		params, results []api.ValueType
	}{
		{abi.ExportHandleRequest, nil, []api.ValueType{i64}},
		{abi.ExportHandleResponse, []api.ValueType{i32, i32}, nil},
	} {
		f := exports[want.name]
		if f == nil {
			return fmt.Errorf("the module exports %s but not %s: an http-wasm handler has both", abi.ExportHandleRequest, want.name)
		}
		if !slices.Equal(f.ParamTypes(), want.params) || !slices.Equal(f.ResultTypes(), want.results) {
			return fmt.Errorf("the export %s has the wrong type: see https://http-wasm.io/http-handler-abi/", want.name)
		}
	}
	if name := initializer(module); name != "" && len(exports[name].ParamTypes())+len(exports[name].ResultTypes()) > 0 {
		return fmt.Errorf("the export %s has parameters or results; it must have none", name)
	}
	if module.ExportedMemories()[abi.ExportMemory] == nil {
		return fmt.Errorf("the module does not export its memory as %q", abi.ExportMemory)
	}
	return nil
}
