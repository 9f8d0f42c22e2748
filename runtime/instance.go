package runtime

import (
	"context"
	"errors"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/guest"
	"github.com/cloche-run/cloche/runtime/memory"
	"github.com/cloche-run/cloche/runtime/wasi"
	"github.com/cloche-run/cloche/runtime/wasm"
)

// instance is a module with its own memory. It belongs to one run at a time.
type instance struct {
	module  api.Module
	account *memory.Account
	system  *wasi.System
	guest   guest.Guest
	resume  api.Function // abi.ExportResume, nil for none
	stack   callStack
	fuel    api.MutableGlobal
	dirty   api.MutableGlobal
	globals []api.MutableGlobal // the module's own, and what is left of its call stack
	preface guest.Preface

	image  *image // what it starts from and goes back to; nil if it has none
	ready  bool   // for a request
	served int    // requests
	audit  func() bool
}

// opening gives an account its first bytes: at least min.
type opening func(a *memory.Account, min uint64) bool

// instantiate makes an instance, whose memory is opened by open. No code of the
// guest has run.
func (f *Function) instantiate(ctx context.Context, open opening) (*instance, error) {
	i := &instance{account: memory.NewAccount(f.engine.budget, f.memoryLimit())}
	i.audit, i.stack.reserve = i.account.Same, f.engine.budget.Reserve
	if !open(i.account, f.memory) || !i.account.Hold(f.module.Footprint) {
		i.close()
		return nil, errNoMemory
	}
	var err error
	config := f.system
	config.Waits = i.account.Unwatch // or a thread waits, too
	if i.system, err = wasi.New(config); err != nil {
		i.close()
		return nil, err
	}
	ctx = experimental.WithMemoryAllocator(ctx, i.account)
	if i.module, err = f.engine.wazero.InstantiateModule(ctx, f.module.CompiledModule, f.engine.instance); err != nil {
		i.close()
		return nil, err
	}
	i.bind(f)
	return i, nil
}

func (i *instance) bind(f *Function) {
	if f.kind != nil {
		i.guest = f.kind.Bind(i.module)
	}
	i.resume = i.module.ExportedFunction(abi.ExportResume)
	i.fuel = i.global(wasm.FuelExport)
	i.dirty = i.global(wasm.DirtyExport)
	i.globals = []api.MutableGlobal{i.global(wasm.StackExport)}
	for n := range f.module.Globals {
		i.globals = append(i.globals, i.global(wasm.GlobalExport(n)))
	}
}

func (i *instance) global(name string) api.MutableGlobal {
	return i.module.ExportedGlobal(name).(api.MutableGlobal)
}

// load puts the module's initial data into the memory.
func (i *instance) load(data []wasm.Run) {
	for _, run := range data {
		i.module.Memory().Write(run.Offset, run.Bytes) // wasm.Data has seen that it fits
	}
}

// begin runs the module's start function, if it has one.
func (i *instance) begin(r *run, module *code) error {
	if !module.Starts {
		return nil
	}
	return i.module.ExportedFunction(wasm.StartExport).CallWithStack(r.ctx, nil)
}

// content is all of the memory, valid until it grows.
func (i *instance) content() []byte {
	content, _ := i.module.Memory().Read(0, i.module.Memory().Size())
	return content
}

// values are those of the globals.
func (i *instance) values() []uint64 {
	values := make([]uint64, len(i.globals))
	for n, g := range i.globals {
		values[n] = g.Get()
	}
	return values
}

var (
	errDirty = errors.New("it changed a table or dropped a segment")
	errAudit = errors.New("after a reset, its state differs from its image")
)

// reset brings the instance back to its image. After an error it must be closed.
func (i *instance) reset() error {
	if i.dirty.Get() != 0 {
		return errDirty
	}
	if err := i.account.Reset(i.grow); err != nil {
		return err
	}
	i.restore()
	i.system.Reset()
	i.system.Rewind()
	i.served++
	if i.served%AuditEvery == 0 && !i.audit() {
		return errAudit
	}
	return nil
}

// AuditEvery is how many resets of an instance pass before one is checked, byte
// by byte.
const AuditEvery = 1000

// restore sets the globals to the image's.
func (i *instance) restore() {
	for n, g := range i.globals {
		g.Set(i.image.globals[n])
	}
}

// IdleDirty is what an instance that waits for long keeps of memory of its own,
// in bytes: more is dropped, and costs the next request page faults.
const IdleDirty = 128 << 10

func (i *instance) trim() {
	if i.image != nil && i.account.Dirty() > IdleDirty {
		_ = i.account.Trim() // it stays correct if it keeps more
	}
}

// grow has wazero ask for the memory anew, by one page: it may get any size.
func (i *instance) grow() bool {
	_, ok := i.module.Memory().Grow(1)
	return ok
}

func (i *instance) close() {
	if i.module != nil {
		_ = i.module.Close(context.Background())
	}
	if i.system != nil {
		i.system.Close()
	}
	i.stack.close()
	i.account.Close()
}

// size is what the instance takes that others could have, in bytes.
func (i *instance) size() int64 { return i.account.Size() + i.stack.kept }

// flatten has the next run begin with the call stack that this one ended with: of
// none, or of a paused guest.
func (i *instance) flatten(paused bool) {
	if paused {
		i.stack.base = i.stack.granted
		return
	}
	i.globals[0].Set(freeStack)
}
