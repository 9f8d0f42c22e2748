package wasm_test

import (
	"slices"
	"testing"

	"github.com/cloche-run/cloche/runtime/wasm"
	"github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

func TestFootprint(t *testing.T) {
	const funcref, tableSection, globalSection = 0x70, 4, 6
	module := slices.Concat([]byte{0, 'a', 's', 'm', 1, 0, 0, 0},
		wasmtest.Section(tableSection, []byte{2, funcref, 0, 10, funcref, 1, 5, 20}),
		wasmtest.Section(globalSection, []byte{1, wasmtest.I32, 0, wasmtest.I32Const, 0, wasmtest.End}))
	m, err := wasm.Read(module, wasm.DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Footprint(); got != 15*8+16 {
		t.Errorf("%d bytes", got)
	}
}
