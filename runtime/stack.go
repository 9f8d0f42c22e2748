package runtime

import (
	"github.com/tetratelabs/wazero/api"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/limits"
	"github.com/cloche-run/cloche/runtime/wasm"
)

// freeStack is what the nested calls of every guest may take, in bytes, without
// it being held against the host's budget; a multiple of it is asked for.
const freeStack = 64 << 10

// stackShare is how much memory the engine keeps for a byte of stack: it doubles
// the whole when it is full.
const stackShare = 2

// callStack is how deep the calls of one instance may be nested, in bytes of an
// estimate: see wasm.Options. It grows by doubling, as the engine's does, and
// pays for that out of the host's budget.
type callStack struct {
	limit, granted, held int64
	reserve              func(bytes int64) bool
}

func newCallStack(limit int64, reserve func(int64) bool) callStack {
	return callStack{limit: limit, granted: min(freeStack, limit), reserve: reserve}
}

// grow lets instance nest its calls deeper. It does not return to a guest that
// may not.
func (s *callStack) grow(instance api.Module) {
	more := min(s.granted, s.limit-s.granted)
	if more <= 0 {
		panic(stackExhausted(s.limit))
	}
	if !s.reserve(more * stackShare) {
		panic(errNoMemory)
	}
	s.held += more * stackShare
	s.granted += more
	left := instance.ExportedGlobal(wasm.StackExport).(api.MutableGlobal)
	left.Set(left.Get() + uint64(more))
}

// close gives back what was held.
func (s *callStack) close() {
	s.reserve(-s.held)
	s.held = 0
}

func stackExhausted(limit int64) *Trap {
	return limits.Trapf(abi.FaultStack, "call stack exhausted: calls are nested too deep for the limit of %d KiB", limit>>10)
}
