package wasm_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/wasm"
	"github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// dataModule has a memory of pages and these active segments, each an offset
// expression and bytes.
func dataModule(pages byte, segments ...[]byte) []byte {
	section := []byte{byte(len(segments))}
	for _, s := range segments {
		section = append(append(section, 0), s...)
	}
	return module(5, []byte{1, 0, pages}, 11, section)
}

func at(offset int64, text string) []byte {
	return cat([]byte{wasmtest.I32Const}, wasmtest.Int(offset), []byte{wasmtest.End}, wasmtest.Name(text))
}

func TestInitialDataAreJoinedWhereNothingOverlaps(t *testing.T) {
	sum := cat([]byte{wasmtest.I32Const, 3, wasmtest.I32Const, 4, wasmtest.I32Add, wasmtest.End}, wasmtest.Name("seven"))
	for name, test := range map[string]struct {
		segments [][]byte
		want     string // the start of the memory
		runs     int
	}{
		"none":                      {nil, "", 0},
		"neighbours in any order":   {[][]byte{at(4, "ef"), at(0, "abcd")}, "abcdef", 1},
		"a small gap":               {[][]byte{at(0, "a"), at(3, "d")}, "a\x00\x00d", 1},
		"a large gap":               {[][]byte{at(0, "a"), at(1000, "d")}, "a\x00", 2},
		"overlaps: the later wins":  {[][]byte{at(0, "abcd"), at(1, "X"), at(8, "i"), at(2, "Y")}, "aXYd\x00\x00\x00\x00i", 4},
		"an offset that is a sum":   {[][]byte{sum}, "\x00\x00\x00\x00\x00\x00\x00seven", 1},
		"nothing at the very end":   {[][]byte{at(65536, "")}, "", 0},
		"the last byte of a memory": {[][]byte{at(65535, "z")}, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := wasm.Read(dataModule(1, test.segments...), wasm.DefaultCaps())
			if err != nil {
				t.Fatal(err)
			}
			runs, err := m.Data()
			if err != nil || len(runs) != test.runs {
				t.Fatalf("%d runs, want %d (error %v)", len(runs), test.runs, err)
			}
			memory := make([]byte, abi.PageBytes)
			for _, run := range runs {
				copy(memory[run.Offset:], run.Bytes)
			}
			if !bytes.HasPrefix(memory, []byte(test.want)) {
				t.Errorf("the memory starts with %q, want %q", memory[:len(test.want)], test.want)
			}
		})
	}
}

func TestDataThatWouldTrapAreRefused(t *testing.T) {
	for name, segment := range map[string][]byte{
		"one byte too far":  at(65535, "zz"),
		"far too far":       at(-1, "z"),
		"nothing, too far":  at(65537, ""),
		"an offset of 4 Gi": at(-65536, strings.Repeat("x", 70)),
	} {
		m, err := wasm.Read(dataModule(1, at(0, "ok"), segment), wasm.DefaultCaps())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Data(); err == nil || !strings.Contains(err.Error(), "data section") || !strings.Contains(err.Error(), "segment 1") {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}

// TestAModuleForImagesTellsWhatItHides finds by their names the globals, a start
// function that has not run, and whether a table was changed.
func TestAModuleForImagesTellsWhatItHides(t *testing.T) {
	var m wasmtest.Module
	m.Memory(1)
	m.Data(0, "text")
	m.Table(2, 2)
	mutable := m.Global(wasmtest.I64, wasmtest.Code{}.I64(7))
	m.Start(m.Func(nil, nil, wasmtest.Code{}.I64(8).Index(wasmtest.GlobalSet, mutable)...))
	m.ExportFunc("change", m.Func(nil, nil, wasmtest.Code{}.I32(0).Op(wasmtest.RefNull, wasmtest.FuncRef).Index(0x26, 0)...))
	read, err := wasm.Read(m.Bytes(), wasm.DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	if read.MutableGlobals() != 1 || !read.Starts() || read.Unrestorable() != "" {
		t.Errorf("%d mutable globals, starts %t, unrestorable %q", read.MutableGlobals(), read.Starts(), read.Unrestorable())
	}
	g := newGuest(t, m.Bytes(), newMeter(1<<40), wasm.DefaultCaps(), wasm.Options{Image: true})
	hidden := g.ExportedGlobal(wasm.GlobalExport(0))
	if got := hidden.Get(); got != 7 {
		t.Errorf("the global holds %d before the start function, want 7", got)
	}
	if first, _ := g.Memory().ReadByte(0); first != 0 {
		t.Error("the data are in memory already")
	}
	data, err := read.Data()
	if err != nil {
		t.Fatal(err)
	}
	if err := begin(t.Context(), g, data); err != nil {
		t.Fatal(err)
	}
	if got := hidden.Get(); got != 8 {
		t.Errorf("the global holds %d after the start function, want 8", got)
	}
	dirty := g.ExportedGlobal(wasm.DirtyExport)
	if dirty.Get() != 0 {
		t.Error("dirty before any change")
	}
	if _, err := g.call(t, "change"); err != nil || dirty.Get() == 0 {
		t.Errorf("table.set is not told (error %v)", err)
	}
}

// TestACommandIsAskedAgain runs a command whose import says Again twice.
func TestACommandIsAskedAgain(t *testing.T) {
	ctx := t.Context()
	var m wasmtest.Module
	four := bytes.Repeat([]byte{wasmtest.I32}, 4)
	read := m.Import(abi.ModuleWASI, "fd_read", four, []byte{wasmtest.I32})
	m.Memory(1)
	m.ExportMemory(abi.ExportMemory)
	body := wasmtest.Code{}.I32(0, 1, 2, 3).Call(uint64(read)).I32(8).Op(0x47). /* i32.ne */ If(wasmtest.Code{}.Op(wasmtest.Unreachable))
	m.ExportFunc(abi.ExportStart, m.Func(nil, nil, body...))
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(features))
	defer r.Close(ctx)
	resumed, asked := 0, 0
	var errno uint32 = wasm.Again
	_, err := r.NewHostModuleBuilder(abi.ModuleWASI).NewFunctionBuilder().WithFunc(func(_ context.Context, fd, iovs, n, out uint32) uint32 {
		if asked++; asked == 3 {
			errno = 8
		}
		if resumed != 1 || fd != 0 || iovs != 1 || n != 2 || out != 3 {
			t.Errorf("fd_read(%d, %d, %d, %d) after %d resumes", fd, iovs, n, out, resumed)
		}
		return errno
	}).Export("fd_read").Instantiate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	meter := newMeter(1 << 40)
	_, err = r.NewHostModuleBuilder(wasm.FuelModule).NewFunctionBuilder().
		WithFunc(func(_ context.Context, left, need int64) int64 { return meter.refuel(left, need) }).Export(wasm.RefuelImport).
		NewFunctionBuilder().WithFunc(func() { resumed++ }).Export(wasm.ResumeImport).Instantiate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	rewritten := rewrite(t, m.Bytes(), wasm.DefaultCaps(), wasm.Options{Image: true})
	instance, err := r.InstantiateWithConfig(ctx, rewritten, wazero.NewModuleConfig().WithStartFunctions())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := instance.ExportedFunction(wasm.EnterExport).Call(ctx); err != nil || asked != 3 {
		t.Errorf("asked %d times (error %v)", asked, err)
	}
}

func TestDataThatOverlapWhereTheLargestMemoryEnds(t *testing.T) {
	caps := wasm.DefaultCaps()
	caps.MemoryPages = 1 << 16
	memory := cat([]byte{1, 0}, wasmtest.Uint(1<<16))
	segments := cat([]byte{2, 0}, at(-4, "efgh"), []byte{0}, at(-8, "abcdEFGH"))
	m, err := wasm.Read(module(5, memory, 11, segments), caps)
	if err != nil {
		t.Fatal(err)
	}
	runs, err := m.Data()
	if err != nil || len(runs) != 2 || string(runs[1].Bytes) != "abcdEFGH" {
		t.Errorf("%+v, error %v: the later segment does not come last", runs, err)
	}
}
