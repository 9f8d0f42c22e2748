package runtime

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/guest"
	"github.com/cloche-run/cloche/runtime/limits"
	"github.com/cloche-run/cloche/runtime/memory"
	"github.com/cloche-run/cloche/runtime/wasi"
	"github.com/cloche-run/cloche/runtime/wasm"
)

// FunctionConfig is what a function is and what it is granted. A grant that is
// nil does not exist for the guest.
type FunctionConfig struct {
	// Name is the guest's argv[0].
	Name string
	// Protocol is abi.ProtocolEvent (the default) or abi.ProtocolCGI.
	Protocol string
	Limits   Limits
	// Env is the guest's environment.
	Env []Variable
	// TmpBytes is the size of a private /tmp in memory, which every invocation
	// finds empty; 0 is none.
	TmpBytes int64
	// Files are the included files, which a guest finds at "/" and can only read;
	// nil is none.
	Files fs.FS
	// Log takes the guest's log, a line at a time, during the invocation of
	// request. The line is the guest's own text: escape it before a terminal or
	// a header sees it. It is overwritten after the call.
	Log func(request *abi.Request, line []byte)
	// Next stands behind an http-wasm handler; nil for a served function.
	Next func(*abi.Request, *abi.Response)
}

// Variable is one environment variable.
type Variable struct{ Name, Value string }

// Function is a loaded module, ready to be invoked by any number of goroutines.
type Function struct {
	engine    *Engine
	config    FunctionConfig
	module    *code
	kind      guest.Kind
	system    wasi.Config
	memory    uint64 // bytes at the start
	hasMemory bool
}

// Load compiles module and recognises its kind. An error says what is wrong
// with the module and what to do about it. The caller closes the Function.
func (e *Engine) Load(ctx context.Context, module []byte, config FunctionConfig) (*Function, error) {
	config.Limits = config.Limits.WithDefaults()
	caps := wasm.DefaultCaps()
	caps.MemoryPages = wasmPages // prepare knows a better remedy
	compiled, err := e.compile(ctx, module, caps)
	if err != nil {
		return nil, err
	}
	f := &Function{engine: e, config: config, module: compiled}
	pages, hasMemory := wasm.MemoryMin(module)
	f.memory, f.hasMemory = uint64(pages)*abi.PageBytes, hasMemory
	if err := f.prepare(); err != nil {
		_ = compiled.Close(ctx)
		return nil, err
	}
	return f, nil
}

// wasmPages is all that 32 bits can address, in pages.
const wasmPages = 1 << 16

func (f *Function) prepare() (err error) {
	if f.kind, err = guest.Detect(f.module, f.config.Protocol); err != nil {
		return err
	}
	if err := guest.CheckNames(f.engine.wazero, f.module); err != nil {
		return err
	}
	if !f.hasMemory {
		return fmt.Errorf("the module defines no memory: every function has one of its own")
	}
	if limit := f.memoryLimit(); f.memory > limit {
		return fmt.Errorf("the module starts with %d pages of memory (64 KiB each), its limit is %d: raise `memory`", f.memory/abi.PageBytes, limit/abi.PageBytes)
	}
	f.system = wasi.Config{
		Args: []string{f.config.Name}, Epoch: time.Now(),
		TmpBytes: f.config.TmpBytes, Files: f.config.Files, Reserve: f.engine.budget.Reserve,
	}
	for _, v := range f.config.Env {
		f.system.Env = append(f.system.Env, v.Name+"="+v.Value)
	}
	return nil
}

func (f *Function) memoryLimit() uint64 { return uint64(f.config.Limits.MemoryPages) * abi.PageBytes }

// Kind is "command", "handler" or "cgi".
func (f *Function) Kind() string { return f.kind.Name() }

// Limits are the function's limits, defaults filled in.
func (f *Function) Limits() Limits { return f.config.Limits }

// Close frees the compiled code. No invocation may be running.
func (f *Function) Close(ctx context.Context) error { return f.module.Close(ctx) }

// Invoke runs the function once, in a fresh instance, and fills resp, whose Body
// the caller has set. It returns when the guest has stopped: by itself, at its
// deadline, or because ctx was cancelled.
//
// An error is a *Trap or an *abi.Error and knows its abi.Fault; resp is then
// unspecified. A nil error means that resp can be sent as HTTP.
func (f *Function) Invoke(ctx context.Context, req *abi.Request, resp *abi.Response) (Usage, error) {
	v := f.begin(ctx, req, resp)
	defer v.end()
	instance, err := v.instantiate()
	if err == nil {
		err = f.kind.Serve(v.ctx, instance, &v.call)
	}
	usage := v.stop()
	if err != nil || v.ctx.Err() != nil { // a guest that was woken at its deadline may still return
		return usage, v.trap(err)
	}
	return usage, resp.Validate()
}

// invocation is one run of a function.
type invocation struct {
	function *Function
	ctx      context.Context
	cancel   context.CancelFunc
	call     guest.Call
	log      guest.LogWriter
	account  *memory.Account
	meter    *meter
	system   *wasi.System
	instance api.Module
	stopped  *limits.Trap // why the host ended the guest, if it did

	started time.Time
	ready   time.Time
}

func (f *Function) begin(ctx context.Context, req *abi.Request, resp *abi.Response) *invocation {
	v := &invocation{function: f, started: time.Now()}
	v.ctx, v.cancel = context.WithTimeout(ctx, f.config.Limits.Timeout)
	v.log.Limit = f.config.Limits.LogBytes
	if f.config.Log != nil {
		v.log.Line = func(line []byte) { f.config.Log(req, line) }
	}
	v.call = guest.Call{Request: req, Response: resp, Next: f.config.Next, Log: &v.log, Stop: v.abort}
	v.meter = newMeter(v.ctx, f.config.Limits.Fuel)
	v.account = memory.NewAccount(f.engine.budget, f.memoryLimit())
	return v
}

// instantiate makes an instance and runs the module's start section.
func (v *invocation) instantiate() (api.Module, error) {
	f := v.function
	if !v.account.Open(f.memory) || !v.account.Hold(f.module.footprint) {
		v.ready = time.Now()
		return nil, errNoMemory
	}
	system, err := wasi.New(f.system)
	if err != nil {
		v.ready = time.Now()
		return nil, err
	}
	v.system = system
	v.system.Begin(f.kind.Streams(&v.call), f.kind.Environ(&v.call))
	v.ctx = wasi.With(metered{guest.WithCall(v.ctx, &v.call), v.meter}, v.system)
	ctx := experimental.WithMemoryAllocator(v.ctx, v.account)
	instance, err := f.engine.wazero.InstantiateModule(ctx, f.module.CompiledModule, f.engine.instance)
	v.ready = time.Now()
	v.instance = instance
	return instance, err
}

// abort ends the guest at once; the first reason counts.
func (v *invocation) abort(why *limits.Trap) {
	if v.stopped == nil {
		v.stopped = why
		v.cancel()
	}
}

// stop flushes the log and adds up what was used.
func (v *invocation) stop() Usage {
	v.log.Flush()
	return Usage{
		Init:        v.ready.Sub(v.started),
		Exec:        time.Since(v.ready),
		Fuel:        v.meter.spent(v.instance),
		MemoryBytes: v.account.Peak(),
		LogBytes:    v.log.Written(),
	}
}

// end frees the instance.
func (v *invocation) end() {
	if v.instance != nil {
		_ = v.instance.Close(context.WithoutCancel(v.ctx))
	}
	if v.system != nil {
		v.system.Close()
	}
	v.account.Close()
	v.cancel()
}
