package runtime

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/tetratelabs/wazero/sys"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/guest"
	"github.com/cloche-run/cloche/runtime/limits"
	"github.com/cloche-run/cloche/runtime/memory"
	"github.com/cloche-run/cloche/runtime/wasi"
	"github.com/cloche-run/cloche/runtime/wasm"
)

// Dir is a directory of the host that a program may read and change, and never leave.
type Dir = wasi.Dir

// Program is how a WASI command is run as a program of its user, rather than as
// a function: with a terminal, arguments, directories of the host, and as long
// as it likes.
type Program struct {
	// Args are the arguments; the first is the program's own name.
	Args []string
	Env  []Variable
	// Stdin is read when the program asks. If Run ends while it waits for it, a
	// read stays behind until the reader answers.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Terminal says which of the three are terminals.
	Terminal [3]bool
	// TmpBytes is the size of a private /tmp in memory; 0 is none.
	TmpBytes int64
	Dirs     []Dir
	// Timeout ends the program; 0 is no limit.
	Timeout time.Duration
	// MemoryPages caps the linear memory, in pages of 64 KiB (default 16384).
	MemoryPages uint32
	// StackBytes caps nested calls (default 16 MiB): see Limits.
	StackBytes int64
}

// Run runs module, once, and returns its exit code. An error says why it did not
// end by itself; it is a *Trap for what the guest did and what stopped it.
func (e *Engine) Run(ctx context.Context, module []byte, p Program) (exitCode uint32, err error) {
	if p.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.Timeout)
		defer cancel()
	}
	var r run
	err = e.runProgram(ctx, module, p, &r)
	var exit *sys.ExitError
	switch {
	case err == nil:
		return 0, nil
	case r.meter != nil && r.meter.late, errors.Is(ctx.Err(), context.DeadlineExceeded):
		return 0, limits.Trapf(abi.FaultDeadline, "the program ran longer than its timeout")
	case ctx.Err() != nil:
		return 0, limits.Trapf(abi.FaultCanceled, "the program was interrupted")
	case errors.As(err, &exit):
		return exit.ExitCode(), nil
	}
	return 0, err
}

func (p Program) system() wasi.Config {
	config := wasi.Config{Args: p.Args, TmpBytes: p.TmpBytes, Dirs: p.Dirs}
	for _, v := range p.Env {
		config.Env = append(config.Env, v.Name+"="+v.Value)
	}
	return config
}

// loadProgram compiles module as a program.
func (e *Engine) loadProgram(ctx context.Context, module []byte, p Program) (*Function, error) {
	compiled, err := e.compile(ctx, module)
	if err != nil {
		return nil, err
	}
	f := &Function{engine: e, module: compiled, system: p.system()}
	f.config.Limits = Limits{MemoryPages: p.MemoryPages, StackBytes: p.StackBytes}.WithDefaults()
	pages, _ := wasm.MemoryMin(module)
	f.memory = uint64(pages) * abi.PageBytes
	start := compiled.ExportedFunctions()[abi.ExportStart]
	if start == nil || len(start.ParamTypes())+len(start.ResultTypes()) > 0 {
		err = errors.New("the module is no WASI command: it does not export a function _start without parameters and results")
	} else {
		err = guest.CheckNames(e.wazero, compiled.CompiledModule, false)
	}
	if err != nil {
		_ = compiled.Close(ctx)
		return nil, err
	}
	return f, nil
}

func (e *Engine) runProgram(ctx context.Context, module []byte, p Program, r *run) error {
	f, err := e.loadProgram(ctx, module, p)
	if err != nil {
		return err
	}
	defer f.Close(context.WithoutCancel(ctx))
	i, err := f.instantiate(ctx, (*memory.Account).Open)
	if err != nil {
		return err
	}
	defer i.close()
	streams := wasi.Streams{Stdout: p.Stdout, Stderr: p.Stderr, Terminal: p.Terminal}
	if p.Stdin != nil {
		stdin := wasi.NewInterruptible(p.Stdin)
		defer stdin.Close()
		streams.Stdin = stdin
	}
	r.start(ctx, Limits{StackBytes: f.config.Limits.StackBytes}, i)
	defer r.stop()
	i.system.Begin(streams, nil)
	i.load(f.module.data)
	if err = i.begin(r, f.module); err == nil {
		err = i.module.ExportedFunction(abi.ExportStart).CallWithStack(r.ctx, nil)
	}
	var exit *sys.ExitError
	var known abi.Faulter
	switch {
	case err == nil, ctx.Err() != nil, errors.As(err, &exit):
		return err
	case errors.As(err, &known):
		return known
	}
	return guestTrap("the program trapped: ", err)
}
