//go:build unix

package runtime

import (
	"fmt"
	"syscall"
)

// confine limits the address space of this process and lets others go first.
func confine() error {
	limit := &syscall.Rlimit{Cur: CompileBytes, Max: CompileBytes}
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, limit); err != nil {
		return fmt.Errorf("runtime: compiler: limit memory: %w", err)
	}
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 10) // best effort
	return nil
}
