package runtime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/guest"
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
	// Isolation is abi.IsolationSnapshot (the default), IsolationFresh or
	// IsolationReuse.
	Isolation string
	Limits    Limits
	// Env is the guest's environment.
	Env []Variable
	// TmpBytes is the size of a private /tmp in memory, which every invocation
	// finds empty; 0 is none.
	TmpBytes int64
	// Files are the included files, which a guest finds at "/" and can only read;
	// nil is none.
	Files fs.FS
	// Log takes the guest's log, a line at a time, during the invocation of
	// request, which is nil for what a guest says before there is one. The line is
	// the guest's own text: escape it before a terminal or a header sees it. It is
	// overwritten after the call.
	Log func(request *abi.Request, line []byte)
	// Fetch makes a request for the guest, during the invocation of caller, and
	// returns an *abi.FetchError if there is no answer. ctx ends with the invocation.
	// What of an answer exceeds the limits of abi is the embedder's business.
	Fetch func(ctx context.Context, caller *abi.Request, req abi.FetchRequest) (abi.FetchResponse, error)
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

	pool *pool // nil if every request has its instance made for it
	init wasi.Init
}

// Load compiles module and recognises its kind; the guest does not run yet. An error says what is wrong
// with the module and what to do about it. The caller closes the Function.
func (e *Engine) Load(ctx context.Context, module []byte, config FunctionConfig) (*Function, error) {
	config.Limits = config.Limits.WithDefaults()
	compiled, err := e.compile(ctx, module)
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
	f.init = newInit()
	if f.config.Isolation != abi.IsolationFresh {
		e.verify(ctx)
		f.pool = newPool(f)
	}
	return f, nil
}

// wasmPages is all that 32 bits can address, in pages.
const wasmPages = 1 << 16

func (f *Function) prepare() (err error) {
	switch f.config.Isolation {
	case "", abi.IsolationSnapshot, abi.IsolationFresh, abi.IsolationReuse:
	default:
		return fmt.Errorf("%.80q is no isolation: it is %s, %s or %s",
			f.config.Isolation, abi.IsolationSnapshot, abi.IsolationFresh, abi.IsolationReuse)
	}
	if f.kind, err = guest.Detect(f.module, f.config.Protocol); err != nil {
		return err
	}
	if err := guest.CheckNames(f.engine.wazero, f.module, f.config.Fetch != nil); err != nil {
		return err
	}
	if resume := f.module.ExportedFunctions()[abi.ExportResume]; resume != nil && len(resume.ParamTypes())+len(resume.ResultTypes()) > 0 {
		return fmt.Errorf("the export %s has parameters or results; it must have none", abi.ExportResume)
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

// KindHandler is the Kind that gets ready by a function of its own.
const KindHandler = "handler"

// Kind is "command", KindHandler or "cgi".
func (f *Function) Kind() string { return f.kind.Name() }

// Limits are the function's limits, defaults filled in.
func (f *Function) Limits() Limits { return f.config.Limits }

// Warm makes what requests start from, ahead of the first one: without it, they
// are served by fresh instances until one has shown that the guest gets ready.
// An error says why the guest does not. A guest that works but whose state cannot
// be brought back gets a fresh instance for each request; the engine's log says why.
func (f *Function) Warm(ctx context.Context) error {
	if f.pool == nil {
		return nil
	}
	err := f.pool.add(ctx)
	var reason *unfit
	if errors.As(err, &reason) {
		f.pool.mu.Lock()
		defer f.pool.mu.Unlock()
		f.pool.bar(err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("the function does not get ready for its first request: %w", err)
	}
	return nil
}

func (f *Function) initLog() func(line []byte) {
	if f.config.Log == nil {
		return nil
	}
	return func(line []byte) { f.config.Log(nil, line) }
}

// reuses tells whether requests see what earlier ones left behind. A command
// ends with its request, so that there is nothing to reuse.
func (f *Function) reuses() bool {
	return f.config.Isolation == abi.IsolationReuse && f.kind.Pauses() == wasi.NoPause
}

// Close frees the instances and the compiled code. No invocation may be running.
func (f *Function) Close(ctx context.Context) error {
	if f.pool != nil {
		f.pool.close()
	}
	return f.module.Close(ctx)
}
