package wasm_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/cloche-run/cloche/runtime/wasm"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// The bounds of estimates, as ratios to what the engine's frames really take: of
// each, and of their geometric mean.
const (
	leastEstimate = 0.75
	meanEstimate  = 4
)

// TestFramesAreEstimated has functions of many shapes call themselves until the
// engine's own stack is full, and compares what that says about a frame with what
// the call was charged.
func TestFramesAreEstimated(t *testing.T) {
	logs, count := 0.0, 0.0
	for name, shape := range frameShapes() {
		for _, n := range []int{1, 10, 100, 1000} {
			if n > shape.most {
				continue
			}
			deep := newGuest(t, shape.module(n), newMeter(1<<40), wasm.DefaultCaps(), wasm.Options{StackBytes: math.MaxUint32})
			if _, err := deep.call(t, "run"); err == nil || !strings.Contains(err.Error(), "stack overflow") {
				t.Fatalf("%s of %d: %v", name, n, err)
			}
			depth := float64(deep.ExportedGlobal("depth").Get())
			charged := float64(math.MaxUint32 - deep.ExportedGlobal(wasm.StackExport).Get())
			ratio := charged / depth / realFrame(depth)
			t.Logf("%-40s %5d: %8.0f bytes are charged %.2f times", name, n, realFrame(depth), ratio)
			if ratio < leastEstimate {
				t.Errorf("%s of %d: a frame is charged %.0f bytes and takes %.0f", name, n, charged/depth, realFrame(depth))
			}
			logs, count = logs+math.Log(ratio), count+1
		}
	}
	if mean := math.Exp(logs / count); mean > meanEstimate {
		t.Errorf("frames are charged %.1f times, in the mean", mean)
	}
}

// realFrame is how large frames are of which depth fill the engine's stack. That
// begins with 10,240 bytes and doubles, and makes room for one frame more, until
// it is larger than 50,000,000: wazero's internal/engine/wazevo/call_engine.go.
func realFrame(depth float64) (frame float64) {
	for range 20 {
		stack := 10_240.0
		for stack <= 50_000_000 {
			stack = 2*stack + frame + 32
		}
		frame = stack / (depth + 1)
	}
	return frame
}

// frameShape is a body of some size that calls itself with self.
type frameShape struct {
	params, locals int
	kind           byte // of parameters and locals
	most           int
	body           func(n int, self code) code
}

type code = w.Code

// Functions and globals of a module of shapes.
const (
	shapeLeaf    = 0 // () -> i32
	shapeSelf    = 1
	shapeGlobals = 30 // i32, before the depth
)

func (s frameShape) module(n int) []byte {
	var m w.Module
	m.Memory(1)
	for range shapeGlobals {
		m.Global(w.I32, code{}.I32(8))
	}
	depth := m.Global(w.I32, code{}.I32(0))
	m.Export("depth", w.KindGlobal, depth)
	leaf := code{}.Repeat(3, code{}.Load(64).Op(w.Drop)).Load(8)
	m.Func(nil, []byte{w.I32}, leaf...)
	params := slices.Repeat([]byte{s.kind}, s.params)
	zero := map[byte]code{w.I32: code{}.I32(0), w.F64: code{}.F64(0), w.V128: append(code{w.Vector, 12}, make([]byte, 16)...)}[s.kind]
	self := code{}.Repeat(s.params, zero).Call(shapeSelf)
	deeper := code{}.Index(w.GlobalGet, depth).I32(1).Op(w.I32Add).Index(w.GlobalSet, depth)
	m.FuncLocals(params, nil, []w.Locals{{Count: uint64(s.locals), Type: s.kind}}, deeper.Then(s.body(n, self)))
	m.ExportFunc("run", m.Func(nil, nil, self...))
	return m.Bytes()
}

// each repeats code for 0 to n-1.
func each(n int, f func(i int) code) (all code) {
	for i := range n {
		all = append(all, f(i)...)
	}
	return all
}

// frameShapes are what makes an engine's frames large, one by one.
func frameShapes() map[string]frameShape {
	get := func(i int) code { return code{}.Index(w.LocalGet, uint64(i)) }
	set := func(i int) code { return code{}.Index(w.LocalSet, uint64(i)) }
	load := func(i int) code { return code{}.Load(int64(4 * i)) }
	assign := func(i int) code { return load(i).Then(set(i)) }
	drop := func(i int) code { return get(i).Op(w.Drop) }
	store := func(i int) code { return code{}.I32(0).Then(get(i)).Index(w.I32Store, 2, 0) }
	leaf := code{}.Call(shapeLeaf)
	spill := leaf.Op(w.Drop)
	vload := code{}.I32(0).Op(w.Vector).Index(0, 4, 0)
	vstore := func(i int) code { return code{}.I32(0).Then(get(i)).Op(w.Vector).Index(11, 4, 0) }

	shapes := map[string]frameShape{
		"nothing": {most: 1, body: func(n int, self code) code { return self }},
		"variables that outlive a call": {locals: 1000, most: 1000, body: func(n int, self code) code {
			return each(n, assign).Then(self, each(n, store))
		}},
		"floats that outlive a call": {locals: 1000, kind: w.F64, most: 1000, body: func(n int, self code) code {
			return each(n, func(i int) code { return code{}.I32(8).Op(0x2b, 3, 0).Then(set(i)) }).Then(self,
				each(n, func(i int) code { return code{}.I32(0).Then(get(i)).Op(0x39, 3, 0) }))
		}},
		"vectors that outlive a call": {locals: 1000, kind: w.V128, most: 1000, body: func(n int, self code) code {
			return each(n, func(i int) code { return vload.Then(set(i)) }).Then(self, each(n, vstore))
		}},
		"operands that outlive a call": {most: 1000, body: func(n int, self code) code {
			return code{}.I32(0).Then(each(n, load), self).Repeat(n-1, code{}.Op(w.I32Add)).Index(w.I32Store, 2, 0)
		}},
		"an operand over each call": {most: 1000, body: func(n int, self code) code {
			return self.Repeat(n, code{}.I32(0).Then(load(1), leaf).Op(w.I32Add).Index(w.I32Store, 2, 0))
		}},
		"operands over each call": {most: 1000, body: func(n int, self code) code {
			add := code{}.Op(w.I32Add)
			return self.Repeat(n, code{}.I32(0).Then(load(1), load(2), load(3), load(4), leaf, add, add, add, add).Index(w.I32Store, 2, 0))
		}},
		"vectors over each call": {locals: 8, kind: w.V128, most: 1000, body: func(n int, self code) code {
			return self.Repeat(n, each(8, func(i int) code { return vload.Then(set(i)) }).Then(spill, each(8, vstore)))
		}},
		"a variable over each call": {locals: 8, most: 1000, body: func(n int, self code) code {
			return self.Then(each(n, func(i int) code { return assign(i%8).Then(spill, store(i%8)) }))
		}},
		"many parameters": {params: 900, most: 1000, body: func(n int, self code) code {
			return self.Then(each(min(n, 900), store))
		}},
		"dead variables": {locals: 100, most: 1000, body: func(n int, self code) code {
			return each(n, func(i int) code { return assign(i % 100) }).Then(self)
		}},
		"an address for each variable": {params: 30, most: 100, body: func(n int, self code) code {
			each30 := each(30, func(i int) code { return get(i).I32(1).Index(w.I32Store, 2, 0) })
			return self.Repeat(n, spill.Then(each30, each30))
		}},
		"pressure without calls": {locals: 30, most: 1000, body: func(n int, self code) code {
			return self.Then(each(30, assign), each(n, func(i int) code {
				return get(i % 30).Then(get((i*7 + 3) % 30)).Op(w.I32Add).Then(set((i*11 + 5) % 30))
			}), each(30, store))
		}},
		"operands without calls": {most: 1000, body: func(n int, self code) code {
			return self.I32(0).Then(each(n, load)).Repeat(n-1, code{}.Op(w.I32Add)).Index(w.I32Store, 2, 0)
		}},
		"globals between calls": {most: 100, body: func(n int, self code) code {
			read := each(shapeGlobals, func(i int) code { return code{}.Index(w.GlobalGet, uint64(i)).Index(w.I32Load, 2, 0).Op(w.Drop) })
			return self.Repeat(n, spill.Then(read))
		}},
	}
	controlShapes(shapes, assign, store, drop, spill)
	for name, s := range shapes {
		if s.kind == 0 {
			s.kind = w.I32
			shapes[name] = s
		}
	}
	return shapes
}

// controlShapes are those in which control joins.
func controlShapes(shapes map[string]frameShape, assign, store, drop func(int) code, spill code) {
	const many = 100
	condition := code{}.Load(0)
	nestedIfs := func(n int, after func(i int) code) code {
		body := each(many, assign)
		for i := range n {
			body = condition.If(body).Then(spill, after(i))
		}
		return body
	}
	shapes["ifs in a row"] = frameShape{locals: 8, most: 1000, body: func(n int, self code) code {
		return self.Then(each(n, func(i int) code { return condition.If(assign(i % 8)) }), each(8, store))
	}}
	shapes["ifs in a row, with calls"] = frameShape{locals: 8, most: 1000, body: func(n int, self code) code {
		return self.Then(each(n, func(i int) code { return condition.If(assign(i % 8)).Then(spill) }), each(8, store))
	}}
	shapes["nested ifs"] = frameShape{locals: many, most: 100, body: func(n int, self code) code {
		return self.Then(nestedIfs(n, func(int) code { return nil }), each(many, store))
	}}
	shapes["nested ifs, and ways out"] = frameShape{locals: many, most: 100, body: func(n int, self code) code {
		out := func(i int) code { return condition.Index(w.BrIf, uint64(n-1-i)) }
		return self.Then(code{}.Block(nestedIfs(n, out).Then(each(many, assign))), each(many, store))
	}}
	shapes["nested loops"] = frameShape{locals: many, most: 10, body: func(n int, self code) code {
		body := each(many, func(i int) code { return store(i).Then(assign(i)) })
		for range n {
			body = code{}.Loop(body.Then(spill, condition.Op(w.I32Eqz).Index(w.BrIf, 0)))
		}
		return self.Then(body)
	}}
	shapes["one way out, many times"] = frameShape{locals: 8, most: 100, body: func(n int, self code) code {
		return self.Then(code{}.Block(code{}.Repeat(n, spill.Then(condition.Index(w.BrIf, 0)))))
	}}
	shapes["a table of branches"] = frameShape{locals: 8, most: 100, body: func(n int, self code) code {
		body := condition.Index(w.BrTable, uint64(n-1))
		for i := range n {
			body = body.Op(w.Uint(uint64(i))...)
		}
		for i := range n {
			body = code{}.Block(body).Then(store(i%8), assign(i%8))
		}
		return self.Then(body)
	}}
	shapes["blocks that call"] = frameShape{locals: 8, most: 100, body: func(n int, self code) code {
		return self.Then(each(n, func(i int) code {
			return code{}.Block(condition.Index(w.BrIf, 0).Then(spill, drop(i%8))).Then(code{}.Load(4).Op(w.Drop))
		}))
	}}
}
