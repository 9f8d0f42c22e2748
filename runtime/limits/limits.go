// Package limits holds what every room of the runtime shares: how much a guest
// may use, how much it used, and how it stopped when it did not return.
package limits

import (
	"fmt"
	"time"

	"github.com/cloche-run/cloche/abi"
)

// Limits bound one invocation. The zero value of a field means its default.
type Limits struct {
	// MemoryPages caps the linear memory, in pages of 64 KiB (default 16384).
	MemoryPages uint32
	// StackBytes caps nested calls (default 16 MiB), by an estimate that is the
	// same on every machine. The engine has a limit of its own, some 50 MB.
	StackBytes int64
	// Timeout is the deadline, counted from when the instance is made, or is ready
	// if it gets ready within limits of its own; waiting for a turn is not part of it.
	Timeout time.Duration
	// Fuel is what the guest's work may cost, 0 for no limit; runtime/wasm has the
	// prices. The same work costs the same on every machine.
	Fuel uint64
	// LogBytes caps what the guest may log.
	LogBytes int
}

// WithDefaults fills in what is zero.
func (l Limits) WithDefaults() Limits {
	if l.MemoryPages == 0 {
		l.MemoryPages = abi.MemoryPages
	}
	if l.StackBytes == 0 {
		l.StackBytes = abi.StackBytes
	}
	if l.Timeout == 0 {
		l.Timeout = abi.Timeout
	}
	if l.LogBytes == 0 {
		l.LogBytes = abi.LogBytes
	}
	return l
}

// Usage is what one invocation took.
type Usage struct {
	// Init is the time to a guest that is ready, Exec the time in the guest.
	Init, Exec time.Duration
	// Fuel is what the guest's work for the request cost: the same wherever and
	// however often it is done. InitFuel is what it took to get ready before that,
	// 0 if the guest started from an image.
	Fuel, InitFuel uint64
	// MemoryBytes is the largest size of the linear memory.
	MemoryBytes int64
	// LogBytes is what the guest logged, cut at its limit.
	LogBytes int
}

// Trap is a guest that stopped abnormally: by itself, or because a limit stopped it.
type Trap struct {
	What abi.Fault
	// Message is fit for a client.
	Message string
	// Stack is the guest's own account, for its developer; escaped, capped.
	Stack string
	// ExitCode is set when What is abi.FaultExit.
	ExitCode uint32
}

func (t *Trap) Error() string    { return t.Message }
func (t *Trap) Fault() abi.Fault { return t.What }
func (t *Trap) Trace() string    { return t.Stack }

// Trapf makes a Trap with a formatted message.
func Trapf(what abi.Fault, format string, args ...any) *Trap {
	return &Trap{What: what, Message: fmt.Sprintf(format, args...)}
}
