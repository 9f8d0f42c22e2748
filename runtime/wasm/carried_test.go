package wasm_test

import (
	"bytes"
	"testing"

	"github.com/cloche-run/cloche/runtime/wasm"
	"github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// TestCarriedValuesCost: a call, a branch or a loop that moves a thousand values
// takes a thousand times as long as one that moves one.
func TestCarriedValuesCost(t *testing.T) {
	const n, rounds, each = 1000, 10, 20 * (1000 - 8)
	values := bytes.Repeat([]byte{wasmtest.I32}, n)
	consts := wasmtest.Code{}.Repeat(n, wasmtest.Code{}.I32(1))
	drops := wasmtest.Code{}.Repeat(n, wasmtest.Code{}.Op(wasmtest.Drop))
	for name, body := range map[string]func(*wasmtest.Module) wasmtest.Code{
		"results of calls": func(m *wasmtest.Module) wasmtest.Code {
			f := m.Func(nil, values, consts...)
			return wasmtest.Code{}.Repeat(rounds, wasmtest.Code{}.Call(f).Then(drops))
		},
		"rounds of a loop": func(m *wasmtest.Module) wasmtest.Code {
			left := wasmtest.Uint(m.Global(wasmtest.I32, wasmtest.Code{}.I32(rounds)))
			count := wasmtest.Code{}.Op(wasmtest.GlobalGet).Then(left).I32(1).Op(wasmtest.I32Sub, wasmtest.GlobalSet).Then(left)
			again := wasmtest.Code{}.Op(wasmtest.GlobalGet).Then(left).Index(wasmtest.BrIf, 0)
			return consts.Op(wasmtest.Loop).Then(wasmtest.Int(int64(m.Type(values, nil)))).Then(count, again, drops).Op(wasmtest.End)
		},
		"results of blocks": func(m *wasmtest.Module) wasmtest.Code {
			block := wasmtest.Code{}.Op(wasmtest.Block).Then(wasmtest.Int(int64(m.Type(nil, values))), consts).Op(wasmtest.End)
			return wasmtest.Code{}.Repeat(rounds, block.Then(drops))
		},
	} {
		var m wasmtest.Module
		m.Memory(1)
		m.ExportFunc("run", m.Func(nil, nil, body(&m)...))
		g := newGuest(t, m.Bytes(), newMeter(100), wasm.DefaultCaps(), wasm.Options{})
		if _, err := g.call(t, "run"); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := g.total(); got < rounds*each {
			t.Errorf("%s: %d rounds cost %d, want at least %d", name, rounds, got, rounds*each)
		}
	}
}
