// Package wasmtest builds small WebAssembly modules for tests, byte by byte, so
// that a test can say exactly what it sends to an engine.
package wasmtest

import (
	"encoding/binary"
	"slices"
)

// Value types, https://webassembly.github.io/spec/core/binary/types.html.
const (
	I32     = 0x7f
	I64     = 0x7e
	F64     = 0x7c
	V128    = 0x7b
	FuncRef = 0x70
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
	types    [][]byte
	imports  [][]byte
	funcs    [][]byte
	tables   [][]byte
	memory   []byte
	globals  [][]byte
	exports  [][]byte
	start    []byte
	elements [][]byte
	code     [][]byte
	data     [][]byte
	counted  bool // there is a data count section
	raw      map[byte][]byte
	custom   []byte

	typeOf   map[string]uint64
	imported uint64
}

// Type adds a function type, unless there is one like it, and returns its index.
func (m *Module) Type(params, results []byte) uint64 {
	t := slices.Concat([]byte{0x60}, vec(params), vec(results))
	index, ok := m.typeOf[string(t)]
	if !ok {
		if m.typeOf == nil {
			m.typeOf = map[string]uint64{}
		}
		index = uint64(len(m.types))
		m.typeOf[string(t)] = index
		m.types = append(m.types, t)
	}
	return index
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
	return m.FuncLocals(params, results, nil, body)
}

// Locals are local variables of one type.
type Locals struct {
	Count uint64
	Type  byte
}

// FuncLocals adds a function and returns its index. body has no End.
func (m *Module) FuncLocals(params, results []byte, locals []Locals, body []byte) uint64 {
	m.funcs = append(m.funcs, Uint(m.Type(params, results)))
	declared := Uint(uint64(len(locals)))
	for _, l := range locals {
		declared = append(append(declared, Uint(l.Count)...), l.Type)
	}
	m.code = append(m.code, vec(slices.Concat(declared, body, []byte{End})))
	return m.imported + uint64(len(m.funcs)-1)
}

// Table defines a table of functions, max 0 meaning no maximum, and returns its
// index.
func (m *Module) Table(min, max uint64) uint64 {
	limits := slices.Concat([]byte{FuncRef, 0}, Uint(min))
	if max > 0 {
		limits = slices.Concat([]byte{FuncRef, 1}, Uint(min), Uint(max))
	}
	m.tables = append(m.tables, limits)
	return uint64(len(m.tables) - 1)
}

// Memory defines the memory, in pages, without a maximum.
func (m *Module) Memory(min uint64) { m.memory = slices.Concat([]byte{0}, Uint(min)) }

// Global defines a variable that begins as the constant expression init, which
// has no End, and returns its index.
func (m *Module) Global(valueType byte, init []byte) uint64 {
	m.globals = append(m.globals, slices.Concat([]byte{valueType, 1}, init, []byte{End}))
	return uint64(len(m.globals) - 1)
}

// Kinds of what a module exports.
const (
	KindFunc = iota
	KindTable
	KindMemory
	KindGlobal
)

// Export exports the index of some kind.
func (m *Module) Export(name string, kind byte, index uint64) {
	m.exports = append(m.exports, slices.Concat(Name(name), []byte{kind}, Uint(index)))
}

// ExportFunc exports a function.
func (m *Module) ExportFunc(name string, index uint64) { m.Export(name, KindFunc, index) }

// ExportMemory exports the memory.
func (m *Module) ExportMemory(name string) { m.Export(name, KindMemory, 0) }

// Start names the function that runs at instantiation.
func (m *Module) Start(index uint64) { m.start = Uint(index) }

// Element puts functions into the first table at offset.
func (m *Module) Element(offset uint64, functions ...uint64) {
	m.elements = append(m.elements, slices.Concat([]byte{0, I32Const}, Int(int64(offset)), []byte{End}, indices(functions)))
}

// PassiveElement adds a segment for table.init.
func (m *Module) PassiveElement(functions ...uint64) {
	m.elements = append(m.elements, slices.Concat([]byte{1, 0}, indices(functions)))
}

func indices(list []uint64) []byte {
	out := Uint(uint64(len(list)))
	for _, n := range list {
		out = append(out, Uint(n)...)
	}
	return out
}

// Data puts bytes into the memory at offset.
func (m *Module) Data(offset uint64, bytes string) {
	m.data = append(m.data, slices.Concat([]byte{0, I32Const}, Int(int64(offset)), []byte{End}, vec([]byte(bytes))))
}

// PassiveData adds a segment for memory.init.
func (m *Module) PassiveData(bytes string) {
	m.data = append(m.data, slices.Concat([]byte{1}, vec([]byte(bytes))))
	m.counted = true
}

// Raw makes content the content of a section, whatever else was put into it.
func (m *Module) Raw(id byte, content ...byte) {
	if m.raw == nil {
		m.raw = map[byte][]byte{}
	}
	m.raw[id] = content
}

// Custom adds a custom section at the end.
func (m *Module) Custom(name string, content ...byte) {
	m.custom = append(m.custom, Section(0, slices.Concat(Name(name), content))...)
}

// Sections by their ids, in the order in which a module holds them.
const (
	SectionType      = 1
	SectionImport    = 2
	SectionFunction  = 3
	SectionTable     = 4
	SectionMemory    = 5
	SectionGlobal    = 6
	SectionExport    = 7
	SectionStart     = 8
	SectionElement   = 9
	SectionDataCount = 12
	SectionCode      = 10
	SectionData      = 11
)

// Bytes encodes the module.
func (m *Module) Bytes() []byte {
	out := []byte{0, 'a', 's', 'm', 1, 0, 0, 0}
	put := func(id byte, content []byte) {
		if raw, ok := m.raw[id]; ok {
			content = raw
		}
		if content != nil {
			out = append(out, Section(id, content)...)
		}
	}
	list := func(id byte, items [][]byte) {
		if len(items) == 0 {
			put(id, nil)
			return
		}
		put(id, slices.Concat(Uint(uint64(len(items))), slices.Concat(items...)))
	}
	list(SectionType, m.types)
	list(SectionImport, m.imports)
	list(SectionFunction, m.funcs)
	list(SectionTable, m.tables)
	if m.memory != nil {
		list(SectionMemory, [][]byte{m.memory})
	} else {
		put(SectionMemory, nil)
	}
	list(SectionGlobal, m.globals)
	list(SectionExport, m.exports)
	put(SectionStart, m.start)
	list(SectionElement, m.elements)
	if m.counted {
		put(SectionDataCount, Uint(uint64(len(m.data))))
	} else {
		put(SectionDataCount, nil)
	}
	list(SectionCode, m.code)
	list(SectionData, m.data)
	return append(out, m.custom...)
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
