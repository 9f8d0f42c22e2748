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
// pays for that out of the host's budget, until the instance is closed: the engine
// keeps what it grew to.
type callStack struct {
	limit, granted, held int64 // of a run
	base                 int64 // granted where a run begins
	kept                 int64 // bytes of the budget
	reserve              func(bytes int64) bool
}

// begin begins a run.
func (s *callStack) begin(limit int64) {
	s.limit = limit
	s.granted = max(s.base, min(freeStack, limit))
	s.held = (s.granted - min(freeStack, limit)) * stackShare
}

// grow lets instance nest its calls deeper. It does not return to a guest that
// may not.
func (s *callStack) grow(instance api.Module) {
	more := min(s.granted, s.limit-s.granted)
	if more <= 0 {
		panic(stackExhausted(s.limit))
	}
	s.held += more * stackShare
	if missing := s.held - s.kept; missing > 0 {
		if !s.reserve(missing) {
			panic(errNoMemory)
		}
		s.kept = s.held
	}
	s.granted += more
	left := instance.ExportedGlobal(wasm.StackExport).(api.MutableGlobal)
	left.Set(left.Get() + uint64(more))
}

// close gives back what was taken.
func (s *callStack) close() {
	if s.kept > 0 {
		s.reserve(-s.kept)
	}
	s.kept = 0
}

func stackExhausted(limit int64) *Trap {
	return limits.Trapf(abi.FaultStack, "call stack exhausted: calls are nested too deep for the limit of %d KiB", limit>>10)
}
