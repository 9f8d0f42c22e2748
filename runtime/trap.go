package runtime

import (
	"strings"
	"time"

	"github.com/cloche-run/cloche/abi"
)

var errNoMemory = &abi.Error{
	What:       abi.FaultHostBusy,
	Message:    "the host has no memory left for another instance",
	RetryAfter: time.Second,
}

// engineStackOverflow is wazero's word for a stack beyond the limit of its own.
const engineStackOverflow = "stack overflow"

// guestTrap words what wazero says about a trap.
func guestTrap(prefix string, err error) *Trap {
	message, stack, _ := strings.Cut(err.Error(), "\n")
	message = strings.TrimPrefix(message, "wasm error: ")
	what := abi.FaultTrap
	if message == engineStackOverflow {
		what, message = abi.FaultStack, "call stack exhausted"
	}
	return &Trap{
		What:    what,
		Message: prefix + printable(message),
		Stack:   printable(stack),
	}
}

// stackBytes caps a guest's stack trace, whose names are the guest's own.
const stackBytes = 8 << 10

// printable is abi.Printable, line by line.
func printable(s string) string {
	lines := strings.Split(s[:min(len(s), stackBytes)], "\n")
	for i, line := range lines {
		lines[i] = abi.Printable(strings.ReplaceAll(line, "\t", "    "), stackBytes)
	}
	return strings.Join(lines, "\n")
}
