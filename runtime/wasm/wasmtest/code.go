package wasmtest

import (
	"encoding/binary"
	"math"
	"slices"
)

// More instructions, https://webassembly.github.io/spec/core/appendix/index-instructions.html.
const (
	Block              = 0x02
	If                 = 0x04
	Else               = 0x05
	BrIf               = 0x0d
	BrTable            = 0x0e
	Return             = 0x0f
	CallIndirect       = 0x11
	ReturnCall         = 0x12
	ReturnCallIndirect = 0x13
	LocalGet           = 0x20
	LocalSet           = 0x21
	LocalTee           = 0x22
	GlobalGet          = 0x23
	GlobalSet          = 0x24
	TableGet           = 0x25
	I32Load            = 0x28
	I32Store           = 0x36
	I64Store           = 0x37
	MemorySize         = 0x3f
	F64Const           = 0x44
	I32Eqz             = 0x45
	I32Add             = 0x6a
	I32Sub             = 0x6b
	I32DivS            = 0x6d
	I32DivU            = 0x6e
	I32RemS            = 0x6f
	I32And             = 0x71
	I64Add             = 0x7c
	I64DivS            = 0x7f
	F64Add             = 0xa0
	F64Mul             = 0xa2
	F64Sqrt            = 0x9f
	I32TruncF64S       = 0xaa
	RefNull            = 0xd0
	RefFunc            = 0xd2
	Vector             = 0xfd // prefix
)

// Instructions behind the prefix 0xfc.
const (
	MemoryInit = 0x08
	DataDrop   = 0x09
	MemoryCopy = 0x0a
	MemoryFill = 0x0b
	TableInit  = 0x0c
	ElemDrop   = 0x0d
	TableCopy  = 0x0e
	TableGrow  = 0x0f
	TableFill  = 0x11
)

// Code is instructions, written from left to right: each method returns the code
// with something more at its end.
type Code []byte

// Op adds bytes as they are.
func (c Code) Op(bytes ...byte) Code { return append(slices.Clip(c), bytes...) }

// Then adds other code.
func (c Code) Then(more ...[]byte) Code { return c.Op(slices.Concat(more...)...) }

// Index adds an instruction with unsigned operands.
func (c Code) Index(op byte, operands ...uint64) Code {
	c = c.Op(op)
	for _, n := range operands {
		c = append(c, Uint(n)...)
	}
	return c
}

// Misc adds an instruction behind the prefix 0xfc.
func (c Code) Misc(op byte, operands ...uint64) Code {
	return c.Op(0xfc).Index(op, operands...)
}

// I32 adds constants. What is above the signed range wraps around.
func (c Code) I32(values ...int64) Code {
	for _, n := range values {
		c = c.Op(I32Const).Op(Int(int64(int32(uint32(n))))...)
	}
	return c
}

// I64 adds a constant.
func (c Code) I64(n int64) Code { return c.Op(I64Const).Op(Int(n)...) }

// F64 adds a constant.
func (c Code) F64(f float64) Code {
	return c.Op(F64Const).Op(binary.LittleEndian.AppendUint64(nil, math.Float64bits(f))...)
}

// Call adds a call.
func (c Code) Call(function uint64) Code { return c.Index(Call, function) }

// Block adds a block without values; Loop and If do as much for theirs.
func (c Code) Block(body Code) Code { return c.Op(Block, Void).Then(body).Op(End) }

// Loop adds a loop.
func (c Code) Loop(body Code) Code { return c.Op(Loop, Void).Then(body).Op(End) }

// If adds an if without an else.
func (c Code) If(body Code) Code { return c.Op(If, Void).Then(body).Op(End) }

// Forever adds a loop that does not end.
func (c Code) Forever(body Code) Code { return c.Loop(body.Index(Br, 0)) }

// Repeat adds body n times.
func (c Code) Repeat(n int, body Code) Code { return c.Op(slices.Repeat(body, n)...) }

// Load adds an i32.load from a constant address, Store an i32.store to one.
func (c Code) Load(address int64) Code { return c.I32(address).Index(I32Load, 2, 0) }

// Store adds an i32.store of a constant.
func (c Code) Store(address, value int64) Code { return c.I32(address, value).Index(I32Store, 2, 0) }
