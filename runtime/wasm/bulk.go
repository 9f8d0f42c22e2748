package wasm

// pieceBytes is how much of a large memory operation is done between two checks
// of the fuel: about 0.1 ms if the pages are touched for the first time. It is a
// multiple of what one unit of fuel pays for.
const pieceBytes = 256 << 10

// bulk is how a bulk operation is charged.
type bulk byte

const (
	notBulk bulk = iota
	memoryBulk
	tableBulk
)

func bulkKind(op uint32) bulk {
	switch op {
	case opMemoryFill, opMemoryCopy, opMemoryInit:
		return memoryBulk
	case opTableFill, opTableCopy, opTableInit, opTableGrow:
		return tableBulk
	}
	return notBulk
}

func (b bulk) shift() int {
	if b == tableBulk {
		return tableShift
	}
	return memoryShift
}

// bulk writes a bulk operation. Its length is on top of the stack.
func (e *emitter) bulk(in *instruction, raw []byte) {
	kind := bulkKind(in.op)
	if _, known := constantLength(&e.last, kind, e.rewriter.pieces); known || e.flow.dead {
		e.out = append(e.out, raw...) // charged with its basic block
		return
	}
	e.op(opLocalTee, e.length)
	if kind == tableBulk || !e.large(in) {
		e.chargeLength(kind)
		e.out = append(e.out, raw...)
		return
	}
	three := e.rewriter.typeIndex([]byte{typeI32, typeI32, typeI32}, nil)
	e.op(opLocalGet, e.length)
	e.i32Const(e.rewriter.pieces)
	e.out = append(e.out, opI32GtU, opIf)
	e.out = appendSigned(e.out, int64(three))
	held := e.held
	e.hold(inGlobal)
	e.op(opCall, e.rewriter.helper(in))
	e.hold(held)
	e.out = append(e.out, opElse)
	e.chargeLength(kind)
	e.out = append(e.out, raw...)
	e.out = append(e.out, opEnd)
}

// large tells whether a memory operation can be longer than one piece without
// trapping: memory.init cannot if its segment is not.
func (e *emitter) large(in *instruction) bool {
	return in.op != opMemoryInit || e.rewriter.module.data[in.index].length() > int(e.rewriter.pieces)
}

// chargeLength takes the length's cost off the fuel, wherever that is held. The
// next check will see it.
func (e *emitter) chargeLength(kind bulk) {
	e.loadFuel()
	e.op(opLocalGet, e.length)
	e.i32Const(uint32(kind.shift()))
	e.out = append(e.out, opI32ShrU, opI64ExtendI32U, opI64Sub)
	e.storeFuel()
}

// helper returns the function that does a large operation in pieces, in the
// index space of the rewritten module.
func (w *rewriter) helper(in *instruction) uint32 {
	key := helperKey{op: in.op}
	if in.op == opMemoryInit {
		key.segment = in.index
	}
	at, ok := w.helperIndex[key]
	if !ok {
		at = w.add([]byte{typeI32, typeI32, typeI32}, nil, w.writeHelper(key))
		w.helperIndex[key] = at
	}
	return at
}

type helperKey struct{ op, segment uint32 }

// Locals of a helper: the operands, the length of a piece, and fuel.
const (
	helperTo = iota
	helperFrom
	helperLength
	helperPiece
	helperFuel
)

// writeHelper writes (to, from or byte, length) -> (): the whole range is
// checked first, so that an operation that is out of bounds traps and has no
// effect.
func (w *rewriter) writeHelper(key helperKey) []byte {
	e := &emitter{rewriter: w}
	e.out = append(e.out, 2, 1, typeI32, 1, typeI64) // locals
	e.trapUnless(key, helperTo, e.memoryBytes)
	switch key.op {
	case opMemoryCopy:
		e.trapUnless(key, helperFrom, e.memoryBytes)
	case opMemoryInit:
		e.trapUnless(key, helperFrom, func() { e.i64Const(int64(w.module.data[key.segment].length())) })
	}
	if key.op == opMemoryCopy {
		e.op(opLocalGet, helperFrom)
		e.op(opLocalGet, helperTo)
		e.out = append(e.out, opI32LtU, opIf, voidType)
		e.backward(key)
		e.out = append(e.out, opElse)
		e.forward(key)
		e.out = append(e.out, opEnd)
	} else {
		e.forward(key)
	}
	e.out = append(e.out, opEnd)
	return e.out
}

func (e *emitter) memoryBytes() {
	e.out = append(e.out, opMemorySize, 0, opI64ExtendI32U)
	e.i64Const(16)
	e.out = append(e.out, opI64Shl)
}

// trapUnless does the whole operation, which then traps as it would have, if it
// would pass the end of where local start points into.
func (e *emitter) trapUnless(key helperKey, start uint32, size func()) {
	for _, local := range []uint32{start, helperLength} {
		e.op(opLocalGet, local)
		e.out = append(e.out, opI64ExtendI32U)
	}
	e.out = append(e.out, opI64Add)
	size()
	e.out = append(e.out, opI64GtU, opIf, voidType)
	for _, local := range []uint32{helperTo, helperFrom, helperLength} {
		e.op(opLocalGet, local)
	}
	e.operation(key)
	e.out = append(e.out, opEnd)
}

func (e *emitter) operation(key helperKey) {
	e.out = append(e.out, opMisc)
	e.out = appendUnsigned(e.out, uint64(key.op&0xff))
	switch key.op {
	case opMemoryInit:
		e.out = appendUnsigned(e.out, uint64(key.segment))
		e.out = append(e.out, 0)
	case opMemoryCopy:
		e.out = append(e.out, 0, 0)
	case opMemoryFill:
		e.out = append(e.out, 0)
	}
}

// forward does a piece at the start of the range and moves on.
func (e *emitter) forward(key helperKey) {
	e.out = append(e.out, opLoop, voidType)
	e.nextPiece()
	for _, local := range []uint32{helperTo, helperFrom, helperPiece} {
		e.op(opLocalGet, local)
	}
	e.operation(key)
	e.move(helperTo, opI32Add)
	if key.op != opMemoryFill {
		e.move(helperFrom, opI32Add)
	}
	e.move(helperLength, opI32Sub)
	e.again()
}

// backward does a piece at the end of the range: where the ranges overlap and
// the source comes first, its end must be read before it is overwritten.
func (e *emitter) backward(key helperKey) {
	e.out = append(e.out, opLoop, voidType)
	e.nextPiece()
	e.move(helperLength, opI32Sub)
	for _, local := range []uint32{helperTo, helperFrom} {
		e.op(opLocalGet, local)
		e.op(opLocalGet, helperLength)
		e.out = append(e.out, opI32Add)
	}
	e.op(opLocalGet, helperPiece)
	e.operation(key)
	e.again()
}

// nextPiece chooses the length of the next piece and pays for it.
func (e *emitter) nextPiece() {
	e.op(opLocalGet, helperLength)
	e.i32Const(e.rewriter.pieces)
	e.op(opLocalGet, helperLength)
	e.i32Const(e.rewriter.pieces)
	e.out = append(e.out, opI32LtU, opSelect)
	e.op(opLocalTee, helperPiece)
	e.i32Const(memoryShift)
	e.out = append(e.out, opI32ShrU, opI64ExtendI32U)
	e.op(opLocalSet, helperFuel)
	e.op(opGlobalGet, e.rewriter.fuelGlobal())
	e.op(opLocalGet, helperFuel)
	e.out = append(e.out, opI64Sub)
	e.op(opGlobalSet, e.rewriter.fuelGlobal())
	e.checkInline()
}

// move adds the length of the piece to a local, or takes it off.
func (e *emitter) move(local uint32, op byte) {
	e.op(opLocalGet, local)
	e.op(opLocalGet, helperPiece)
	e.out = append(e.out, op)
	e.op(opLocalSet, local)
}

// again repeats the loop while something is left, and closes it.
func (e *emitter) again() {
	e.op(opLocalGet, helperLength)
	e.op(opBrIf, 0)
	e.out = append(e.out, opEnd)
}
