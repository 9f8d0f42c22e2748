package wasm

// Opcodes that are treated one by one,
// https://webassembly.github.io/spec/core/appendix/index-instructions.html.
// Those behind a prefix byte have it in the bits above the eighth.
const (
	opUnreachable        = 0x00
	opBlock              = 0x02
	opLoop               = 0x03
	opIf                 = 0x04
	opElse               = 0x05
	opEnd                = 0x0b
	opBr                 = 0x0c
	opBrIf               = 0x0d
	opBrTable            = 0x0e
	opReturn             = 0x0f
	opCall               = 0x10
	opCallIndirect       = 0x11
	opReturnCall         = 0x12
	opReturnCallIndirect = 0x13
	opDrop               = 0x1a
	opSelect             = 0x1b
	opSelectTyped        = 0x1c
	opLocalGet           = 0x20
	opLocalSet           = 0x21
	opLocalTee           = 0x22
	opGlobalGet          = 0x23
	opGlobalSet          = 0x24
	opTableGet           = 0x25
	opTableSet           = 0x26
	opFirstStore         = 0x36
	opLastStore          = 0x3e
	opMemorySize         = 0x3f
	opMemoryGrow         = 0x40
	opI32Const           = 0x41
	opI64Const           = 0x42
	opF32Const           = 0x43
	opF64Const           = 0x44
	opI32Eqz             = 0x45
	opI32Eq              = 0x46
	opI32LtU             = 0x49
	opI32GtU             = 0x4b
	opI64Eqz             = 0x50
	opI64LtS             = 0x53
	opI64GtU             = 0x56
	opI32Add             = 0x6a
	opI32Sub             = 0x6b
	opI32Mul             = 0x6c
	opI32ShrU            = 0x76
	opI64Add             = 0x7c
	opI64Sub             = 0x7d
	opI64Mul             = 0x7e
	opI64Or              = 0x84
	opI64Shl             = 0x86
	opLastBinary         = 0xa6
	opI64ExtendI32U      = 0xad
	opRefNull            = 0xd0
	opRefIsNull          = 0xd1
	opRefFunc            = 0xd2

	opMisc = 0xfc // prefix
	opSIMD = 0xfd // prefix

	opMemoryInit = opMisc<<8 | 0x08
	opDataDrop   = opMisc<<8 | 0x09
	opMemoryCopy = opMisc<<8 | 0x0a
	opMemoryFill = opMisc<<8 | 0x0b
	opTableInit  = opMisc<<8 | 0x0c
	opElemDrop   = opMisc<<8 | 0x0d
	opTableCopy  = opMisc<<8 | 0x0e
	opTableGrow  = opMisc<<8 | 0x0f
	opTableSize  = opMisc<<8 | 0x10
	opTableFill  = opMisc<<8 | 0x11

	opV128Const = opSIMD<<8 | 0x0c
)

// shape is what follows an opcode.
type shape byte

const (
	illegal shape = iota
	plain         // nothing
	blockType
	label
	labels // of br_table
	funcIndex
	indirect // a type and a table
	localIndex
	globalIndex
	tableIndex
	memArg
	memIndex // of the only memory
	const32  // signed LEB128
	const64
	bytes4 // a float
	bytes8
	refType
	valTypes  // of a select
	dataIndex // of data.drop
	dataMem   // of memory.init
	memMem    // of memory.copy
	elemIndex // of elem.drop
	elemTable // of table.init
	tables2   // of table.copy
	bytes16   // a vector constant, or the lanes of a shuffle
	lane
	memArgLane
)

// opcode is how an instruction is read and what it costs; see cost.go.
type opcode struct {
	shape shape
	cost  byte
}

// opcodes describe the instructions of one byte, miscOps and simdOps those
// behind a prefix. They are filled once and never written again.
var (
	opcodes = plainOpcodes()
	miscOps = miscOpcodes()
	simdOps = simdOpcodes()
)

type opcodeTable [256]opcode

// set describes the opcodes from first to last.
func (t *opcodeTable) set(first, last int, s shape, cost byte) {
	for op := first; op <= last; op++ {
		t[op] = opcode{s, cost}
	}
}

func plainOpcodes() (t opcodeTable) {
	t.set(0x00, 0x01, plain, 0) // unreachable, nop
	t.set(opBlock, opIf, blockType, 0)
	t.set(opIf, opIf, blockType, 1)
	t.set(opElse, opElse, plain, 0)
	t.set(opEnd, opEnd, plain, 0)
	t.set(opBr, opBrIf, label, 1)
	t.set(opBrTable, opBrTable, labels, 1)
	t.set(opReturn, opReturn, plain, 0)
	t.set(opCall, opCall, funcIndex, costCall)
	t.set(opCallIndirect, opCallIndirect, indirect, costIndirect)
	t.set(opReturnCall, opReturnCall, funcIndex, costCall)
	t.set(opReturnCallIndirect, opReturnCallIndirect, indirect, costIndirect)
	t.set(opDrop, opDrop, plain, 0)
	t.set(opSelect, opSelect, plain, 1)
	t.set(opSelectTyped, opSelectTyped, valTypes, 1)
	t.set(opLocalGet, opLocalTee, localIndex, 1)
	t.set(opGlobalGet, opGlobalSet, globalIndex, 1)
	t.set(opTableGet, opTableSet, tableIndex, 1)
	t.set(0x28, opLastStore, memArg, 1) // loads and stores
	t.set(opMemorySize, opMemorySize, memIndex, 1)
	t.set(opMemoryGrow, opMemoryGrow, memIndex, 1)
	t.set(opI32Const, opI32Const, const32, 1)
	t.set(opI64Const, opI64Const, const64, 1)
	t.set(opF32Const, opF32Const, bytes4, 1)
	t.set(opF64Const, opF64Const, bytes8, 1)
	t.set(0x45, 0xc4, plain, 1)          // comparisons, arithmetic, conversions
	t.set(0x6d, 0x70, plain, costDivide) // i32.div, i32.rem
	t.set(0x7f, 0x82, plain, costDivide) // i64.div, i64.rem
	t.set(0x91, 0x91, plain, costDivide) // f32.sqrt
	t.set(0x95, 0x95, plain, costDivide) // f32.div
	t.set(0x9f, 0x9f, plain, costDivide) // f64.sqrt
	t.set(0xa3, 0xa3, plain, costDivide) // f64.div
	t.set(opRefNull, opRefNull, refType, 1)
	t.set(opRefIsNull, opRefIsNull, plain, 1)
	t.set(opRefFunc, opRefFunc, funcIndex, costRefFunc)
	return t
}

func miscOpcodes() (t opcodeTable) {
	t.set(0x00, 0x07, plain, 2) // saturating truncations
	t.set(opMemoryInit&0xff, opMemoryInit&0xff, dataMem, costBulk)
	t.set(opDataDrop&0xff, opDataDrop&0xff, dataIndex, costBulk)
	t.set(opMemoryCopy&0xff, opMemoryCopy&0xff, memMem, costBulk)
	t.set(opMemoryFill&0xff, opMemoryFill&0xff, memIndex, costBulk)
	t.set(opTableInit&0xff, opTableInit&0xff, elemTable, costBulk)
	t.set(opElemDrop&0xff, opElemDrop&0xff, elemIndex, costBulk)
	t.set(opTableCopy&0xff, opTableCopy&0xff, tables2, costBulk)
	t.set(opTableGrow&0xff, opTableGrow&0xff, tableIndex, costBulk)
	t.set(opTableSize&0xff, opTableSize&0xff, tableIndex, 1)
	t.set(opTableFill&0xff, opTableFill&0xff, tableIndex, costBulk)
	return t
}

// simdOpcodes are those of wasm 2.0; the relaxed ones differ between machines
// and are refused.
func simdOpcodes() (t opcodeTable) {
	t.set(0x0e, 0xff, plain, 1)
	t.set(0x00, 0x0b, memArg, 1)
	t.set(0x0c, 0x0d, bytes16, 1) // v128.const, i8x16.shuffle
	t.set(0x15, 0x22, lane, 1)
	t.set(0x54, 0x5b, memArgLane, 1)
	t.set(0x5c, 0x5d, memArg, 1)
	for _, op := range []int{0xe3, 0xe7, 0xef, 0xf3} { // f32x4 and f64x2 sqrt, div
		t[op].cost = costDivide
	}
	for _, gap := range []int{
		0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb,
		0xc2, 0xc5, 0xc6, 0xcf, 0xd0, 0xd2, 0xd3, 0xd4, 0xe2, 0xee,
	} {
		t[gap] = opcode{}
	}
	return t
}

// refusal says what an illegal opcode is, where that helps.
func refusal(op uint32) string {
	switch {
	case op >= 0x06 && op <= 0x0a, op == 0x18, op == 0x19, op == 0x1f:
		return "exception handling is not supported"
	case op == 0x14, op == 0x15, op >= 0xd3 && op <= 0xd6:
		return "typed function references are not supported"
	case op == 0xfb:
		return "garbage-collected types are not supported"
	case op == 0xfe:
		return "threads and atomics are not supported"
	case op>>8 == opSIMD:
		return "relaxed SIMD and unknown vector instructions are not supported"
	}
	return "unknown instruction"
}
