package runtime

import (
	"testing"

	"github.com/cloche-run/cloche/abi"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// deep is a handler whose calls nest n times in a request, and that answers with 201.
func deep(n int64) []byte {
	var m w.Module
	status := m.Import(abi.ModuleHandler, "set_status_code", []byte{w.I32}, nil)
	m.Memory(1)
	m.ExportMemory(abi.ExportMemory)
	self := uint64(1)
	got := m.Func([]byte{w.I32}, []byte{w.I32}, w.Code{}.Index(w.LocalGet, 0).If(w.Code{}.Index(w.LocalGet, 0).I32(1).Op(0x6b).Call(self).Op(w.Drop)).Index(w.LocalGet, 0)...)
	if got != self {
		panic("the function has another index")
	}
	m.ExportFunc(abi.ExportHandleRequest, m.Func(nil, []byte{w.I64}, w.Code{}.I32(n).Call(self).Op(w.Drop).I32(201).Call(status).I64(0)...))
	m.ExportFunc(abi.ExportHandleResponse, m.Func([]byte{w.I32, w.I32}, nil))
	return m.Bytes()
}

func TestTheCallStackThatAnInstanceKeepsIsCounted(t *testing.T) {
	for _, isolation := range []string{abi.IsolationSnapshot, abi.IsolationReuse} {
		t.Run(isolation, func(t *testing.T) {
			e := newPoolEngine(t, Config{})
			f := loadWarm(t, e, deep(100_000), FunctionConfig{Isolation: isolation})
			before := e.MemoryUsed()
			for range 20 {
				ask(t, f, false)
			}
			f.pool.settle()
			kept := f.pool.idle[len(f.pool.idle)-1].stack.kept
			if kept < 8<<20 || kept > abi.StackBytes*stackShare || e.MemoryUsed() < before+kept {
				t.Errorf("it keeps %d bytes, %d are in use, %d were before", kept, e.MemoryUsed(), before)
			}
			f.pool.engineReclaims(t)
		})
	}
}

// engineReclaims has all that waits closed, and counts.
func (p *pool) engineReclaims(t *testing.T) {
	all := &p.function.engine.pools
	if !all.reclaim(1<<40) || all.idle.Load() != 0 {
		t.Errorf("%d bytes wait when nothing does", all.idle.Load())
	}
}
