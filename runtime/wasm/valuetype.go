package wasm

// Encodings of types, https://webassembly.github.io/spec/core/binary/types.html.
const (
	typeI32       = 0x7f
	typeI64       = 0x7e
	typeF32       = 0x7d
	typeF64       = 0x7c
	typeV128      = 0x7b
	typeFuncref   = 0x70
	typeExternref = 0x6f
	voidType      = 0x40
	funcType      = 0x60
)

func isValueType(b byte) bool {
	return b >= typeV128 && b <= typeI32 || b == typeFuncref || b == typeExternref
}

// signatureOf is a function type: the bytes of its parameters and results.
type functionType struct {
	all, params, results span
}

// tableType is a table; limits are in entries.
type tableType struct {
	element byte
	limits
	imported bool
}

// limits of a table or a memory.
type limits struct {
	min, max uint32
	hasMax   bool
}

type globalType struct {
	value    byte
	mutable  bool
	imported bool
	init     known // the value, of one that cannot change
}

func (r *reader) peek() byte {
	if r.pos >= r.end {
		r.fail(r.pos, "unexpected end")
		return 0
	}
	return r.module[r.pos]
}

func (r *reader) valueType() byte {
	start := r.pos
	b := r.byte()
	if !isValueType(b) && r.err == nil {
		r.fail(start, "value type %#x: only the types of WebAssembly 2.0 are supported", b)
	}
	return b
}

func (r *reader) refType() byte {
	start := r.pos
	b := r.byte()
	if b != typeFuncref && b != typeExternref && r.err == nil {
		r.fail(start, "reference type %#x: only funcref and externref are supported", b)
	}
	return b
}

// limits reads the limits of what, a table or a memory.
func (r *reader) limits(what string) (l limits) {
	start := r.pos
	switch flags := r.byte(); flags {
	case 0:
		l.min = r.u32()
	case 1:
		l.min, l.max, l.hasMax = r.u32(), r.u32(), true
	case 2, 3:
		r.fail(start, "a shared %s: threads are not supported", what)
	case 4, 5, 6, 7:
		r.fail(start, "a 64-bit %s is not supported", what)
	default:
		r.fail(start, "limits of a %s begin with %#x", what, flags)
	}
	if l.hasMax && l.min > l.max && r.err == nil {
		r.fail(start, "the minimum of a %s, %d, is above its maximum, %d", what, l.min, l.max)
	}
	return l
}

func (r *reader) tableType() tableType {
	return tableType{element: r.refType(), limits: r.limits("table")}
}

func (r *reader) globalType() globalType {
	g := globalType{value: r.valueType()}
	start := r.pos
	mutable := r.byte()
	if mutable > 1 && r.err == nil {
		r.fail(start, "the mutability of a global is %#x", mutable)
	}
	g.mutable = mutable == 1
	return g
}

func (m *Module) functionType(r *reader) functionType {
	t := functionType{all: span{start: r.pos}}
	if form := r.byte(); form != funcType && r.err == nil {
		r.fail(t.all.start, "type form %#x: only function types are supported", form)
	}
	t.params = valueTypes(r, "the number of parameters", "Params", m.caps.Params)
	t.results = valueTypes(r, "the number of results", "Results", m.caps.Results)
	t.all.end = r.pos
	return t
}

func valueTypes(r *reader, what, name string, limit uint64) span {
	n := r.count(what, name, limit, 1)
	s := span{start: r.pos}
	for ; n > 0 && r.err == nil; n-- {
		r.valueType()
	}
	s.end = r.pos
	return s
}
