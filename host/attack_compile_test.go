package host_test

import (
	"github.com/cloche-run/cloche/runtime/wasm"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// compile is modules within the caps whose compiling costs far more than others
// of their size. They may be refused for that, in time, or serve.
func (a *attacks) compile() {
	c := wasm.DefaultCaps()
	a.manyOfOneKind(c)
	a.controlFlow(c)
	a.liveValues(c)
}

// costly adds a module of a program with one more function.
func (a *attacks) costly(name string, locals []w.Locals, body code) *attack {
	g := a.command(2)
	g.FuncLocals(nil, nil, locals, body)
	return a.costlyModule(name, g)
}

func (a *attacks) costlyModule(name string, g *guest) *attack {
	added := a.add(name, g.answers(nil), 200, 502)
	added.either = true
	return added
}

func (a *attacks) manyOfOneKind(c wasm.Caps) {
	g := a.command(2)
	for range c.Functions - 10 {
		g.Func(nil, nil)
	}
	a.costlyModule("functions", g)
	g = a.command(2)
	for i := range c.Types - 10 {
		params := repeated(w.I32, int(c.TypeValues/c.Types)) // binary digits
		for bit := range params {
			if i>>bit&1 == 1 {
				params[bit] = w.I64
			}
		}
		g.Type(params, nil)
	}
	a.costlyModule("types", g)
	adds := code{}.I64(1).Repeat(120_000, code{}.I64(a.between(1, 60)).Op(w.I64Add)).Op(w.Drop)
	a.costly("instructions", nil, adds)
	g = a.command(2)
	for range 20 {
		g.Func(nil, nil, adds...)
	}
	a.costlyModule("instructions-5-million", g)
	a.costly("locals", []w.Locals{{Count: c.Locals, Type: w.I64}}, nil)

	g = a.command(2)
	thousand := repeated(w.I64, 1000)
	f := g.Func(thousand, nil)
	g.Func(nil, nil, code{}.Repeat(240, code{}.Repeat(1000, code{}.I64(a.between(0, 60))).Call(f))...)
	a.costlyModule("calls-of-1000-parameters", g)
	g = a.command(2)
	f = g.Func(nil, thousand, code{}.Repeat(1000, code{}.I64(a.between(0, 60)))...)
	g.Func(nil, nil, code{}.Repeat(240, code{}.Call(f).Repeat(1000, code{}.Op(w.Drop)))...)
	a.costlyModule("calls-of-1000-results", g)
	g = a.command(2)
	g.Table(1, 1)
	g.Func(nil, nil, code{}.Repeat(80_000, code{}.I32(a.between(0, 60)).Index(w.CallIndirect, g.Type(nil, nil), 0))...)
	a.costlyModule("calls-indirect", g)
}

func (a *attacks) controlFlow(c wasm.Caps) {
	nested := func(n int, op byte, before code) code {
		return code{}.Repeat(n, before.Op(op, w.Void)).Repeat(n, code{}.Op(w.End))
	}
	zero := code{}.I32(0)
	a.costly("nested-blocks", nil, nested(int(c.Nesting), w.Block, nil))
	a.costly("nested-ifs", nil, nested(int(c.Nesting), w.If, zero))
	a.costly("ifs", nil, code{}.Repeat(int(c.Branches), zero.If(nil)))
	a.costly("nested-loops", nil, code{}.Repeat(int(c.Loops/c.LoopNesting), nested(int(c.LoopNesting), w.Loop, nil)))
	a.costly("loops", nil, code{}.Repeat(int(c.Loops), code{}.Loop(zero.Index(w.BrIf, 0))))
	a.costly("br-table", nil, brTable(int(c.TableTargets)).Then(brTable(int(c.TableTargets)-9)))

	// Thirteen tables, each with an edge to every block around it.
	targets := w.Uint(uint64(c.Nesting))
	for i := range c.Nesting + 1 {
		targets = append(targets, w.Uint(i)...)
	}
	tables := code{}.Repeat(13, code{}.Block(code{}.I32(0).Op(w.BrTable).Then(targets)))
	open := code{}.Repeat(int(c.Nesting)-1, code{}.Op(w.Block, w.Void))
	a.costly("br-tables-to-all", nil, open.Then(tables).Repeat(int(c.Nesting)-1, code{}.Op(w.End)))

	g := a.command(2)
	for range 20 {
		g.Func(nil, nil, code{}.Repeat(int(c.Branches), zero.If(nil))...)
	}
	a.costlyModule("ifs-in-20-functions", g).slow = true
	for _, op := range []struct {
		name string
		body code
	}{
		{"fills", code{}.I32(0, 0).Index(w.LocalGet, 0).Misc(w.MemoryFill, 0)},
		{"copies", code{}.I32(0, 0).Index(w.LocalGet, 0).Misc(w.MemoryCopy, 0, 0)},
	} {
		a.costly(op.name, []w.Locals{{Count: 1, Type: w.I32}}, code{}.Repeat(int(c.Branches)/4-10, op.body)) // each counts as four
	}
}

func (a *attacks) liveValues(c wasm.Caps) {
	set := func(n int) (c code) {
		for i := range uint64(n) {
			c = c.I64(a.between(0, 60)).Index(w.LocalSet, i)
		}
		return c
	}
	use := func(n int) (c code) {
		for i := range uint64(n) {
			c = c.Index(w.LocalGet, i).Op(w.Drop)
		}
		return c
	}
	// Each if may change one local, and all are used after all of them.
	live := func(locals, ifs int) code {
		body := set(locals)
		for i := range ifs {
			one := code{}.I64(int64(i)).Index(w.LocalSet, uint64(i%locals))
			body = append(body, code{}.I32(scratch).Index(w.I32Load, 2, 0).If(one)...)
		}
		return body.Then(use(locals))
	}
	loops := func(locals, loops, depth int) code {
		body := set(locals)
		for i := range loops / depth {
			nest := code{}.I64(int64(i)).Index(w.LocalSet, uint64(i%locals)).I32(0).Index(w.BrIf, 0)
			for range depth {
				nest = code{}.Loop(nest)
			}
			body = append(body, nest...)
		}
		return body.Then(use(locals))
	}
	locals := func(n int) []w.Locals { return []w.Locals{{Count: uint64(n), Type: w.I64}} }
	a.costly("live-locals-and-ifs", locals(500), live(500, 2000))
	a.costly("live-locals-and-loops", locals(1000), loops(1000, 50, 1))
	a.costly("live-locals-and-nested-loops", locals(1000), loops(1000, 64, 64))
	a.costly("live-locals-and-ifs-at-the-caps", locals(int(c.Locals)), live(int(c.Locals), int(c.Branches))).slow = true
	a.costly("live-locals-and-loops-at-the-caps", locals(int(c.Locals)), loops(int(c.Locals), int(c.Loops), int(c.LoopNesting))).slow = true

	load := code{}.I32(scratch).Index(w.I32Load, 2, 0)
	const values = 60_000
	a.costly("live-values", nil, code{}.Repeat(values, load).Repeat(values-1, code{}.Op(w.I32Add)).Op(w.Drop))
}
