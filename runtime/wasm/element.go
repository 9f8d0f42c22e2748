package wasm

// Flags of an element segment,
// https://webassembly.github.io/spec/core/binary/modules.html#element-section.
const (
	elementNotActive   = 1 // passive or declarative
	elementExplicit    = 2 // active: names its table; else: declarative
	elementExpressions = 4 // items are expressions, not function indices
	elementFlags       = 8
)

// visitor is told of what it may want to change in a section, in order.
type visitor interface {
	// function is a function index, encoded in s.
	function(index uint32, s span)
}

// readElements reads all element segments, in all eight forms, and returns how
// many there are and how many items they have; v may be nil.
func (m *Module) readElements(r *reader, v visitor) (segments int, items uint64) {
	segments = r.count("the number of element segments", "Elements", m.caps.Elements, minElement)
	for n := segments; n > 0 && r.err == nil; n-- {
		items += m.readElement(r, v)
		r.within(r.pos, "the number of all element segments' items", items, "ElementItems", m.caps.ElementItems)
	}
	return segments, items
}

func (m *Module) readElement(r *reader, v visitor) (items uint64) {
	start := r.pos
	flags := r.u32()
	if flags >= elementFlags && r.err == nil {
		r.fail(start, "flags %#x of an element segment are unknown", flags)
		return 0
	}
	active := flags&elementNotActive == 0
	var table uint32
	var offset known
	if active {
		if flags&elementExplicit != 0 {
			table = r.index("table", len(m.tables))
		} else if len(m.tables) == 0 && r.err == nil {
			r.fail(start, "an element segment needs a table, there is none")
		}
		offset = m.constant(r, v)
	}
	if !active || flags&elementExplicit != 0 {
		m.elementKind(r, flags&elementExpressions != 0)
	}
	items = m.elementItems(r, flags&elementExpressions != 0, v)
	if offset.is && r.err == nil {
		m.fits(r, start, m.tables[table], uint64(offset.value), items)
	}
	return items
}

// fits refuses an active segment that would have to trap when it is put into its
// table: wazero passes over it.
func (m *Module) fits(r *reader, start int, t tableType, offset, items uint64) {
	if end := offset + items; end > uint64(t.min) && !t.imported {
		r.fail(start, "an element segment fills entries %d to %d of a table of %d", offset, end, t.min)
	}
}

// elementKind reads the type of the items, in one of its two encodings.
func (m *Module) elementKind(r *reader, expressions bool) {
	if expressions {
		r.refType()
		return
	}
	start := r.pos
	if kind := r.byte(); kind != 0 && r.err == nil {
		r.fail(start, "element kind %#x is unknown", kind)
	}
}

func (m *Module) elementItems(r *reader, expressions bool, v visitor) uint64 {
	items := r.count("the number of an element segment's items", "ElementItems", m.caps.ElementItems, minItem)
	for n := items; n > 0 && r.err == nil; n-- {
		if expressions {
			m.constant(r, v)
			continue
		}
		start := r.pos
		index := r.index("function", len(m.functions))
		if v != nil && r.err == nil {
			v.function(index, span{start, r.pos})
		}
	}
	return uint64(items)
}
