package guest

import (
	"bytes"
	"context"
	"errors"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/wasi"
	"github.com/cloche-run/cloche/runtime/wasm"
)

// command is a WASI program: the event JSON on its standard input, the response
// JSON on its standard output. Rules 30 to 34 of ABI.md.
type command struct{}

func (command) Name() string            { return "command" }
func (command) Environ(*Call) []string  { return nil }
func (command) Pauses() wasi.PausePoint { return wasi.AtInput }
func (command) Streams(c *Call) wasi.Streams {
	if c.Request == nil {
		return programStreams(c, nil)
	}
	return programStreams(c, abi.AppendEvent(nil, c.Request))
}

func (command) Bind(instance api.Module) Guest {
	return &program{instance.ExportedFunction(wasm.EnterExport), func(call *Call) error {
		return abi.DecodeResult(call.stdout.Bytes(), call.Response)
	}}
}

func programStreams(c *Call, stdin []byte) wasi.Streams {
	return wasi.Streams{Stdin: bytes.NewReader(stdin), Stdout: stdout{c}, Stderr: c.Log}
}

// program is a guest that is run from its start, or from where it paused, to its
// end, and then has said everything.
type program struct {
	enter  api.Function
	decode func(*Call) error
}

func (p *program) Ready(ctx context.Context) error {
	err := p.run(ctx)
	switch {
	case err == nil:
		return ErrEnded
	case errors.Is(err, wasi.ErrPaused):
		return nil
	}
	return err
}

func (p *program) Serve(ctx context.Context, call *Call) error {
	if err := p.run(ctx); err != nil {
		return err
	}
	return p.decode(call)
}

// run ends when the program does, by returning or by proc_exit(0), or is paused.
func (p *program) run(ctx context.Context) error {
	err := p.enter.CallWithStack(experimental.WithSnapshotter(ctx), nil)
	var exit *sys.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 0 {
		return nil
	}
	return err
}
