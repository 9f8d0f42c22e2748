package wasm

import (
	"math"

	"github.com/cloche-run/cloche/abi"
)

// RewriterVersion changes whenever the same module becomes other bytes or its
// work costs other fuel: make it part of what a cache of rewritten or compiled
// modules is keyed by.
const RewriterVersion = 4

// What a rewritten module shares with its host.
const (
	// FuelModule and RefuelImport name the function that a rewritten module
	// imports, (left i64, need i64) -> i64: see Rewrite.
	FuelModule   = abi.ExportPrefix + "fuel"
	RefuelImport = "refuel"
	// FuelExport is the mutable i64 global that holds the fuel that is left.
	FuelExport = abi.ExportPrefix + "fuel"
	// StackExport, there if Options.StackBytes is set, is the one that holds how
	// much of the call stack is left, in bytes. A trap leaves it where it was.
	StackExport = abi.ExportPrefix + "stack"
)

// Options change how a module is rewritten. The zero value is for use.
type Options struct {
	// PieceBytes is how much memory one uninterrupted step of a bulk operation
	// may touch; a multiple of 16, 256 KiB if zero.
	PieceBytes uint32
	// StackBytes is what StackExport holds at first: how much of the engine's
	// stack nested calls may take, by an estimate of their frames that is the same
	// on every machine; 0 is no limit but the engine's, which differs. A call that
	// needs more arrives at refuel with left >= need, which nothing else does:
	// the host then adds to StackExport and returns left, or does not return.
	StackBytes uint32
	// Image makes a module whose instances can be started from an image, and
	// brought back to it: its host applies the initial data (Module.Data), calls
	// StartExport, finds the mutable globals by GlobalExport, and may pause a
	// command that is run by EnterExport.
	Image bool
}

// Rewrite returns the module with its work metered. An engine must have found
// the original valid: what is not may become so.
//
// Every basic block takes its cost off a counter before it runs; functions and
// loops check the counter when they are entered. When it cannot pay, they call
// refuel(left, need), which returns the new counter, at least need, or does not
// return. The guest starts with an empty counter, so the first check asks.
// Left is negative when blocks between two checks took more than there was; at
// the few checks that come after their charge, need is then 0. The fuel used so far is what refuel returned, less the left it was
// given, summed; plus the last grant less FuelExport once the guest stopped.
// That is exact when it returned. When it trapped, what a function charged since
// it last called, was refuelled or returned may be missing: less than a grant,
// and the same each time for the same grants.
//
// Large memory operations are done in pieces with a check between them. The same
// module always becomes the same bytes. Custom sections are dropped.
func Rewrite(m *Module, o Options) ([]byte, error) {
	w := &rewriter{
		module: m, pieces: o.PieceBytes, stack: o.StackBytes, image: o.Image,
		helperIndex: map[helperKey]uint32{}, typeOf: map[string]int{}, shims: map[uint32]uint32{},
	}
	if w.pieces == 0 {
		w.pieces = pieceBytes
	}
	for i := len(m.types) - 1; i >= 0; i-- {
		w.typeOf[string(m.types[i].all.of(m.bytes))] = i // the first of equal ones
	}
	return w.write()
}

type rewriter struct {
	module *Module
	pieces uint32
	stack  uint32
	image  bool

	types  [][]byte       // appended ones
	typeOf map[string]int // by encoding; never iterated
	// helpers are appended functions, in the order in which they were needed.
	helpers     []helper
	helperIndex map[helperKey]uint32
	shims       map[uint32]uint32 // functions that stand for imports
	enterIndex  uint32
}

// helper is an appended function: a type and a body.
type helper struct {
	typeIndex int
	text      []byte
}

// add appends a function and returns its index in the new module.
func (w *rewriter) add(params, results, text []byte) uint32 {
	w.helpers = append(w.helpers, helper{w.typeIndex(params, results), text})
	return uint32(len(w.module.functions) + w.imports() + len(w.helpers) - 1)
}

// imports is how many functions are imported besides the module's own.
func (w *rewriter) imports() int {
	if w.enters() {
		return 2
	}
	return 1
}

// fuelGlobal is the last global, refuelIndex the last imported function.
func (w *rewriter) fuelGlobal() uint32  { return uint32(len(w.module.globals)) }
func (w *rewriter) refuelIndex() uint32 { return uint32(w.module.importedFunctions) }

// stackGlobal comes after fuelGlobal if the stack has a limit.
func (w *rewriter) stackGlobal() uint32 { return w.fuelGlobal() + 1 }

// globals is how many globals are appended.
func (w *rewriter) globals() int {
	n := 1
	if w.stack > 0 {
		n++
	}
	if w.image {
		n++
	}
	return n
}

func (w *rewriter) exports() (count int, out []byte) {
	out = append(appendName(nil, FuelExport), kindGlobal)
	out = appendUnsigned(out, uint64(w.fuelGlobal()))
	count = 1
	if w.stack > 0 {
		out = append(appendName(out, StackExport), kindGlobal)
		out = appendUnsigned(out, uint64(w.stackGlobal()))
		count++
	}
	more, out := w.imageExports(out)
	return count + more, out
}

func (w *rewriter) appendGlobals() []byte {
	out := []byte{typeI64, 1, opI64Const, 0, opEnd}
	if w.stack > 0 {
		out = append(out, typeI64, 1, opI64Const)
		out = append(appendSigned(out, int64(w.stack)), opEnd)
	}
	if w.image {
		out = append(out, typeI32, 1, opI32Const, 0, opEnd)
	}
	return out
}

// function maps a function of the original.
func (w *rewriter) function(index uint32) uint32 {
	if shim, ok := w.shims[index]; ok {
		return shim
	}
	if index >= w.refuelIndex() {
		index += uint32(w.imports())
	}
	return index
}

func (w *rewriter) hasParams(s signature) bool {
	if s.typeIndex < 0 {
		return false
	}
	t := w.module.types[s.typeIndex]
	return t.params.end > t.params.start
}

func (s signature) bytes(module []byte) []byte { return module[s.start:s.end] }

// resultType encodes the type of a block that leaves a function's results.
func (w *rewriter) resultType(t functionType) []byte {
	switch results := t.results.of(w.module.bytes); len(results) {
	case 0:
		return []byte{voidType}
	case 1:
		return results
	default:
		return appendSigned(nil, int64(w.typeIndex(nil, results)))
	}
}

// typeIndex finds or appends a function type.
func (w *rewriter) typeIndex(params, results []byte) int {
	t := append([]byte{funcType}, appendUnsigned(nil, uint64(len(params)))...)
	t = append(t, params...)
	t = appendUnsigned(t, uint64(len(results)))
	t = append(t, results...)
	index, ok := w.typeOf[string(t)]
	if !ok {
		index = len(w.module.types) + len(w.types)
		w.types = append(w.types, t)
		w.typeOf[string(t)] = index
	}
	return index
}

// write puts the module together. The code comes first: it may need more types.
func (w *rewriter) write() ([]byte, error) {
	imports := w.hostFunctions()
	w.addEntry()
	code, err := w.code()
	if err != nil {
		return nil, err
	}
	var helperTypes []byte
	for _, h := range w.helpers {
		helperTypes = appendUnsigned(helperTypes, uint64(h.typeIndex))
	}
	exportCount, exports := w.exports()
	out := make([]byte, 0, len(w.module.bytes)+len(code)/4)
	out = append(out, w.module.bytes[:8]...)
	for _, id := range sectionOrder {
		var content []byte
		switch id {
		case sectionType:
			content = w.appended(id, len(w.types), concat(w.types))
		case sectionImport:
			content = w.appended(id, w.imports(), imports)
		case sectionFunction:
			content = w.appended(id, len(w.helpers), helperTypes)
		case sectionTable:
			content = w.tables()
		case sectionGlobal:
			content = w.patched(id, w.globals(), w.appendGlobals())
		case sectionExport:
			content = w.patched(id, exportCount, exports)
		case sectionElement:
			content = w.patched(id, 0, nil)
		case sectionStart:
			content = w.start()
		case sectionCode:
			content = code
		case sectionData:
			content = w.data()
		default:
			content = w.module.sections[id].of(w.module.bytes)
		}
		if len(content) > 0 {
			out = append(out, byte(id))
			out = appendUnsigned(out, uint64(len(content)))
			out = append(out, content...)
		}
	}
	return out, nil
}

// hostFunctions are the imports that are appended.
func (w *rewriter) hostFunctions() []byte {
	add := func(out []byte, name string, params, results []byte) []byte {
		out = append(appendName(appendName(out, FuelModule), name), kindFunction)
		return appendUnsigned(out, uint64(w.typeIndex(params, results)))
	}
	out := add(nil, RefuelImport, []byte{typeI64, typeI64}, []byte{typeI64})
	if w.enters() {
		out = add(out, ResumeImport, nil, nil)
	}
	return out
}

// entries splits a section into its count and the rest.
func (w *rewriter) entries(id int) (count uint64, rest span) {
	if !w.module.has(id) {
		return 0, span{}
	}
	r := w.module.reader(id)
	count = uint64(r.u32())
	return count, span{r.pos, r.end}
}

// appended returns a section with more entries at its end, nil if it is empty.
func (w *rewriter) appended(id, more int, entries []byte) []byte {
	count, rest := w.entries(id)
	if count+uint64(more) == 0 {
		return nil
	}
	out := appendUnsigned(nil, count+uint64(more))
	out = append(out, rest.of(w.module.bytes)...)
	return append(out, entries...)
}

// patched is appended with function indices mapped.
func (w *rewriter) patched(id, more int, entries []byte) []byte {
	count, rest := w.entries(id)
	if count+uint64(more) == 0 {
		return nil
	}
	p := &patch{rewriter: w, from: rest.start}
	p.out = appendUnsigned(nil, count+uint64(more))
	if count > 0 {
		w.visit(id, p)
	}
	p.out = append(p.out, w.module.bytes[p.from:rest.end]...)
	return append(p.out, entries...)
}

// patch copies a section and replaces the function indices in it.
type patch struct {
	rewriter *rewriter
	out      []byte
	from     int // what comes before was copied
}

func (p *patch) function(index uint32, s span) {
	p.out = append(p.out, p.rewriter.module.bytes[p.from:s.start]...)
	p.out = appendUnsigned(p.out, uint64(p.rewriter.function(index)))
	p.from = s.end
}

// visit shows a section's function indices to p. Read has found it well-formed.
func (w *rewriter) visit(id int, p *patch) {
	m, r := w.module, w.module.reader(id)
	if id == sectionElement {
		m.readElements(r, p)
		return
	}
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		if id == sectionGlobal {
			r.globalType()
			m.constant(r, p)
			continue
		}
		r.name(math.MaxUint64)
		start := r.pos
		if kind, index := m.exportedIndex(r); kind == kindFunction {
			p.function(index, span{start + 1, r.pos})
		}
	}
}

// tables gives each table a maximum, so that growing them is bounded.
func (w *rewriter) tables() []byte {
	count, _ := w.entries(sectionTable)
	if count == 0 {
		return nil
	}
	out := appendUnsigned(nil, count)
	for _, t := range w.module.tables {
		if t.imported {
			continue
		}
		if limit := w.module.caps.TableEntries; limit < math.MaxUint32 && (!t.hasMax || uint64(t.max) > limit) {
			t.max, t.hasMax = uint32(limit), true
		}
		out = append(out, t.element, 0)
		if t.hasMax {
			out[len(out)-1] = 1
		}
		out = appendUnsigned(out, uint64(t.min))
		if t.hasMax {
			out = appendUnsigned(out, uint64(t.max))
		}
	}
	return out
}

func (w *rewriter) start() []byte {
	if !w.module.has(sectionStart) || w.image {
		return nil
	}
	index := w.module.reader(sectionStart).u32()
	return appendUnsigned(nil, uint64(w.function(index)))
}

// code writes all bodies and the helpers they need.
func (w *rewriter) code() ([]byte, error) {
	m := w.module
	var all []byte
	p := &planner{module: m, pieces: w.pieces}
	e := &emitter{rewriter: w}
	for i := range m.bodies {
		r, b := m.bodyReader(i)
		plan := p.run(r, b)
		if r.err != nil {
			return nil, r.err // Read has seen these bytes: they were changed since
		}
		r, _ = m.bodyReader(i)
		text := e.body(r, b, plan)
		all = appendUnsigned(all, uint64(len(text)))
		all = append(all, text...)
	}
	for _, h := range w.helpers {
		all = appendUnsigned(all, uint64(len(h.text)))
		all = append(all, h.text...)
	}
	count := len(m.bodies) + len(w.helpers)
	if count == 0 {
		return nil, nil
	}
	return append(appendUnsigned(nil, uint64(count)), all...), nil
}

func appendName(out []byte, name string) []byte {
	return append(appendUnsigned(out, uint64(len(name))), name...)
}

func concat(parts [][]byte) (out []byte) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}
