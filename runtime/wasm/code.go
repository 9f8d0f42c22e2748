package wasm

// readCode reads all bodies.
func (m *Module) readCode(r *reader) {
	n := r.count("the number of bodies", "Functions", m.caps.Functions, minBody)
	for ; n > 0 && r.err == nil; n-- {
		start := r.pos
		body := r.skip(uint64(r.u32()))
		if r.err == nil && len(m.bodies) >= len(m.functions)-m.importedFunctions {
			r.fail(start, "there are more bodies than functions")
			return
		}
		m.bodies = append(m.bodies, body)
		if r.err == nil {
			r.err = m.readBody(len(m.bodies)-1, body)
		}
	}
}

// body is a function's code with its type.
type body struct {
	function    int // its index, imported functions counted
	signature   functionType
	groups      int  // of local declarations
	declaration span // of those groups, without their number
	locals      uint64
	code        span
}

// bodyReader returns a reader that stands at the first instruction of the i-th body.
func (m *Module) bodyReader(i int) (*reader, body) {
	at := m.bodies[i]
	b := body{function: m.importedFunctions + i}
	b.signature = m.types[m.functions[b.function]]
	r := &reader{module: m.bytes, pos: at.start, end: at.end, section: sectionNames[sectionCode], function: b.function}
	b.locals = uint64(b.signature.params.end - b.signature.params.start)
	b.groups = r.count("the number of local declarations", "Locals", m.caps.Locals, 2)
	b.declaration.start = r.pos
	for n := b.groups; n > 0 && r.err == nil; n-- {
		start := r.pos
		b.locals += uint64(r.u32())
		r.valueType()
		r.within(start, "the number of locals", b.locals, "Locals", m.caps.Locals)
	}
	b.declaration.end = r.pos
	b.code = span{r.pos, r.end}
	return r, b
}

func (m *Module) readBody(i int, at span) *Error {
	r, b := m.bodyReader(i)
	r.within(at.start, "the size of the body, in bytes,", uint64(at.end-at.start), "BodyBytes", m.caps.BodyBytes)
	m.declared += b.locals
	r.within(at.start, "the number of all functions' locals", m.declared, "TotalLocals", m.caps.TotalLocals)
	w := walk{module: m, reader: r, locals: b.locals}
	w.body()
	m.maxima.add(uint64(at.end-at.start), b.locals, m.declared, &w)
	return r.err
}

// walk checks the structure of one body.
type walk struct {
	module *Module
	reader *reader
	locals uint64

	frames       []uint32 // opcodes that opened the blocks we are in
	instructions uint64
	loops        uint64 // all of them
	openLoops    uint64 // those we are in
	branches     uint64
	targets      uint64
	depth        uint64 // the largest
	loopDepth    uint64
	longestTable uint64
}

func (w *walk) body() {
	r := w.reader
	w.frames = append(w.frames, opBlock)
	var in instruction
	for len(w.frames) > 0 && r.err == nil {
		w.module.next(r, &in)
		if w.instructions++; w.instructions > w.module.caps.Instructions {
			r.within(in.start, "the number of instructions", w.instructions, "Instructions", w.module.caps.Instructions)
			return
		}
		if r.err == nil {
			w.check(&in)
		}
	}
	if r.err == nil && r.left() > 0 {
		r.fail(r.pos, "the body goes on for %d bytes after its end", r.left())
	}
}

func (w *walk) check(in *instruction) {
	switch in.op {
	case opBlock, opLoop, opIf:
		w.open(in)
	case opElse:
		if top := len(w.frames) - 1; w.frames[top] != opIf {
			w.reader.fail(in.start, "an else without an if")
		} else {
			w.frames[top] = opElse
		}
	case opEnd:
		top := len(w.frames) - 1
		if w.frames[top] == opLoop {
			w.openLoops--
		}
		w.frames = w.frames[:top]
	case opBr, opBrIf:
		w.branch(in)
	case opBrTable:
		w.table(in)
	case opLocalGet, opLocalSet, opLocalTee:
		if uint64(in.index) >= w.locals {
			w.reader.fail(in.start, "local %d does not exist, there are %d", in.index, w.locals)
		}
	case opTableGrow:
		w.grow(in)
	}
	if bulkKind(in.op) != notBulk {
		w.count(in, bulkBranches)
	}
}

// bulkBranches is how many branches a bulk operation counts for: the engine and
// the rewriter make that many blocks of it.
const bulkBranches = 4

func (w *walk) count(in *instruction, branches uint64) {
	w.branches += branches
	w.reader.within(in.start, "the number of blocks and branches", w.branches, "Branches", w.module.caps.Branches)
}

func (w *walk) open(in *instruction) {
	caps, r := &w.module.caps, w.reader
	w.frames = append(w.frames, in.op)
	w.count(in, 1)
	if in.op == opLoop {
		w.loops++
		w.openLoops++
		w.loopDepth = max(w.loopDepth, w.openLoops)
		r.within(in.start, "the number of loops", w.loops, "Loops", caps.Loops)
		r.within(in.start, "loop nesting", w.openLoops, "LoopNesting", caps.LoopNesting)
	}
	depth := uint64(len(w.frames) - 1) // the function itself is not counted
	w.depth = max(w.depth, depth)
	r.within(in.start, "nesting", depth, "Nesting", caps.Nesting)
}

func (w *walk) branch(in *instruction) {
	if in.op == opBrIf {
		w.count(in, 1)
	}
	w.label(in.start, in.index)
}

func (w *walk) label(offset int, label uint32) {
	if uint64(label) >= uint64(len(w.frames)) && w.reader.err == nil {
		w.reader.fail(offset, "label %d does not exist, there are %d", label, len(w.frames))
	}
}

func (w *walk) table(in *instruction) {
	w.targets += uint64(in.targets)
	w.longestTable = max(w.longestTable, uint64(in.targets-1))
	w.reader.within(in.start, "the number of all br_tables' targets", w.targets, "TotalTargets", w.module.caps.TotalTargets)
	w.module.eachTarget(in, func(label uint32) { w.label(in.start, label) })
}

// eachTarget calls f with each label of a br_table, its default last.
func (m *Module) eachTarget(in *instruction, f func(label uint32)) {
	r := reader{module: m.bytes, pos: in.labels, end: in.end}
	for n := in.targets; n > 0; n-- {
		f(r.u32())
	}
}

// grow counts the tables that a module may make larger.
func (w *walk) grow(in *instruction) {
	m := w.module
	if m.growing == nil {
		m.growing = map[uint32]bool{}
	}
	m.growing[in.index] = true
	w.reader.within(in.start, "the number of tables that grow", uint64(len(m.growing)), "GrowingTables", m.caps.GrowingTables)
}

// add takes one body into account.
func (x *Maxima) add(bytes, locals, total uint64, w *walk) {
	x.BodyBytes = max(x.BodyBytes, bytes)
	x.Instructions = max(x.Instructions, w.instructions)
	x.Locals = max(x.Locals, locals)
	x.TotalLocals = total
	x.Nesting = max(x.Nesting, w.depth)
	x.LoopNesting = max(x.LoopNesting, w.loopDepth)
	x.Loops = max(x.Loops, w.loops)
	x.Branches = max(x.Branches, w.branches)
	x.TableTargets = max(x.TableTargets, w.longestTable)
	x.TotalTargets = max(x.TotalTargets, w.targets)
}
