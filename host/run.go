package host

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cloche-run/cloche/runtime"
)

// Program is a WASI command that its user runs: see RunModule.
type Program struct {
	// Path is the module's file.
	Path string
	// Args are the arguments after the program's name.
	Args []string
	// Env is the environment, as NAME=value. Nothing of the host's is added.
	Env []string
	// Dirs are the directories that the program may read and change.
	Dirs []Mount
	// TmpBytes is the size of a private /tmp in memory; 0 is none.
	TmpBytes int64
	// Caps bound what the module may hold: DefaultCaps, some of them raised.
	Caps runtime.Caps
	// StackBytes bounds its nested calls, in bytes (abi.StackBytes).
	StackBytes int64
	// Timeout ends the program; 0 is no limit.
	Timeout        time.Duration
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Terminal says which of the three streams are terminals.
	Terminal [3]bool
}

// Mount is a directory of the host and the path by which a guest knows it.
type Mount struct{ Guest, Host string }

// RunModule runs a module as a program and returns its exit code. It needs no
// site: an error says why the program could not be run or was stopped.
func RunModule(ctx context.Context, p Program) (exitCode uint32, err error) {
	if p.Caps == (runtime.Caps{}) {
		p.Caps = DefaultCaps()
	}
	module, err := readProgram(p.Path, p.Caps.ModuleBytes)
	if err != nil {
		return 0, err
	}
	program := runtime.Program{
		Args:  append([]string{filepath.Base(p.Path)}, p.Args...),
		Stdin: p.Stdin, Stdout: p.Stdout, Stderr: p.Stderr, Terminal: p.Terminal,
		TmpBytes: p.TmpBytes, StackBytes: p.StackBytes, Timeout: p.Timeout,
	}
	for _, v := range p.Env {
		name, value, _ := strings.Cut(v, "=")
		program.Env = append(program.Env, runtime.Variable{Name: name, Value: value})
	}
	for _, d := range p.Dirs {
		root, err := os.OpenRoot(d.Host)
		if err != nil {
			return 0, fmt.Errorf("directory for %s: %w", d.Guest, err)
		}
		defer root.Close()
		program.Dirs = append(program.Dirs, runtime.Dir{Guest: d.Guest, Root: root})
	}
	engine, err := runtime.New(ctx, runtime.Config{Caps: p.Caps})
	if err != nil {
		return 0, err
	}
	defer engine.Close(context.WithoutCancel(ctx))
	return engine.Run(ctx, module, program)
}

// readProgram reads a module from a file, or from a pipe such as /dev/stdin.
func readProgram(path string, limit uint64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, int64(limit)+1))
}
