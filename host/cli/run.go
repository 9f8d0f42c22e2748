package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/cloche-run/cloche/host"
)

// runFlags say what a program finds.
type runFlags struct {
	dirs    []string
	tmp     size
	limits  limitFlags
	env     []string
	timeout time.Duration
}

func newRun() *cobra.Command {
	var flags runFlags
	cmd := &cobra.Command{
		Use:   "run MODULE [-- ARGS]",
		Short: "Run a WASI program with this terminal",
		Long: `Run the module, a command for WASI preview 1, and exit as it does. It sees the
directories of --dir and nothing else of this machine; no symbolic link and no
".." leads out of them. Without --tmp there is no /tmp.`,
		Example: `  cloche run tool.wasm -- --help
  cloche run --dir /=./data --env LANG=C tool.wasm < in.txt > out.txt`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch dash := cmd.ArgsLenAtDash(); {
			case len(args) == 0 || dash == 0:
				return &usageError{errors.New("name a module: cloche run MODULE [-- ARGS]")}
			case dash < 0 && len(args) > 1, dash > 1:
				return &usageError{fmt.Errorf("%q: the program's own arguments come after --", args[1])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runModule(cmd, args[0], args[1:], &flags) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&flags.dirs, "dir", nil, "directory that the program may read and change, GUEST=HOST; repeat for more")
	f.Var(&flags.tmp, "tmp", "size of a private /tmp in memory (default none)")
	f.StringArrayVar(&flags.env, "env", nil, "variable that the program sees, NAME=value; repeat for more")
	f.DurationVar(&flags.timeout, "timeout", 0, "time after which the program is stopped (default never)")
	flags.limits.add(cmd)
	return cmd
}

// exitError carries a program's exit code to Main.
type exitError struct{ code uint32 }

func (e *exitError) Error() string { return fmt.Sprintf("exit status %d", e.code) }

// status is the code as this process can have it: a failure stays one.
func (e *exitError) status() int {
	if low := e.code & 0xff; low == e.code {
		return int(low)
	}
	return 1
}

func runModule(cmd *cobra.Command, module string, args []string, flags *runFlags) error {
	program, err := flags.program()
	if err != nil {
		return err
	}
	program.Path, program.Args = module, args
	done := make(chan error, 1)
	go func() {
		code, err := host.RunModule(cmd.Context(), program)
		if err == nil && code != 0 {
			err = &exitError{code}
		}
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-stuck(cmd.Context(), flags.timeout):
		return errors.New("the program was stopped while nobody took its output")
	}
}

// grace is how long a program that must end may take for it.
const grace = time.Second

// stuck is closed some time after the program must end. Only a write to a pipe
// that nobody reads outlasts that, and nothing but our own exit ends it.
func stuck(ctx context.Context, timeout time.Duration) <-chan struct{} {
	end := make(chan struct{})
	once := sync.OnceFunc(func() { time.AfterFunc(grace, func() { close(end) }) })
	context.AfterFunc(ctx, once)
	if timeout > 0 {
		time.AfterFunc(timeout, once)
	}
	return end
}

func (f *runFlags) program() (p host.Program, err error) {
	p = host.Program{
		Env: f.env, TmpBytes: int64(f.tmp), Timeout: f.timeout,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}
	var o host.Options
	if err := f.limits.options(&o); err != nil {
		return p, err
	}
	p.Caps, p.StackBytes = o.Caps, o.StackBytes
	for i, file := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		p.Terminal[i] = term.IsTerminal(int(file.Fd()))
	}
	for _, text := range f.dirs {
		guest, dir, ok := strings.Cut(text, "=")
		if !ok || guest == "" || dir == "" {
			return p, &usageError{fmt.Errorf("--dir %q: write GUEST=HOST, such as /=./data", text)}
		}
		p.Dirs = append(p.Dirs, host.Mount{Guest: guest, Host: dir})
	}
	for _, text := range f.env {
		if name, _, ok := strings.Cut(text, "="); !ok || name == "" {
			return p, &usageError{fmt.Errorf("--env %q: write NAME=value", text)}
		}
	}
	return p, nil
}
