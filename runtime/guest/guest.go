// Package guest knows how each kind of guest is called. A kind is recognised
// from the module itself; it gets an instance ready and serves one call with it.
package guest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/wasi"
)

// Kind is one way of calling a guest. A Kind holds no state of a call.
type Kind interface {
	// Name is "command", "handler" or "cgi".
	Name() string
	// Streams are the guest's standard streams during call.
	Streams(call *Call) wasi.Streams
	// Environ is what the guest's environment holds for this call, as NAME=value,
	// besides the function's own.
	Environ(call *Call) []string
	// Pauses is where a guest that gets ready waits for its request.
	Pauses() wasi.PausePoint
	// Bind finds what is called of an instance.
	Bind(instance api.Module) Guest
}

// Guest is an instance as its kind calls it, one call at a time.
type Guest interface {
	// Ready brings the guest to where it can serve, if it is not there by itself.
	// A command is ready when it is paused; ErrEnded says that it never was.
	Ready(ctx context.Context) error
	// Serve runs the guest, once, and completes call.Response. It may be called
	// again after the instance was brought back to its image.
	Serve(ctx context.Context, call *Call) error
}

// ErrEnded is a command that ended without asking for its request.
var ErrEnded = errors.New("the program ended without reading its input")

// Detect recognises the kind of module. The error says what would make one.
func Detect(module wazero.CompiledModule, protocol string) (Kind, error) {
	exports := module.ExportedFunctions()
	if f := exports[abi.ExportHandleRequest]; f != nil {
		if protocol == abi.ProtocolCGI {
			return nil, fmt.Errorf(`protocol = "cgi" needs a command (_start), but this module is an http-wasm handler: remove the key`)
		}
		return handler{initializer(module)}, checkHandler(module)
	}
	start := exports[abi.ExportStart]
	if start == nil {
		return nil, fmt.Errorf("the module exports neither _start (a WASI command) nor handle_request (an http-wasm handler): " +
			"build it as a program for wasm32-wasip1, or with one of the SDKs")
	}
	if len(start.ParamTypes())+len(start.ResultTypes()) > 0 {
		return nil, fmt.Errorf("the export _start has parameters or results; a WASI command's has none")
	}
	if protocol == abi.ProtocolCGI {
		return cgi{}, nil
	}
	return command{}, nil
}

// CheckNames refuses a module that asks for what no host module offers, or what
// it is not granted.
func CheckNames(rt wazero.Runtime, module wazero.CompiledModule, fetch bool) error {
	if len(module.ImportedMemories()) > 0 {
		return fmt.Errorf("the module imports a memory; it must define its own (remove --import-memory)")
	}
	for _, f := range module.ImportedFunctions() {
		from, name, _ := f.Import()
		if from == abi.ModuleCloche && !fetch {
			return fmt.Errorf("the module imports %s.%.80s, which it is not granted here: only functions of a site may fetch", from, name)
		}
		offered := offer(rt, from, name)
		if offered == nil {
			return fmt.Errorf("the module imports %.80q.%.80q, which cloche does not offer: it offers %s, %s and %s (see abi/ABI.md)",
				from, name, abi.ModuleWASI, abi.ModuleHandler, abi.ModuleCloche)
		}
		if !slices.Equal(f.ParamTypes(), offered.ParamTypes()) || !slices.Equal(f.ResultTypes(), offered.ResultTypes()) {
			return fmt.Errorf("the module imports %s.%s with another type than the standard's", from, name)
		}
	}
	return nil
}

// offer finds a host function by the names it is imported by, or nil.
func offer(rt wazero.Runtime, module, name string) api.FunctionDefinition {
	if host := rt.Module(module); host != nil {
		return host.ExportedFunctionDefinitions()[name]
	}
	return nil
}
