package runtime

import (
	"os/exec"
	"syscall"
)

// bind has the child end when we do, however we end.
func bind(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
