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

// A table that may grow counts as large as it may become.
func TestFootprintOfATableThatGrows(t *testing.T) {
	for max, want := range map[uint64]uint64{0: wasm.DefaultCaps().TableEntries, 20: 20, 1 << 20: wasm.DefaultCaps().TableEntries} {
		var m wasmtest.Module
		m.Table(5, max)
		m.Func(nil, nil, wasmtest.Code{}.Op(wasmtest.RefNull, wasmtest.FuncRef).I32(1).Misc(wasmtest.TableGrow, 0).Op(wasmtest.Drop)...)
		read, err := wasm.Read(m.Bytes(), wasm.DefaultCaps())
		if err != nil {
			t.Fatal(err)
		}
		if got := read.Footprint(); got != int64(want)*8 {
			t.Errorf("up to %d: %d bytes, want %d", max, got, want*8)
		}
	}
}
