package wasm

// constantInstructions bounds a constant expression. Compilers emit one
// instruction, or three to add an offset to a base.
const constantInstructions = 1_000

// constant reads a constant expression, extended ones too:
// https://webassembly.github.io/spec/core/valid/instructions.html#constant-expressions.
func (m *Module) constant(r *reader, v visitor) {
	var in instruction
	for n := 0; r.err == nil; n++ {
		m.next(r, &in)
		switch {
		case r.err != nil || in.op == opEnd:
			return
		case n >= constantInstructions:
			r.fail(in.start, "a constant expression has more than %d instructions", constantInstructions)
		case !isConstant(in.op):
			r.fail(in.start, "opcode %#x in a constant expression", in.op)
		case in.op == opRefFunc && v != nil:
			v.function(in.index, span{in.start + 1, in.end})
		}
	}
}

func isConstant(op uint32) bool {
	switch op {
	case opI32Const, opI64Const, opF32Const, opF64Const, opV128Const, opRefNull, opRefFunc, opGlobalGet,
		opI32Add, opI32Sub, opI32Mul, opI64Add, opI64Sub, opI64Mul:
		return true
	}
	return false
}
