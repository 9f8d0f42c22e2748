// Package wasm reads WebAssembly modules as bytes, before any engine sees them, and
// rewrites them so that their work is metered: Read admits a module within Caps,
// Rewrite gives it a counter of fuel.
package wasm

import (
	"bytes"
	"errors"
	"fmt"
)

// ModuleBytes is the largest module that is loaded by default: 32 MiB.
const ModuleBytes = 32 << 20

var (
	magic = []byte{0, 'a', 's', 'm'}
	core  = []byte{1, 0, 0, 0}
	// component is the layer field of a component's preamble:
	// https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md
	component = []byte{1, 0}
)

// CheckHeader tells a core module of at most limit bytes from everything else.
// The error says what was found and what to do about it.
func CheckHeader(module []byte, limit uint64) error {
	switch {
	case uint64(len(module)) > limit:
		return &Error{
			Function: -1, Cap: "ModuleBytes", Value: uint64(len(module)), Limit: limit,
			Message: fmt.Sprintf("the module has %d bytes, the limit is %d: strip debug information (-s) or split the function%s",
				len(module), limit, remedy("ModuleBytes", uint64(len(module)))),
		}
	case len(module) < 8 || !bytes.Equal(module[:4], magic):
		return errors.New(`not a WebAssembly module (it does not begin with "\0asm"): build the function for wasm32-wasip1`)
	case bytes.Equal(module[6:8], component):
		return errors.New("this is a WebAssembly component (WASI preview 2), cloche runs core modules: " +
			"build for wasm32-wasip1, or take the core module out with `wasm-tools component unbundle`")
	case !bytes.Equal(module[4:8], core):
		return fmt.Errorf("unknown WebAssembly version %d, cloche runs version 1", module[4])
	}
	return nil
}
