package wasm_test

import (
	"strings"
	"testing"

	"github.com/cloche-run/cloche/runtime/wasm"
	"github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

func TestOnlyCoreModulesAreLoaded(t *testing.T) {
	for name, test := range map[string]struct{ module, want string }{
		"an empty module":      {"\x00asm\x01\x00\x00\x00", ""},
		"nothing":              {"", "not a WebAssembly module"},
		"seven bytes":          {"\x00asm\x01\x00\x00", "not a WebAssembly module"},
		"text":                 {"(module)", "not a WebAssembly module"},
		"a component":          {"\x00asm\x0d\x00\x01\x00", "wasm32-wasip1"},
		"an unknown version":   {"\x00asm\x02\x00\x00\x00", "version 2"},
		"one that is too long": {"\x00asm\x01\x00\x00\x00" + strings.Repeat("x", wasm.ModuleBytes), "limit"},
	} {
		err := wasm.CheckHeader([]byte(test.module), wasm.ModuleBytes)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func TestMemoryMinReadsTheFirstMemory(t *testing.T) {
	var m wasmtest.Module
	m.Func(nil, nil)
	if _, ok := wasm.MemoryMin(m.Bytes()); ok {
		t.Error("found a memory where none is")
	}
	m.Memory(300)
	module := m.Bytes()
	if pages, ok := wasm.MemoryMin(module); !ok || pages != 300 {
		t.Errorf("got %d, %v", pages, ok)
	}
	for cut := 8; cut < len(module); cut++ {
		wasm.MemoryMin(module[:cut]) // must not panic
	}
}

func FuzzMemoryMin(f *testing.F) {
	var m wasmtest.Module
	m.Memory(1)
	f.Add(m.Bytes())
	f.Fuzz(func(t *testing.T, module []byte) {
		if wasm.CheckHeader(module, wasm.ModuleBytes) == nil {
			wasm.MemoryMin(module)
		}
	})
}
