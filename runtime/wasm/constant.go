package wasm

// constantInstructions bounds a constant expression. Compilers emit one
// instruction, or three to add an offset to a base.
const constantInstructions = 1_000

// constant reads a constant expression, extended ones too:
// https://webassembly.github.io/spec/core/valid/instructions.html#constant-expressions.
// It returns the value if that is an i32 and does not depend on an import.
func (m *Module) constant(r *reader, v visitor) (value known) {
	var in instruction
	var operands []known
	for n := 0; r.err == nil; n++ {
		m.next(r, &in)
		switch {
		case r.err != nil:
			return known{}
		case in.op == opEnd:
			return append(operands, known{})[0]
		case n >= constantInstructions:
			r.fail(in.start, "a constant expression has more than %d instructions", constantInstructions)
		case !isConstant(in.op):
			r.fail(in.start, "opcode %#x in a constant expression", in.op)
		case in.op == opRefFunc && v != nil:
			v.function(in.index, span{in.start + 1, in.end})
		}
		operands = m.evaluate(operands, &in)
	}
	return known{}
}

// known is an i32 that reading a module tells.
type known struct {
	is    bool
	value uint32
}

func (m *Module) evaluate(operands []known, in *instruction) []known {
	switch in.op {
	case opI32Const:
		return append(operands, known{true, uint32(in.constant)})
	case opGlobalGet:
		return append(operands, m.globals[in.index].init)
	case opI32Add, opI32Sub, opI32Mul, opI64Add, opI64Sub, opI64Mul:
		last := len(operands) - 1
		if last < 1 { // not valid: an engine will say so
			return nil
		}
		operands[last-1] = calculate(in.op, operands[last-1], operands[last])
		return operands[:last]
	}
	return append(operands, known{})
}

func calculate(op uint32, a, b known) known {
	switch op {
	case opI32Add:
		a.value += b.value
	case opI32Sub:
		a.value -= b.value
	case opI32Mul:
		a.value *= b.value
	default:
		return known{}
	}
	a.is = a.is && b.is
	return a
}

func isConstant(op uint32) bool {
	switch op {
	case opI32Const, opI64Const, opF32Const, opF64Const, opV128Const, opRefNull, opRefFunc, opGlobalGet,
		opI32Add, opI32Sub, opI32Mul, opI64Add, opI64Sub, opI64Mul:
		return true
	}
	return false
}
