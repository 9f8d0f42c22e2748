package wasm

import "encoding/binary"

// place is where the fuel is: in the global variable, or in a local one that
// is written back before control leaves the function.
type place bool

const (
	inGlobal place = false
	inLocal  place = true
)

// Labels that the out-of-line form of a loop adds: see emitter.openLoop.
const loopLabels = 3

// emitter writes one body.
type emitter struct {
	rewriter *rewriter
	plan     *plan
	flow     flow
	out      []byte
	fuel     uint32 // the local that holds fuel
	level    uint32 // the local that holds the stack that is left
	length   uint32 // the local that holds a length
	site     int    // the next to be charged
	held     place
	last     instruction
}

// body writes the i-th body with its locals, without its length.
func (e *emitter) body(r *reader, b body, p *plan) []byte {
	e.plan, e.site, e.last = p, 0, instruction{}
	e.out = e.out[:0]
	e.flow.reset()
	e.locals(b)
	e.enter(b)
	var in instruction
	for r.err == nil {
		if e.site < len(p.sites) && p.sites[e.site].pos == r.pos {
			e.charge(&p.sites[e.site])
			e.site++
		}
		e.rewriter.module.next(r, &in)
		if in.op == opEnd && len(e.flow.frames) == 1 {
			break
		}
		e.instruction(&in)
		e.last = in
	}
	e.leave(b)
	return e.out
}

func (e *emitter) locals(b body) {
	groups := b.groups
	if e.plan.checked {
		groups++
	}
	if e.nests() {
		groups++
	}
	if e.plan.lengths {
		groups++
	}
	e.out = appendUnsigned(e.out, uint64(groups))
	e.out = append(e.out, b.declaration.of(e.rewriter.module.bytes)...)
	e.fuel = uint32(b.locals)
	e.length = e.fuel
	if e.plan.checked {
		e.out = append(e.out, 1, typeI64)
		e.length++
	}
	if e.nests() {
		e.out = append(e.out, 1, typeI64)
		e.level = e.length
		e.length++
	}
	if e.plan.lengths {
		e.out = append(e.out, 1, typeI32)
	}
}

// enter writes what stands before the body:
//
//	loop
//	  block
//	    (if the fuel does not pay for the first basic block: br 0)
//	    block RESULTS
//	      BODY
//	    end
//	    return
//	  end
//	  (refuel)
//	  br 0
//	end
//	unreachable
//
// The engine's register allocator would spill around a call in the hot path,
// hence the call out of line.
func (e *emitter) enter(b body) {
	if !e.plan.checked {
		e.held = inGlobal
		return
	}
	e.out = append(e.out, opLoop, voidType, opBlock, voidType)
	e.held = inGlobal
	e.charge(&e.plan.sites[0])
	e.site = 1
	e.out = append(e.out, opBlock)
	e.out = append(e.out, e.rewriter.resultType(b.signature)...)
}

func (e *emitter) leave(b body) {
	if !e.plan.checked {
		e.out = append(e.out, opEnd)
		return
	}
	if e.plan.reached {
		e.settle()
	}
	e.out = append(e.out, opEnd)
	if e.plan.reached {
		e.held = e.home()
	}
	e.hold(inGlobal)
	e.ascend()
	e.out = append(e.out, opReturn, opEnd)
	e.refuel(&e.plan.sites[0])
	e.op(opBr, 0)
	e.out = append(e.out, opEnd, opUnreachable, opEnd)
}

// nests tells whether a call of the function takes of the stack.
func (e *emitter) nests() bool { return e.plan.frame > 0 && e.rewriter.stack > 0 }

// descend makes the value on the stack, the fuel, negative as well if the call
// stack is used up: one branch checks both.
func (e *emitter) descend() {
	e.op(opGlobalGet, e.rewriter.stackGlobal())
	e.i64Const(int64(e.plan.frame))
	e.out = append(e.out, opI64Sub)
	e.op(opLocalTee, e.level)
	e.out = append(e.out, opI64Or)
}

// ascend gives the frame back, where the function is left.
func (e *emitter) ascend() {
	if !e.nests() {
		return
	}
	e.op(opGlobalGet, e.rewriter.stackGlobal())
	e.i64Const(int64(e.plan.frame))
	e.out = append(e.out, opI64Add)
	e.op(opGlobalSet, e.rewriter.stackGlobal())
}

// home is where the fuel is at the borders of basic blocks.
func (e *emitter) home() place { return place(e.plan.checked) }

// settle brings the fuel home, before a border.
func (e *emitter) settle() {
	if !e.flow.dead {
		e.hold(e.home())
	}
}

// hold moves the fuel.
func (e *emitter) hold(p place) {
	if e.held == p {
		return
	}
	e.loadFuel()
	e.held = p
	e.storeFuel()
}

func (e *emitter) loadFuel() {
	if e.held == inLocal {
		e.op(opLocalGet, e.fuel)
	} else {
		e.op(opGlobalGet, e.rewriter.fuelGlobal())
	}
}

func (e *emitter) storeFuel() {
	if e.held == inLocal {
		e.op(opLocalSet, e.fuel)
	} else {
		e.op(opGlobalSet, e.rewriter.fuelGlobal())
	}
}

// charge writes a site: take its cost off the fuel, and, at a loop or at the
// entry, leave through the label outside if the rest is negative.
func (e *emitter) charge(s *site) {
	entry := s == &e.plan.sites[0] && e.plan.checked
	inline := s.loop && e.flow.top().inline
	cost := s.cost
	if entry || s.loop {
		cost = s.least()
	}
	if cost == 0 {
		return
	}
	e.loadFuel()
	e.i64Const(int64(cost))
	e.out = append(e.out, opI64Sub)
	switch {
	case entry, s.loop && !inline:
		out := uint32(1)
		if entry {
			out = 0
		}
		e.op(opLocalTee, e.fuel)
		if entry && e.nests() {
			e.descend()
		}
		e.i64Const(0)
		e.out = append(e.out, opI64LtS)
		e.op(opBrIf, out)
		e.held = inLocal
		if entry && e.nests() {
			e.op(opLocalGet, e.level)
			e.op(opGlobalSet, e.rewriter.stackGlobal())
		}
	case s.calls && !inline:
		e.held = inGlobal
		e.storeFuel()
	default:
		e.storeFuel()
	}
	if inline {
		e.checkInline()
	}
}

func (s *site) least() uint64 { return max(s.cost, costLoop) }

// refuel writes the call that buys at least what a site costs, after the charge
// was undone if it had reached a variable.
func (e *emitter) refuel(s *site) {
	e.held = inGlobal
	if s.loop {
		e.held = e.home()
	}
	e.loadFuel()
	if e.held == inLocal {
		e.i64Const(int64(s.least()))
		e.out = append(e.out, opI64Add)
	}
	e.i64Const(int64(s.least()))
	e.op(opCall, e.rewriter.refuelIndex())
	if e.held == inLocal {
		e.op(opLocalTee, e.fuel)
	}
	e.op(opGlobalSet, e.rewriter.fuelGlobal())
}

// checkInline writes a check that is not undone and repeated: for loops that
// take parameters, and for pieces.
func (e *emitter) checkInline() {
	e.loadFuel()
	e.i64Const(0)
	e.out = append(e.out, opI64LtS, opIf, voidType)
	e.loadFuel()
	e.i64Const(0)
	e.op(opCall, e.rewriter.refuelIndex())
	if e.held == inLocal {
		e.op(opLocalTee, e.fuel)
	}
	e.op(opGlobalSet, e.rewriter.fuelGlobal())
	e.out = append(e.out, opEnd)
}

// instruction writes one instruction of the body.
func (e *emitter) instruction(in *instruction) {
	raw := e.rewriter.module.bytes[in.start:in.end]
	dead := e.flow.dead
	switch in.op {
	case opBlock:
		e.out = append(e.out, raw...)
		e.flow.step(e.rewriter.module, in)
	case opLoop:
		e.openLoop(in, raw)
	case opIf, opElse:
		e.settle()
		e.out = append(e.out, raw...)
		e.flow.step(e.rewriter.module, in)
		e.held = e.home()
	case opEnd:
		e.end(in)
	case opBr, opBrIf, opBrTable:
		e.settle()
		e.branch(in)
		e.flow.step(e.rewriter.module, in)
	case opRefFunc:
		e.op(byte(in.op), e.rewriter.function(in.index))
		e.flow.step(e.rewriter.module, in)
	case opCall, opCallIndirect, opReturnCall, opReturnCallIndirect, opReturn:
		if !dead {
			e.hold(inGlobal)
		}
		e.transfer(in, dead)
		e.flow.step(e.rewriter.module, in)
	default:
		e.smudge(in.op)
		if bulkKind(in.op) != notBulk {
			e.bulk(in, raw)
		} else {
			e.out = append(e.out, raw...)
		}
		e.flow.step(e.rewriter.module, in)
	}
}

// transfer writes a call or a return. A tail call that passes values by the
// stack, which depends on the machine, would be an ordinary one there, with the
// caller's frame still in place: it is made one everywhere, and pays for it.
func (e *emitter) transfer(in *instruction, dead bool) {
	op := byte(in.op)
	tail := in.op == opReturnCall || in.op == opReturnCallIndirect
	if tail && !e.rewriter.module.inRegisters(in) {
		op -= opReturnCall - opCall
	}
	leaves := in.op == opReturn || op == opReturnCall || op == opReturnCallIndirect
	if leaves && !dead {
		e.ascend()
	}
	e.out = append(e.out, op)
	switch in.op {
	case opCall, opReturnCall:
		e.out = appendUnsigned(e.out, uint64(e.rewriter.function(in.index)))
	case opCallIndirect, opReturnCallIndirect:
		e.out = appendUnsigned(appendUnsigned(e.out, uint64(in.index)), uint64(in.other))
	}
	if tail && !leaves {
		if !dead {
			e.ascend()
		}
		e.out = append(e.out, opReturn)
	}
}

// inRegisters tells whether a tail call passes nothing by the stack on any machine.
func (m *Module) inRegisters(in *instruction) bool {
	t := in.index
	if in.op == opReturnCall {
		t = m.functions[in.index]
	}
	return m.types[t].params.length() <= registerValues && m.types[t].results.length() <= registerValues
}

// openLoop writes the start of a loop:
//
//	block RESULTS
//	  loop
//	    block
//	      loop RESULTS
//	        (if the fuel does not pay for this round: br 1)
//	        BODY
//	      end
//	      br 2
//	    end
//	    (refuel)
//	    br 0
//	  end
//	  unreachable
//	end
//
// A loop that takes parameters cannot be entered again, and a loop that is never
// entered needs no fuel.
func (e *emitter) openLoop(in *instruction, raw []byte) {
	e.settle()
	dead := e.flow.dead
	e.flow.step(e.rewriter.module, in)
	top := e.flow.top()
	top.site = e.site
	top.inline = dead || e.rewriter.hasParams(in.block)
	if !top.inline {
		top.labels += loopLabels
		block := in.block.bytes(e.rewriter.module.bytes)
		e.out = append(e.out, opBlock)
		e.out = append(e.out, block...)
		e.out = append(e.out, opLoop, voidType, opBlock, voidType)
	}
	e.out = append(e.out, raw...)
}

func (e *emitter) end(in *instruction) {
	top := *e.flow.top()
	if top.op != opLoop && (top.reached || top.op == opIf) {
		e.settle() // others arrive here too
	}
	held := e.held
	e.out = append(e.out, opEnd)
	if e.flow.step(e.rewriter.module, in) {
		held = e.home()
	}
	if top.op == opLoop && !top.inline {
		e.closeLoop(&top)
	}
	e.held = held
}

func (e *emitter) closeLoop(loop *frame) {
	e.op(opBr, 2)
	e.out = append(e.out, opEnd)
	e.refuel(&e.plan.sites[loop.site])
	e.op(opBr, 0)
	e.out = append(e.out, opEnd, opUnreachable, opEnd)
}

// branch writes a branch with its labels counted anew.
func (e *emitter) branch(in *instruction) {
	if in.op != opBrTable {
		e.op(byte(in.op), e.label(in.index))
		return
	}
	e.out = append(e.out, opBrTable)
	e.out = appendUnsigned(e.out, uint64(in.targets-1))
	e.rewriter.module.eachTarget(in, func(label uint32) {
		e.out = appendUnsigned(e.out, uint64(e.label(label)))
	})
}

// label adds the labels that were put between here and the target.
func (e *emitter) label(label uint32) uint32 {
	target := e.flow.frames[len(e.flow.frames)-1-int(label)]
	return label + uint32(e.flow.top().labels-target.labels)
}

// op writes an instruction with one index.
func (e *emitter) op(op byte, index uint32) {
	e.out = append(e.out, op)
	e.out = appendUnsigned(e.out, uint64(index))
}

func (e *emitter) i32Const(n uint32) {
	e.out = append(e.out, opI32Const)
	e.out = appendSigned(e.out, int64(int32(n)))
}

func (e *emitter) i64Const(n int64) {
	e.out = append(e.out, opI64Const)
	e.out = appendSigned(e.out, n)
}

func appendUnsigned(out []byte, n uint64) []byte { return binary.AppendUvarint(out, n) }

func appendSigned(out []byte, n int64) []byte {
	for {
		b := byte(n & 0x7f)
		n >>= 7
		if n == 0 && b&0x40 == 0 || n == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}
