package wasm

import "bytes"

// What a call takes of the engine's stack, in bytes. The engine gives every
// value that it cannot keep in a register a slot of its own for the whole call,
// and uses no slot for two values.
const (
	frameBase       = 32 // return address, frame pointer, alignment
	slotBytes       = 8
	narrowSlotBytes = 4 // of i32 and f32
	wideSlotBytes   = 16
	// savedRegisters may be saved by a function, in 16 bytes each: one for every
	// value that it keeps in one, and contextValues of the engine's own.
	savedRegisters = 13
	savedBytes     = 16
	contextValues  = 2
	// registerValues is how many parameters or results surely go in registers on
	// every machine.
	registerValues = 6
	// callsPerSlot is how many calls leave one value of the engine's own.
	callsPerSlot = 2
	// joinValues are the engine's own and the fuel, where control joins.
	joinValues = 1
	// shallow is how many values at a time surely find registers.
	shallow = 8
	// gaugedVariables is how many local variables are told apart, more than the
	// default cap allows: of more, some pass for the same.
	gaugedVariables = 1 << 16
	// leafFrame is the largest frame that a function which calls nothing has for free.
	leafFrame = 1024
)

// frameGauge estimates the frame of a function while the planner walks over its
// body. It counts the values that outlive a call: versions of local variables
// (see liveness) and the operand stack below it; and values for which registers may be short: the
// operand stack above shallow, and what a stretch without calls assigns and
// addresses if it reads more than shallow variables. How near it comes:
// TestFramesAreEstimated.
type frameGauge struct {
	module *Module
	slots  int
	calls  int
	wide   bool // there are vectors
	// outgoing is the largest number of values that one call passes by the stack.
	outgoing int

	height  int // of the operand stack
	settled int // values below outlive a call and were counted
	blocks  []gaugedBlock
	live    liveness

	windows []uint32 // by local variable: the last window it was read in
	window  uint32   // what lies between two calls or joins
	reads   int      // different variables read in it
}

type gaugedBlock struct {
	op     uint32
	height int // below its parameters
	block  signature
}

func (g *frameGauge) start(m *Module, b body) {
	g.module, g.slots, g.calls, g.wide, g.outgoing = m, 0, 0, false, 0
	g.height, g.settled, g.window, g.reads = 0, 0, 1, 0
	g.blocks = append(g.blocks[:0], gaugedBlock{op: opBlock})
	g.windows = zeroed(g.windows, gauged(b))
	g.live.start(m, b)
	g.widen(b.signature.all)
	g.widen(b.declaration)
	g.outlive(0) // it asks for fuel
}

func gauged(b body) int { return int(min(b.locals, gaugedVariables)) }

// bytes is the estimate, once the body's end was seen.
func (g *frameGauge) bytes() uint64 {
	versions, bytes := g.live.count()
	operands, size := g.slots+g.calls/callsPerSlot+g.outgoing, slotBytes
	if g.wide {
		size = wideSlotBytes
	}
	saved := min(operands+versions+contextValues, savedRegisters)
	return uint64(frameBase + savedBytes*saved + bytes + size*operands)
}

// widen looks for vectors among encoded types.
func (g *frameGauge) widen(types span) {
	g.wide = g.wide || bytes.IndexByte(types.of(g.module.bytes), typeV128) >= 0
}

// step takes an instruction into account. It was dead if it cannot be reached;
// joined tells that control comes to its end from several places.
func (g *frameGauge) step(in *instruction, dead, joined bool) {
	switch in.op {
	case opBlock, opLoop, opIf:
		g.open(in, dead)
	case opElse:
		top := &g.blocks[len(g.blocks)-1]
		g.drop(top.height)
		g.height = top.height + g.module.blockArity(top.block, true)
		g.live.otherwise()
	case opEnd:
		g.close(joined)
	default:
		if !dead {
			g.straight(in)
		}
	}
}

func (g *frameGauge) open(in *instruction, dead bool) {
	if in.op == opIf && !dead {
		g.drop(g.height - 1)
	}
	params := g.module.blockArity(in.block, true)
	if in.block.typeIndex >= 0 {
		g.widen(g.module.types[in.block.typeIndex].all)
	}
	g.blocks = append(g.blocks, gaugedBlock{in.op, g.height - params, in.block})
	g.live.open(in.op)
	if in.op == opLoop && !dead { // asks for fuel
		g.slots += params
		g.outlive(g.height)
	}
}

func (g *frameGauge) close(joined bool) {
	top := g.blocks[len(g.blocks)-1]
	g.blocks = g.blocks[:len(g.blocks)-1]
	if g.live.close(joined); len(g.blocks) == 0 {
		return
	}
	results := g.module.blockArity(top.block, false)
	g.drop(top.height)
	g.height = top.height + results
	if joined {
		g.slots += results + joinValues
		g.nextWindow()
	}
}

// straight is an instruction that stays in its block or leaves it for good.
func (g *frameGauge) straight(in *instruction) {
	switch in.op {
	case opLocalGet:
		v := in.index % gaugedVariables
		if g.windows[v] != g.window {
			g.windows[v] = g.window
			g.read()
		}
		g.height++
		g.live.note(eventRead, v)
	case opLocalSet, opLocalTee:
		if g.reads > shallow {
			g.slots++
		}
		g.drop(g.height - 1)
		g.height += effectOf(in.op).pushes
		g.live.note(eventAssign, in.index%gaugedVariables)
	case opCall, opReturnCall:
		g.call(g.module.types[g.module.functions[in.index]], 0)
	case opCallIndirect, opReturnCallIndirect:
		g.call(g.module.types[in.index], 1)
	case opBr, opBrIf, opBrTable:
		g.branch(in)
	case opReturn, opUnreachable:
		g.live.note(eventLeave, 0)
	default:
		g.compute(in)
	}
	if in.op == opReturnCall || in.op == opReturnCallIndirect {
		g.live.note(eventLeave, 0)
	}
}

func (g *frameGauge) branch(in *instruction) {
	if in.op != opBr {
		g.drop(g.height - 1)
	}
	if in.op != opBrIf {
		g.live.note(eventLeave, 0)
	}
	if in.op != opBrTable {
		g.live.note(eventBranch, in.index)
		return
	}
	g.module.eachTarget(in, func(label uint32) { g.live.note(eventBranch, label) })
}

func (g *frameGauge) compute(in *instruction) {
	e := effectOf(in.op)
	g.drop(g.height - e.pops)
	switch {
	case in.op == opGlobalGet:
		g.wide = g.wide || g.module.globals[in.index].value == typeV128
		g.read()
	case in.op>>8 == opSIMD:
		g.wide = true
	case bulkKind(in.op) != notBulk, in.op == opMemoryGrow, in.op == opRefFunc:
		g.outlive(g.height)
	}
	g.height += e.pushes
	if constant := in.op >= opI32Const && in.op <= opF64Const; g.height > shallow && !constant {
		g.slots += e.pushes
	}
}

func (g *frameGauge) call(t functionType, more int) {
	g.widen(t.all)
	params, results := t.params.length(), t.results.length()
	g.drop(g.height - params - more)
	g.outlive(g.height)
	g.height += results
	g.outgoing = max(g.outgoing, max(params-registerValues, 0)+max(results-registerValues, 0))
}

// outlive counts what is on the stack below height when control leaves the function.
func (g *frameGauge) outlive(height int) {
	g.slots += max(height-g.settled, 0)
	g.calls++
	g.settled = height
	g.live.note(eventCall, 0)
	g.nextWindow()
}

// drop lowers the stack.
func (g *frameGauge) drop(height int) {
	g.height = height
	g.settled = min(g.settled, height)
}

// read counts a variable that is read for the first time in a window.
func (g *frameGauge) read() {
	if g.reads++; g.reads > shallow {
		g.slots++
	}
}

func (g *frameGauge) nextWindow() {
	g.window++
	g.reads = 0
}

// blockArity is how many parameters or results a block has.
func (m *Module) blockArity(s signature, params bool) int {
	if s.typeIndex < 0 && !params && s.end > s.start && m.bytes[s.start] != voidType {
		return 1
	}
	return m.blockValues(s, params)
}

// zeroed returns n zeros, in s if they fit.
func zeroed[T any](s []T, n int) []T {
	if n > cap(s) {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}
