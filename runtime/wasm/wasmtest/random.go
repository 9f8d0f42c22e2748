package wasmtest

import "slices"

// RandomFunctions is how many functions a random program has, exported as "f0",
// "f1" and so on.
const RandomFunctions = 5

// Random turns bytes into a valid module: structured control flow of every kind
// with values on every label, calls, bulk operations, growth, traps. It has a
// memory "memory", globals "g0" and "g1" and RandomFunctions functions. It may
// run for ever.
func Random(entropy []byte) []byte {
	g := &random{entropy: entropy, left: 600}
	return g.module()
}

// signature is a function's type.
type signature struct{ params, results []byte }

type random struct {
	entropy []byte
	left    int // instructions that may still be made, about
	types   [][]byte
	code    []byte
	locals  []byte   // types of the current function's
	labels  [][]byte // what a branch to each open block takes, outermost first
	self    signature
	sigs    []signature
}

var numeric = []byte{I32, I64, F64}

// pick chooses below n; when the entropy has run out, the simplest.
func (g *random) pick(n int) int {
	if len(g.entropy) == 0 || n <= 1 {
		return 0
	}
	b := g.entropy[0]
	g.entropy = g.entropy[1:]
	return int(b) % n
}

func (g *random) valueTypes(atMost int) (out []byte) {
	for range g.pick(atMost + 1) {
		out = append(out, numeric[g.pick(len(numeric))])
	}
	return out
}

func (g *random) typeIndex(params, results []byte) uint64 {
	t := slices.Concat([]byte{0x60}, vec(params), vec(results))
	for i, other := range g.types {
		if slices.Equal(t, other) {
			return uint64(i)
		}
	}
	g.types = append(g.types, t)
	return uint64(len(g.types) - 1)
}

func (g *random) emit(parts ...[]byte) { g.code = append(g.code, slices.Concat(parts...)...) }
func (g *random) op(bytes ...byte)     { g.emit(bytes) }

const (
	dataBytes    = 40
	tableEntries = 8
)

func (g *random) module() []byte {
	for range RandomFunctions {
		g.sigs = append(g.sigs, signature{g.valueTypes(3), g.valueTypes(3)})
	}
	// The last one is always callable and simple: the fallback for tail calls.
	var functions, bodies, exports [][]byte
	for i, s := range g.sigs {
		functions = append(functions, Uint(g.typeIndex(s.params, s.results)))
		bodies = append(bodies, vec(g.body(s)))
		exports = append(exports, slices.Concat(Name("f"+string(rune('0'+i))), []byte{0}, Uint(uint64(i))))
	}
	exports = append(exports,
		slices.Concat(Name("memory"), []byte{2, 0}),
		slices.Concat(Name("g0"), []byte{3, 0}), slices.Concat(Name("g1"), []byte{3, 1}))
	data := make([]byte, dataBytes)
	for i := range data {
		data[i] = byte(i + 1)
	}
	section := func(id byte, items ...[]byte) []byte {
		return Section(id, slices.Concat(Uint(uint64(len(items))), slices.Concat(items...)))
	}
	return slices.Concat([]byte{0, 'a', 's', 'm', 1, 0, 0, 0},
		section(1, g.types...),
		section(3, functions...),
		section(4, []byte{FuncRef, 1, tableEntries, 2 * tableEntries}),
		section(5, []byte{1, 1, 3}),
		section(6, []byte{I32, 1, I32Const, 5, End}, []byte{I64, 1, I64Const, 7, End}),
		section(7, exports...),
		section(9,
			slices.Concat([]byte{0, I32Const, 1, End}, []byte{RandomFunctions, 0, 1, 2, 3, 4}),
			[]byte{5, FuncRef, 3, 0xd2, 1, End, 0xd0, FuncRef, End, 0xd2, 0, End}),
		Section(12, []byte{2}),
		section(10, bodies...),
		section(11, slices.Concat([]byte{1}, vec(data)), slices.Concat([]byte{0, I32Const, 9, End}, vec(data))))
}

func (g *random) body(s signature) []byte {
	declared := []byte{I32, I64, F64, I32}
	g.self, g.locals, g.code = s, slices.Concat(s.params, declared), nil
	g.labels = [][]byte{s.results}
	g.statements(6)
	g.values(s.results, 3)
	g.op(End)
	locals := []byte{4, 1, I32, 1, I64, 1, F64, 1, I32}
	return append(locals, g.code...)
}

func (g *random) statements(depth int) {
	for range g.pick(5) {
		g.statement(depth)
	}
}

func (g *random) values(types []byte, depth int) {
	for _, t := range types {
		g.value(t, depth)
	}
}

func (g *random) drop(n int) {
	for range n {
		g.op(Drop)
	}
}

// block writes a block of some kind around what inside writes.
func (g *random) block(kind byte, params, results, branch []byte, inside func()) {
	g.op(kind)
	switch {
	case len(params) == 0 && len(results) == 0:
		g.op(Void)
	case len(params) == 0 && len(results) == 1:
		g.op(results[0])
	default:
		g.emit(Int(int64(g.typeIndex(params, results))))
	}
	g.labels = append(g.labels, branch)
	inside()
	g.labels = g.labels[:len(g.labels)-1]
	g.op(End)
}

func (g *random) statement(depth int) {
	g.left--
	if g.left < 0 || depth == 0 {
		return
	}
	d := depth - 1
	switch g.pick(24) {
	case 0, 1:
		i := g.pick(len(g.locals))
		g.value(g.locals[i], d)
		g.emit([]byte{0x21}, Uint(uint64(i)))
	case 2:
		i := g.pick(2)
		g.value([]byte{I32, I64}[i], d)
		g.op(0x24, byte(i))
	case 3:
		g.value(I32, d)
		g.value(I64, d)
		g.op(0x37, 0, byte(g.pick(100))) // i64.store
	case 4:
		g.block(0x02, nil, nil, nil, func() { g.statements(d) })
	case 5, 6:
		g.block(Loop, nil, nil, nil, func() {
			g.statements(d)
			g.value(I32, d)
			g.op(0x0d, 0)
		})
	case 7, 8:
		g.value(I32, d)
		g.block(0x04, nil, nil, nil, func() {
			g.statements(d)
			if g.pick(2) == 1 {
				g.op(0x05)
				g.statements(d)
			}
		})
	case 9, 10:
		g.branch(0x0d, d)
	case 11:
		g.branch(Br, d)
	case 12:
		g.branchTable(d)
	case 13:
		g.values(g.self.results, d)
		g.op(0x0f)
	case 14:
		i := g.pick(len(g.sigs))
		g.values(g.sigs[i].params, d)
		g.op(Call, byte(i))
		g.drop(len(g.sigs[i].results))
	case 15:
		g.tailCall(d)
	case 16, 17, 18:
		g.bulk(d)
	case 19:
		g.value(I32, d)
		g.op(0x26-1, 0, Drop) // table.get
	case 20:
		params, results := g.valueTypes(2), g.valueTypes(3)
		g.values(params, d)
		g.block(0x02, params, results, results, func() {
			g.drop(len(params))
			g.statements(d)
			g.values(results, d)
		})
		g.drop(len(results))
	case 21: // a loop with parameters
		params := g.valueTypes(2)
		g.values(params, d)
		g.block(Loop, params, params, params, func() {
			g.statements(d)
			g.value(I32, d)
			g.op(0x0d, 0)
		})
		g.drop(len(params))
	case 22: // a loop that leaves values
		results := g.valueTypes(3)
		g.block(Loop, nil, results, nil, func() {
			g.statements(d)
			g.values(results, d)
		})
		g.drop(len(results))
	case 23:
		if g.pick(8) == 7 {
			g.op(Unreachable)
		}
	}
}

// branch to any open label, conditionally or not.
func (g *random) branch(op byte, depth int) {
	label := g.pick(len(g.labels))
	types := g.labels[len(g.labels)-1-label]
	g.values(types, depth)
	if op == 0x0d {
		g.value(I32, depth)
	}
	g.op(op, byte(label))
	if op == 0x0d {
		g.drop(len(types))
	}
}

func (g *random) branchTable(depth int) {
	first := g.pick(len(g.labels))
	types := g.labels[len(g.labels)-1-first]
	targets := []byte{byte(first)}
	for label := range g.labels {
		if slices.Equal(g.labels[len(g.labels)-1-label], types) && g.pick(2) == 1 {
			targets = append(targets, byte(label))
		}
	}
	g.values(types, depth)
	g.value(I32, depth)
	g.op(0x0e, byte(len(targets)-1))
	g.op(targets...)
}

func (g *random) tailCall(depth int) {
	i := g.pick(len(g.sigs))
	if !slices.Equal(g.sigs[i].results, g.self.results) {
		return
	}
	g.values(g.sigs[i].params, depth)
	if g.pick(2) == 1 {
		g.value(I32, depth)
		g.emit([]byte{0x13}, Uint(g.typeIndex(g.sigs[i].params, g.sigs[i].results)), []byte{0})
		return
	}
	g.op(0x12, byte(i))
}

func (g *random) bulk(depth int) {
	length := func() {
		if g.pick(2) == 1 {
			g.emit([]byte{I32Const}, Int(int64(g.pick(64))))
		} else {
			g.value(I32, depth)
		}
	}
	switch g.pick(9) {
	case 0:
		g.values([]byte{I32, I32}, depth)
		length()
		g.op(0xfc, 11, 0)
	case 1:
		g.values([]byte{I32, I32}, depth)
		length()
		g.op(0xfc, 10, 0, 0)
	case 2, 3:
		g.values([]byte{I32}, depth)
		g.emit([]byte{I32Const}, Int(int64(g.pick(16))))
		length()
		g.pick(2)           // was which segment; seeds stay what they are
		g.op(0xfc, 8, 0, 0) // the passive one: wazero does not drop the other, as it must
	case 4:
		if g.pick(8) == 7 {
			g.op(0xfc, 9, 0)
		}
	case 5: // small tables: the ranges must be small to fit
		g.emit([]byte{I32Const}, Int(int64(g.pick(tableEntries))), []byte{I32Const}, Int(int64(g.pick(3))))
		length()
		g.op(0xfc, 12, 1, 0)
	case 6:
		g.emit([]byte{I32Const}, Int(int64(g.pick(tableEntries))), []byte{I32Const}, Int(int64(g.pick(tableEntries))))
		g.emit([]byte{I32Const}, Int(int64(g.pick(4))))
		g.op(0xfc, 14, 0, 0)
	case 7:
		g.op(0xd2, byte(g.pick(2)))
		length()
		g.op(0xfc, 15, 0, Drop)
	case 8:
		g.emit([]byte{I32Const}, Int(int64(g.pick(tableEntries))))
		g.op(0xd0, FuncRef)
		length()
		g.op(0xfc, 17, 0)
	}
}

// value writes an expression of type t.
func (g *random) value(t byte, depth int) {
	g.left--
	if g.left < 0 || depth <= 0 {
		g.constant(t)
		return
	}
	d := depth - 1
	switch g.pick(14) {
	case 0, 1:
		g.constant(t)
	case 2, 3:
		for i, local := range g.locals {
			if local == t && g.pick(2) == 0 {
				g.emit([]byte{0x20}, Uint(uint64(i)))
				return
			}
		}
		g.constant(t)
	case 4, 5:
		g.value(t, d)
		g.value(t, d)
		g.op(g.binary(t))
	case 6:
		g.convert(t, d)
	case 7:
		g.value(I32, d)
		g.op(map[byte]byte{I32: 0x28, I64: 0x29, F64: 0x2b}[t], 0, byte(g.pick(100)))
	case 8:
		for i, s := range g.sigs {
			if slices.Equal(s.results, []byte{t}) {
				g.values(s.params, d)
				if g.pick(2) == 1 {
					g.value(I32, d)
					g.emit([]byte{0x11}, Uint(g.typeIndex(s.params, s.results)), []byte{0})
				} else {
					g.op(Call, byte(i))
				}
				return
			}
		}
		g.constant(t)
	case 9:
		g.value(I32, d)
		g.block(0x04, nil, []byte{t}, []byte{t}, func() {
			g.statements(d)
			g.value(t, d)
			g.op(0x05)
			g.value(t, d)
		})
	case 10:
		g.block(0x02, nil, []byte{t}, []byte{t}, func() {
			g.statements(d)
			g.value(t, d)
			if g.pick(2) == 1 {
				g.value(I32, d)
				g.op(0x0d, 0)
			}
		})
	case 11:
		g.values([]byte{t, t, I32}, d)
		g.op(0x1b) // select
	case 12:
		switch t {
		case I32:
			g.op(0x23, 0)
		case I64:
			g.op(0x23, 1)
		default:
			g.constant(t)
		}
	case 13:
		if t == I32 && g.pick(2) == 1 {
			g.value(I32, d)
			g.op(MemoryGrow, 0)
			return
		}
		g.value(t, d)
		g.block(Loop, []byte{t}, []byte{t}, []byte{t}, func() {
			g.value(I32, d)
			g.op(0x0d, 0)
		})
	}
}

func (g *random) constant(t byte) {
	n := int64(g.pick(256)) - 3
	switch t {
	case I32:
		g.emit([]byte{I32Const}, Int(n))
	case I64:
		g.emit([]byte{I64Const}, Int(n))
	default:
		g.op(0x44, 0, 0, 0, 0, 0, byte(n), 0x24, 0x40)
	}
}

func (g *random) binary(t byte) byte {
	switch t {
	case I32:
		return []byte{0x6a, 0x6b, 0x6c, 0x6e, 0x71, 0x73, 0x74, 0x76, 0x49, 0x46}[g.pick(10)]
	case I64:
		return []byte{0x7c, 0x7d, 0x7e, 0x80, 0x83, 0x85, 0x86, 0x88}[g.pick(8)]
	}
	return []byte{0xa0, 0xa1, 0xa2, 0xa3}[g.pick(4)]
}

// convert makes a t of another type.
func (g *random) convert(t byte, depth int) {
	switch t {
	case I32:
		g.value(I64, depth)
		g.op(0xa7)
	case I64:
		g.value(I32, depth)
		g.op(0xad)
	default:
		g.value(I32, depth)
		g.op(0xb7)
	}
}
