package wasm

import (
	"slices"

	"github.com/cloche-run/cloche/abi"
)

// The smallest entries of each section, in bytes: what a claimed count must find.
const (
	minType    = 3 // form, two empty vectors
	minImport  = 4 // two empty names, kind, index
	minTable   = 3 // type, flags, minimum
	minGlobal  = 5 // type, mutability, ref.null, end
	minExport  = 3 // an empty name, kind, index
	minElement = 2 // flags 5: type, an empty vector
	minItem    = 1 // a function index
	minBody    = 3 // length, no locals, end
	minData    = 2 // flags 1, an empty vector
)

// Kinds of imports and exports.
const (
	kindFunction = iota
	kindTable
	kindMemory
	kindGlobal
	kindTag
)

func (m *Module) readTypes(r *reader) {
	n := r.count("the number of types", "Types", m.caps.Types, minType)
	m.maxima.Types = uint64(n)
	for ; n > 0 && r.err == nil; n-- {
		start := r.pos
		t := m.functionType(r)
		m.types = append(m.types, t)
		m.maxima.TypeValues += uint64(t.params.length() + t.results.length())
		r.within(start, "the number of all types' parameters and results", m.maxima.TypeValues, "TypeValues", m.caps.TypeValues)
	}
}

func (m *Module) readImports(r *reader) {
	n := r.count("the number of imports", "Imports", m.caps.Imports, minImport)
	m.maxima.Imports = uint64(n)
	for ; n > 0 && r.err == nil; n-- {
		start := r.pos
		module := r.name(m.caps.NameBytes)
		name := r.name(m.caps.NameBytes)
		if r.err == nil && reserved(module) {
			r.fail(start, "%s", reservedMessage("import from", module))
			return
		}
		if m.readImport(r) == kindFunction && module == abi.ModuleWASI && slices.Contains(pausing[:], name) {
			m.pausing = append(m.pausing, uint32(m.importedFunctions-1))
		}
	}
}

func (m *Module) readImport(r *reader) (kind byte) {
	start := r.pos
	switch kind = r.byte(); kind {
	case kindFunction:
		m.addFunction(r)
		m.importedFunctions++
	case kindTable:
		t := r.tableType()
		t.imported = true
		m.addTable(r, start, t)
	case kindMemory:
		m.addMemory(r, start)
	case kindGlobal:
		g := r.globalType()
		g.imported = true
		m.globals = append(m.globals, g)
	case kindTag:
		r.fail(start, "exception handling is not supported")
	default:
		r.fail(start, "import kind %d is unknown", kind)
	}
	return kind
}

func (m *Module) addFunction(r *reader) {
	m.functions = append(m.functions, r.index("type", len(m.types)))
}

// addTable counts a table in; the sizes of all together are capped.
func (m *Module) addTable(r *reader, start int, t tableType) {
	m.tables = append(m.tables, t)
	var entries uint64
	for _, t := range m.tables {
		entries += uint64(t.min)
	}
	r.within(start, "the number of tables", uint64(len(m.tables)), "Tables", m.caps.Tables)
	r.within(start, "the size of all tables", entries, "TableEntries", m.caps.TableEntries)
}

// maxMemoryPages is the largest linear memory there can be: 4 GiB.
const maxMemoryPages = 65_536

func (m *Module) addMemory(r *reader, start int) {
	l := r.limits("memory")
	m.memories = append(m.memories, l)
	if r.err == nil && (l.min > maxMemoryPages || l.max > maxMemoryPages) {
		r.fail(start, "a memory of more than %d pages", maxMemoryPages)
	}
	m.oneMemory(r, start, len(m.memories))
	r.within(start, "the initial memory, in pages,", uint64(l.min), "MemoryPages", m.caps.MemoryPages)
}

func (m *Module) readFunctions(r *reader) {
	start := r.pos
	n := r.count("the number of functions", "Functions", m.caps.Functions, 1)
	r.within(start, "the number of functions, with imports,", uint64(n+m.importedFunctions), "Functions", m.caps.Functions)
	for ; n > 0 && r.err == nil; n-- {
		m.addFunction(r)
	}
	m.maxima.Functions = uint64(len(m.functions))
}

func (m *Module) readTables(r *reader) {
	n := r.count("the number of tables", "Tables", m.caps.Tables, minTable)
	for ; n > 0 && r.err == nil; n-- {
		start := r.pos
		m.addTable(r, start, r.tableType())
	}
}

func (m *Module) readMemories(r *reader) {
	start := r.pos
	n := r.u32()
	for m.oneMemory(r, start, int(n)); n > 0 && r.err == nil; n-- {
		m.addMemory(r, r.pos)
	}
}

func (m *Module) oneMemory(r *reader, offset, count int) {
	if r.err == nil && count > 1 {
		r.fail(offset, "there are %d memories: multiple memories are not supported", count)
	}
}

func (m *Module) readGlobals(r *reader) {
	start := r.pos
	n := r.count("the number of globals", "Globals", m.caps.Globals, minGlobal)
	r.within(start, "the number of globals, with imports,", uint64(n+len(m.globals)), "Globals", m.caps.Globals)
	for ; n > 0 && r.err == nil; n-- {
		g := r.globalType()
		if init := m.constant(r, nil); !g.mutable {
			g.init = init
		}
		m.globals = append(m.globals, g)
	}
	m.maxima.Globals = uint64(len(m.globals))
}

func (m *Module) readExports(r *reader) {
	n := r.count("the number of exports", "Exports", m.caps.Exports, minExport)
	m.maxima.Exports = uint64(n)
	seen := map[string]bool{}
	for ; n > 0 && r.err == nil; n-- {
		start := r.pos
		name := r.name(m.caps.NameBytes)
		kind, index := m.exportedIndex(r)
		if kind == kindFunction && name == abi.ExportStart && r.err == nil {
			if t := m.types[m.functions[index]]; t.params.length()+t.results.length() == 0 {
				m.main = int(index)
			}
		}
		switch {
		case r.err != nil:
		case reserved(name):
			r.fail(start, "%s", reservedMessage("export", name))
		case seen[name]:
			r.fail(start, "export %.100q comes twice", name)
		}
		seen[name] = true
	}
}

// exportedIndex reads what an export names.
func (m *Module) exportedIndex(r *reader) (kind byte, index uint32) {
	start := r.pos
	switch kind = r.byte(); kind {
	case kindFunction:
		index = r.index("function", len(m.functions))
	case kindTable:
		index = r.index("table", len(m.tables))
	case kindMemory:
		index = r.index("memory", len(m.memories))
	case kindGlobal:
		index = r.index("global", len(m.globals))
	case kindTag:
		r.fail(start, "exception handling is not supported")
	default:
		r.fail(start, "export kind %d is unknown", kind)
	}
	return kind, index
}
