package wasm

import (
	"bytes"
	"strconv"

	"github.com/cloche-run/cloche/abi"
)

// What a module rewritten with Options.Image shares with its host, besides fuel.
const (
	// ResumeImport is a function of FuelModule, () -> (). EnterExport calls it
	// before anything else: it may put the guest back where it paused.
	ResumeImport = "resume"
	// EnterExport runs a command: ResumeImport, then the module's own _start.
	EnterExport = abi.ExportPrefix + "enter"
	// StartExport is the start function, if there is one. The host calls it once
	// the initial data are in memory.
	StartExport = abi.ExportPrefix + "start"
	// DirtyExport is a mutable i32 global. It is not 0 once a table or a segment
	// was changed, which the host cannot take back.
	DirtyExport = abi.ExportPrefix + "dirty"
)

// Again is what a host function of Pausing returns to be called once more: no
// errno of WASI, https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#errno.
const Again = 0xffff

// Pausing are the imports by which a command may learn about its request. In a
// command rewritten with Options.Image they may return Again, and are then
// called again with the same arguments.
var pausing = [...]string{"fd_read", "poll_oneoff", "environ_sizes_get"}

// GlobalExport names the i-th of the module's own mutable globals.
func GlobalExport(i int) string { return abi.ExportPrefix + "global_" + strconv.Itoa(i) }

// MutableGlobals is how many there are for GlobalExport to name.
func (m *Module) MutableGlobals() (n int) {
	for _, g := range m.globals {
		if g.mutable && !g.imported {
			n++
		}
	}
	return n
}

// Starts tells whether the module has a start function.
func (m *Module) Starts() bool { return m.has(sectionStart) }

// Unrestorable says why instances cannot be brought back to an image, "" if they can.
func (m *Module) Unrestorable() string {
	for _, g := range m.globals {
		if g.mutable && (g.value < typeF64 || g.value > typeI32) {
			return "a mutable global holds a vector or a reference, which cannot be restored"
		}
	}
	return ""
}

// imageExports appends what Options.Image adds to the exports.
func (w *rewriter) imageExports(out []byte) (count int, _ []byte) {
	if !w.image {
		return 0, out
	}
	add := func(name string, kind byte, index uint32) {
		out = append(appendName(out, name), kind)
		out = appendUnsigned(out, uint64(index))
		count++
	}
	add(DirtyExport, kindGlobal, w.dirtyGlobal())
	for i, g := range w.module.globals {
		if g.mutable && !g.imported {
			add(GlobalExport(count-1), kindGlobal, uint32(i))
		}
	}
	if w.module.has(sectionStart) {
		add(StartExport, kindFunction, w.function(w.module.reader(sectionStart).u32()))
	}
	if w.enters() {
		add(EnterExport, kindFunction, w.enterIndex)
	}
	return count, out
}

// enters tells whether the module is a command that can be paused.
func (w *rewriter) enters() bool { return w.image && w.module.main >= 0 }

// dirtyGlobal is the last global.
func (w *rewriter) dirtyGlobal() uint32 { return w.fuelGlobal() + uint32(w.globals()) - 1 }

// addEntry appends the functions of a command that can be paused.
func (w *rewriter) addEntry() {
	if !w.enters() {
		return
	}
	for _, index := range w.module.pausing {
		t := w.module.types[w.module.functions[index]]
		params, results := t.params.of(w.module.bytes), t.results.of(w.module.bytes)
		if bytes.Equal(results, []byte{typeI32}) { // or it is not what the host offers
			w.shims[index] = w.add(params, results, w.writeShim(index, uint32(len(params))))
		}
	}
	w.enterIndex = w.add(nil, nil, w.writeEnter())
}

// writeShim writes a function that calls an import until it is done.
func (w *rewriter) writeShim(index, params uint32) []byte {
	e := &emitter{rewriter: w}
	e.out = append(e.out, 1, 1, typeI32, opLoop, voidType)
	for i := range params {
		e.op(opLocalGet, i)
	}
	e.op(opCall, index)
	e.op(opLocalTee, params)
	e.i32Const(Again)
	e.out = append(e.out, opI32Eq)
	e.op(opBrIf, 0)
	e.out = append(e.out, opEnd)
	e.op(opLocalGet, params)
	e.out = append(e.out, opEnd)
	return e.out
}

func (w *rewriter) writeEnter() []byte {
	e := &emitter{rewriter: w}
	e.out = append(e.out, 0)
	e.op(opCall, w.refuelIndex()+1)
	e.op(opCall, w.function(uint32(w.module.main)))
	e.out = append(e.out, opEnd)
	return e.out
}

// smudge notes that a table or a segment is changed.
func (e *emitter) smudge(op uint32) {
	if !e.rewriter.image || e.flow.dead {
		return
	}
	switch op {
	case opTableSet, opTableInit, opElemDrop, opTableCopy, opTableGrow, opTableFill, opDataDrop:
		e.i32Const(1)
		e.op(opGlobalSet, e.rewriter.dirtyGlobal())
	}
}
