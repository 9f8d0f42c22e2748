package wasm

// effect is how many values an instruction takes from the operand stack and
// leaves on it. Control and calls depend on types: see frameGauge.
type effect struct{ pops, pushes int }

// effectOf is the effect of an instruction that is neither control nor call.
func effectOf(op uint32) effect {
	switch op >> 8 {
	case opMisc:
		return miscEffect(op & 0xff)
	case opSIMD:
		return simdEffect(op & 0xff)
	}
	switch {
	case op == opDrop, op == opLocalSet, op == opGlobalSet:
		return effect{1, 0}
	case op == opSelect, op == opSelectTyped:
		return effect{3, 1}
	case op == opLocalGet, op == opGlobalGet, op == opMemorySize, op >= opI32Const && op <= opF64Const, op == opRefNull, op == opRefFunc:
		return effect{0, 1}
	case op == opTableSet, op >= opFirstStore && op <= opLastStore:
		return effect{2, 0}
	case isUnary(op):
		return effect{1, 1}
	case op > opI32Eqz && op <= opLastBinary:
		return effect{2, 1}
	}
	return effect{} // nop, unreachable
}

func isUnary(op uint32) bool {
	return op == opLocalTee || op >= opTableGet && op < opFirstStore && op != opTableSet || op == opMemoryGrow ||
		op == opI32Eqz || op == opI64Eqz ||
		op >= 0x67 && op <= 0x69 || op >= 0x79 && op <= 0x7b || // bit counts
		op >= 0x8b && op <= 0x91 || op >= 0x99 && op <= 0x9f || // of floats: abs to sqrt
		op > opLastBinary && op < opRefNull || op == opRefIsNull // conversions
}

func miscEffect(op uint32) effect {
	switch op {
	case opDataDrop & 0xff, opElemDrop & 0xff:
		return effect{}
	case opTableSize & 0xff:
		return effect{0, 1}
	case opTableGrow & 0xff:
		return effect{2, 1}
	}
	if op < opMemoryInit&0xff {
		return effect{1, 1} // saturating truncations
	}
	return effect{3, 0}
}

func simdEffect(op uint32) effect {
	switch {
	case op == 0x0b, op >= 0x58 && op <= 0x5b: // stores
		return effect{2, 0}
	case op == opV128Const&0xff:
		return effect{0, 1}
	case op == 0x52: // bitselect
		return effect{3, 1}
	case op <= 0x0a, op == 0x5c, op == 0x5d: // loads
		return effect{1, 1}
	case simdUnary[op>>6]>>(op&63)&1 == 1:
		return effect{1, 1}
	}
	return effect{2, 1}
}

// simdUnary has a bit for each vector instruction of one operand: splats,
// extracted lanes, tests, bit masks, conversions.
var simdUnary = [4]uint64{
	opcodeSet(0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x18, 0x19, 0x1b, 0x1d, 0x1f, 0x21),
	opcodeSet(0x4d, 0x53, 0x5e, 0x5f, 0x60, 0x61, 0x62, 0x63, 0x64, 0x67, 0x68, 0x69, 0x6a, 0x74, 0x75, 0x7a, 0x7c, 0x7d, 0x7e, 0x7f),
	opcodeSet(0x80, 0x81, 0x83, 0x84, 0x87, 0x88, 0x89, 0x8a, 0x94, 0xa0, 0xa1, 0xa3, 0xa4, 0xa7, 0xa8, 0xa9, 0xaa),
	opcodeSet(0xc0, 0xc1, 0xc3, 0xc4, 0xc7, 0xc8, 0xc9, 0xca, 0xe0, 0xe1, 0xe3, 0xec, 0xed, 0xef, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff),
}

func opcodeSet(positions ...uint32) (set uint64) {
	for _, p := range positions {
		set |= 1 << (p & 63)
	}
	return set
}
