package wasm

import (
	"fmt"
	"strings"

	"github.com/cloche-run/cloche/abi"
)

// Sections, https://webassembly.github.io/spec/core/binary/modules.html.
const (
	sectionCustom = iota
	sectionType
	sectionImport
	sectionFunction
	sectionTable
	sectionMemory
	sectionGlobal
	sectionExport
	sectionStart
	sectionElement
	sectionCode
	sectionData
	sectionDataCount
	sectionTag
	sectionCount
)

var sectionNames = [sectionCount]string{
	"custom", "type", "import", "function", "table", "memory", "global", "export",
	"start", "element", "code", "data", "data count", "tag",
}

// sectionOrder is the order in which a module holds its sections.
var sectionOrder = [...]int{
	sectionType, sectionImport, sectionFunction, sectionTable, sectionMemory, sectionGlobal,
	sectionExport, sectionStart, sectionElement, sectionDataCount, sectionCode, sectionData,
}

// Module is a module whose structure was read and found within its caps. It
// refers to the bytes it was read from: leave those alone as long as it is used.
type Module struct {
	bytes    []byte
	caps     Caps
	sections [sectionCount]span // of each section's content

	types     []functionType
	functions []uint32 // the type of each, imported ones first
	tables    []tableType
	memories  []limits
	globals   []globalType

	importedFunctions int
	pausing           []uint32 // imported functions
	main              int      // the exported _start, -1 for none
	elementCount      int
	dataCount         int // -1 if there is no data count section
	data              []segment
	bodies            []span
	declared          uint64 // locals of all functions
	growing           map[uint32]bool
	maxima            Maxima
}

// Maxima are the largest values that a module reached; the names are those of Caps.
type Maxima struct {
	Types, TypeValues, Imports, Functions, Globals, Exports, ElementItems, DataSegments uint64
	BodyBytes, Instructions, Locals, TotalLocals, Nesting, LoopNesting                  uint64
	Loops, Branches, TableTargets, TotalTargets                                         uint64
}

// Maxima says how near the module came to its caps.
func (m *Module) Maxima() Maxima { return m.maxima }

// Read reads a core module, WebAssembly 2.0 with tail calls and extended
// constant expressions (https://webassembly.github.io/spec/core/binary/). It
// trusts no count or length before it has seen the bytes for it, walks every
// instruction, and checks every index against the module's own spaces. Custom
// sections are passed over. It does not check types: an engine does, on the
// same bytes, before anything is rewritten.
//
// An error about the content is an *Error.
func Read(module []byte, caps Caps) (*Module, error) {
	if err := CheckHeader(module, caps.ModuleBytes); err != nil {
		return nil, err
	}
	m := &Module{bytes: module, caps: caps, dataCount: -1, main: -1}
	r := &reader{module: module, pos: 8, end: len(module), function: -1}
	if m.findSections(r); r.err != nil {
		return nil, r.err
	}
	for _, id := range sectionOrder {
		if err := m.readSection(id); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// findSections checks the order and the lengths of the sections.
func (m *Module) findSections(r *reader) {
	last := -1
	for r.left() > 0 && r.err == nil {
		start := r.pos
		id := int(r.byte())
		if id >= sectionCount {
			r.fail(start, "section %d is unknown", id)
			return
		}
		r.section = sectionNames[id]
		content := r.skip(uint64(r.u32()))
		if r.err != nil {
			return
		}
		switch place := placeOf(id); {
		case id == sectionCustom:
			inner := &reader{module: m.bytes, pos: content.start, end: content.end, section: r.section, function: -1}
			if inner.name(uint64(len(m.bytes))); inner.err != nil {
				r.err = inner.err
			}
		case id == sectionTag:
			r.fail(start, "exception handling is not supported")
		case place <= last:
			r.fail(start, "the section comes twice or too late")
		default:
			last = place
			m.sections[id] = content
		}
		r.section = ""
	}
}

func placeOf(id int) int {
	for place, other := range sectionOrder {
		if other == id {
			return place
		}
	}
	return -1
}

// reader returns a reader of a section's content.
func (m *Module) reader(id int) *reader {
	s := m.sections[id]
	return &reader{module: m.bytes, pos: s.start, end: s.end, section: sectionNames[id], function: -1}
}

func (m *Module) has(id int) bool { return m.sections[id].start > 0 }

// readSection reads a section to its end. An absent code or data section still
// has to agree with the counts of others.
func (m *Module) readSection(id int) error {
	r := m.reader(id)
	if m.has(id) {
		m.content(id, r)
		if r.err == nil && r.left() > 0 {
			r.fail(r.pos, "the section goes on for %d bytes after its end", r.left())
		}
	}
	switch {
	case r.err != nil:
	case id == sectionCode && len(m.bodies) != len(m.functions)-m.importedFunctions:
		r.fail(r.pos, "%d functions are declared, %d have a body", len(m.functions)-m.importedFunctions, len(m.bodies))
	case id == sectionData && m.dataCount >= 0 && m.dataCount != len(m.data):
		r.fail(r.pos, "there are %d data segments, the data count section says %d", len(m.data), m.dataCount)
	}
	if r.err != nil { // not the nil pointer as an error
		return r.err
	}
	return nil
}

func (m *Module) content(id int, r *reader) {
	switch id {
	case sectionType:
		m.readTypes(r)
	case sectionImport:
		m.readImports(r)
	case sectionFunction:
		m.readFunctions(r)
	case sectionTable:
		m.readTables(r)
	case sectionMemory:
		m.readMemories(r)
	case sectionGlobal:
		m.readGlobals(r)
	case sectionExport:
		m.readExports(r)
	case sectionStart:
		r.index("start function", len(m.functions))
	case sectionElement:
		m.elementCount, m.maxima.ElementItems = m.readElements(r, nil)
	case sectionDataCount:
		m.dataCount = int(r.u32())
		r.within(r.pos, "the number of data segments", uint64(m.dataCount), "DataSegments", m.caps.DataSegments)
	case sectionCode:
		m.readCode(r)
	case sectionData:
		m.readData(r)
	}
}

// reserved tells whether a name is kept for the host.
func reserved(name string) bool { return strings.HasPrefix(name, abi.ExportPrefix) }

func reservedMessage(what, name string) string {
	return fmt.Sprintf("%s %.100q: names that begin with %s are the host's", what, name, abi.ExportPrefix)
}
