package runtime

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tetratelabs/wazero/sys"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/limits"
)

var errNoMemory = &abi.Error{
	What:       abi.FaultHostBusy,
	Message:    "the host has no memory left for another instance",
	RetryAfter: time.Second,
}

// trap says how the guest stopped, by what the host itself saw happen: a guest
// chooses its exit code and can choose one that looks like a deadline.
func (v *invocation) trap(err error) error {
	var known abi.Faulter
	var exit *sys.ExitError
	switch {
	case v.stopped != nil:
		return v.stopped
	case v.meter.late, errors.Is(v.ctx.Err(), context.DeadlineExceeded):
		return v.deadline()
	case v.ctx.Err() != nil:
		return limits.Trapf(abi.FaultCanceled, "the invocation was cancelled")
	case errors.As(err, &known):
		return known
	case v.account.Short():
		return errNoMemory
	case errors.As(err, &exit):
		return &Trap{
			What: abi.FaultExit, ExitCode: exit.ExitCode(),
			Message: fmt.Sprintf("RequestId: %s Error: Runtime exited with error: exit status %d", v.call.Request.ID, exit.ExitCode()),
		}
	}
	return guestTrap("the function trapped: ", err)
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

// deadline words a timeout as Netlify does.
func (v *invocation) deadline() *Trap {
	return limits.Trapf(abi.FaultDeadline, "%s %s Task timed out after %.2f seconds",
		time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), v.call.Request.ID, v.function.config.Limits.Timeout.Seconds())
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
