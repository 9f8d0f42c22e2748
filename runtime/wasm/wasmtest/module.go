// Package wasmtest builds small WebAssembly modules for tests, byte by byte, so
// that a test can say exactly what it sends to an engine.
package wasmtest

import (
	"encoding/binary"
	"slices"
)

// Value types, https://webassembly.github.io/spec/core/binary/types.html.
const (
	I32 = 0x7f
	I64 = 0x7e
)

// Instructions that tests need.
const (
	Unreachable = 0x00
	Loop        = 0x03
	Br          = 0x0c
	Call        = 0x10
	Drop        = 0x1a
	MemoryGrow  = 0x40
	I32Const    = 0x41
	I64Const    = 0x42
	End         = 0x0b
	Void        = 0x40 // the block type without a result
)

// Module is a module to be. The zero value is the empty module.
type Module struct {
	types   [][]byte
	imports [][]byte
	funcs   [][]byte
	memory  []byte
	exports [][]byte
	start   []byte
	code    [][]byte
	data    [][]byte

	imported uint64
}

// Type adds a function type and returns its index.
func (m *Module) Type(params, results []byte) uint64 {
	m.types = append(m.types, slices.Concat([]byte{0x60}, vec(params), vec(results)))
	return uint64(len(m.types) - 1)
}

// Import adds an imported function and returns its index. Imports come before
// functions.
func (m *Module) Import(module, name string, params, results []byte) uint64 {
	m.imports = append(m.imports, slices.Concat(Name(module), Name(name), []byte{0}, Uint(m.Type(params, results))))
	m.imported++
	return m.imported - 1
}

// Func adds a function without locals and returns its index. body has no End.
func (m *Module) Func(params, results []byte, body ...byte) uint64 {
	m.funcs = append(m.funcs, Uint(m.Type(params, results)))
	m.code = append(m.code, vec(slices.Concat([]byte{0}, body, []byte{End})))
	return m.imported + uint64(len(m.funcs)-1)
}

// Memory defines the memory, in pages, without a maximum.
func (m *Module) Memory(min uint64) { m.memory = slices.Concat([]byte{0}, Uint(min)) }

// ExportFunc exports a function.
func (m *Module) ExportFunc(name string, index uint64) {
	m.exports = append(m.exports, slices.Concat(Name(name), []byte{0}, Uint(index)))
}

// ExportMemory exports the memory.
func (m *Module) ExportMemory(name string) {
	m.exports = append(m.exports, slices.Concat(Name(name), []byte{2, 0}))
}

// Start names the function that runs at instantiation.
func (m *Module) Start(index uint64) { m.start = Uint(index) }

// Data puts bytes into the memory at offset.
func (m *Module) Data(offset uint64, bytes string) {
	m.data = append(m.data, slices.Concat([]byte{0, I32Const}, Int(int64(offset)), []byte{End}, vec([]byte(bytes))))
}

// Bytes encodes the module.
func (m *Module) Bytes() []byte {
	out := []byte{0, 'a', 's', 'm', 1, 0, 0, 0}
	add := func(id byte, items [][]byte) {
		if len(items) > 0 {
			out = append(out, Section(id, slices.Concat(Uint(uint64(len(items))), slices.Concat(items...)))...)
		}
	}
	add(1, m.types)
	add(2, m.imports)
	add(3, m.funcs)
	if m.memory != nil {
		add(5, [][]byte{m.memory})
	}
	add(7, m.exports)
	if m.start != nil {
		out = append(out, Section(8, m.start)...)
	}
	add(10, m.code)
	add(11, m.data)
	return out
}

// Section frames content.
func Section(id byte, content []byte) []byte { return slices.Concat([]byte{id}, vec(content)) }

// Name encodes a name.
func Name(s string) []byte { return vec([]byte(s)) }

// Uint encodes n as unsigned LEB128.
func Uint(n uint64) []byte { return binary.AppendUvarint(nil, n) }

// Int encodes n as signed LEB128.
func Int(n int64) (out []byte) {
	for {
		b := byte(n & 0x7f)
		n >>= 7
		if n == 0 && b&0x40 == 0 || n == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}

func vec(b []byte) []byte { return append(Uint(uint64(len(b))), b...) }
