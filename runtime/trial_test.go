package runtime

import (
	"strconv"
	"testing"

	"github.com/cloche-run/cloche/abi"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// buildPauseTrial builds pauseTrial.
func buildPauseTrial() string {
	var m w.Module
	four := []byte{w.I32, w.I32, w.I32, w.I32}
	read := m.Import(abi.ModuleWASI, "fd_read", four, []byte{w.I32})
	write := m.Import(abi.ModuleWASI, "fd_write", four, []byte{w.I32})
	m.Memory(1)
	m.ExportMemory(abi.ExportMemory)
	const text = `{"statusCode":201}`
	m.Data(0, "\x40\x00\x00\x00\x00\x80\x00\x00") // 32 KiB at 64
	m.Data(8, "\x20\x00\x00\x00"+string(rune(len(text)))+"\x00\x00\x00")
	m.Data(32, text)
	count := m.Global(w.I32, w.Code{}.I32(0))
	ne := byte(0x47)
	trap := w.Code{}.Op(w.Unreachable)
	// once tells the first read of a request: it counts in the global and in memory.
	round := w.Code{}.I32(0, 0, 1, 16).Call(uint64(read)).If(trap).
		Index(w.GlobalGet, count).I32(1).Op(w.I32Add).Index(w.GlobalSet, count).
		I32(20).Load(20).I32(1).Op(w.I32Add).Index(w.I32Store, 2, 0).
		// round, global and memory must agree
		Index(w.LocalGet, 0).I32(1).Op(w.I32Add).Index(w.LocalTee, 0).Index(w.GlobalGet, count).Op(ne).If(trap).
		Index(w.LocalGet, 0).Load(20).Op(ne).If(trap).
		Index(w.LocalGet, 0).I32(3).Op(ne).Index(w.BrIf, 0)
	body := w.Code{}.Loop(round).I32(1, 8, 1, 16).Call(uint64(write)).If(trap)
	m.ExportFunc(abi.ExportStart, m.FuncLocals(nil, nil, []w.Locals{{Count: 1, Type: w.I32}}, body))
	return string(m.Bytes())
}

func TestThePauseTrialIsWhatItSays(t *testing.T) {
	if built := buildPauseTrial(); built != pauseTrial {
		t.Errorf("want\n%s", strconv.QuoteToASCII(built))
	}
	if err := tryPause(t.Context()); err != nil {
		t.Error(err)
	}
}
