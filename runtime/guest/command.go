package guest

import (
	"bytes"
	"context"
	"errors"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/wasi"
)

// command is a WASI program: the event JSON on its standard input, the response
// JSON on its standard output. Rules 30 to 34 of ABI.md.
type command struct{}

func (command) Name() string           { return "command" }
func (command) Environ(*Call) []string { return nil }
func (command) Streams(c *Call) wasi.Streams {
	return programStreams(c, abi.AppendEvent(nil, c.Request))
}

func (command) Serve(ctx context.Context, instance api.Module, call *Call) error {
	if err := runProgram(ctx, instance); err != nil {
		return err
	}
	return abi.DecodeResult(call.stdout.Bytes(), call.Response)
}

func programStreams(c *Call, stdin []byte) wasi.Streams {
	return wasi.Streams{Stdin: bytes.NewReader(stdin), Stdout: stdout{c}, Stderr: c.Log}
}

// runProgram calls _start. A program ends by returning or by proc_exit(0).
func runProgram(ctx context.Context, instance api.Module) error {
	_, err := instance.ExportedFunction(abi.ExportStart).Call(ctx)
	var exit *sys.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 0 {
		return nil
	}
	return err
}
