package wasm_test

import (
	"bytes"
	"testing"

	"github.com/cloche-run/cloche/runtime/wasm"
	"github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

func TestStrippedLeavesTheRestAsItIs(t *testing.T) {
	var m wasmtest.Module
	m.Memory(1)
	m.ExportFunc("f", m.Func(nil, nil))
	bare := m.Bytes()
	custom := wasmtest.Section(0, append(wasmtest.Name("name"), 0xff, 0xff, 0xff, 0xff, 0x0f))
	read, err := wasm.Read(append(bytes.Clone(bare), custom...), wasm.DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	if got := read.Stripped(); !bytes.Equal(got, bare) {
		t.Errorf("got %x, want %x", got, bare)
	}
}
