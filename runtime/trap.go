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

// guestTrap words what wazero says about a trap.
func guestTrap(prefix string, err error) *Trap {
	message, stack, _ := strings.Cut(err.Error(), "\n")
	return &Trap{
		What:    abi.FaultTrap,
		Message: prefix + printable(strings.TrimPrefix(message, "wasm error: ")),
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
