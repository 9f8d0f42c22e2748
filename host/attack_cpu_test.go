package host_test

import (
	"math"

	"github.com/cloche-run/cloche/abi"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// spin adds a program that must be stopped at its deadline.
func (a *attacks) spin(name string, g *guest, body code) *attack {
	return a.add(name, g.program(body), 504)
}

// cpu is computing without end, in every shape that control flow has.
func (a *attacks) cpu() {
	a.loops()
	a.calls()
	a.expensive()
	a.hostCalls()
	a.spinsElsewhere()
}

func (a *attacks) loops() {
	g := a.command(2)
	a.spin("loop", g, code{}.Forever(a.salt()))
	a.spin("loop-empty", a.command(2), code{}.Forever(nil))
	a.spin("loop-br-if", a.command(2), code{}.Loop(code{}.I32(a.between(1, 9)).Index(w.BrIf, 0)))
	a.spin("loop-br-table", a.command(2), code{}.Loop(code{}.I32(a.between(0, 9)).Index(w.BrTable, 3, 0, 0, 0, 0)))

	g = a.command(2)
	count := code{}.Index(w.GlobalGet, g.Global(w.I64, code{}.I64(0))).I64(a.between(1, 3)).Op(w.I64Add).Index(w.GlobalSet, 0)
	a.spin("loop-counts", g, code{}.Forever(count))

	nest := code{}.I32(1).Index(w.BrIf, 0)
	for range 60 {
		nest = code{}.Loop(nest.I32(1).Index(w.BrIf, 0))
	}
	a.spin("loops-nested", a.command(2), nest)

	g = a.command(2)
	one := g.Type([]byte{w.I32}, nil)
	carried := code{}.I32(a.between(1, 9)).Op(w.Loop).Op(w.Int(int64(one))...).Index(w.Br, 0).Op(w.End)
	a.spin("loop-with-parameter", g, carried)

	// Every round moves a thousand values by one place.
	g = a.command(2)
	many := g.Type(repeated(w.I32, 1000), nil)
	shift := code{}.Repeat(1000, code{}.I32(a.between(1, 99))).Op(w.Loop).Op(w.Int(int64(many))...)
	shift = shift.I32(a.between(1, 99)).Index(w.Br, 0).Op(w.End)
	a.spin("loop-shifts-1000", g, shift)
}

func (a *attacks) calls() {
	g := a.command(2)
	a.spin("call-tree", g, code{}.Call(g.tree(62, a.salt())))
	g = a.command(2)
	a.spin("call-tree-empty", g, code{}.Call(g.tree(61, nil)))

	g = a.command(2)
	void := g.Type(nil, nil)
	g.Table(64, 0)
	var functions []uint64
	f := g.Func(nil, nil, a.salt()...)
	for i := range int64(60) {
		functions = append(functions, f)
		twice := code{}.Repeat(2, code{}.I32(i).Index(w.CallIndirect, void, 0))
		f = g.Func(nil, nil, twice...)
	}
	g.Element(0, functions...)
	a.spin("call-tree-indirect", g, code{}.Call(f))

	g = a.command(2)
	self := g.imports["fd_write"] + 2 // after the salt
	g.Func(nil, nil, a.salt().Index(w.ReturnCall, self)...)
	a.spin("tail-calls", g, code{}.Call(self))

	g = a.command(2)
	self = g.imports["fd_write"] + 2
	void = g.Type(nil, nil)
	g.Func(nil, nil, code{}.I32(0).Index(w.ReturnCallIndirect, void, 0)...)
	g.Table(1, 0)
	g.Element(0, self)
	a.spin("tail-calls-indirect", g, code{}.Call(self))

	// Each call hands on a thousand results.
	g = a.command(2)
	results := repeated(w.I32, 1000)
	f = g.Func(nil, results, code{}.Repeat(1000, code{}.I32(a.between(1, 99)))...)
	for range 200 {
		f = g.Func(nil, results, code{}.Call(f)...)
	}
	a.spin("call-1000-results", g, code{}.Forever(code{}.Call(f).Repeat(1000, code{}.Op(w.Drop))))
}

// expensive is instructions that take long for what they cost.
func (a *attacks) expensive() {
	chain := func(start float64, op byte, factor float64) code {
		return code{}.F64(start).Repeat(1000, code{}.F64(factor).Op(op))
	}
	denormal := chain(math.Float64frombits(uint64(a.between(2, 99))), w.F64Mul, 1.5).Op(w.Drop)
	a.spin("denormals", a.command(2), code{}.Forever(denormal))
	roots := code{}.F64(float64(a.between(2, 99))).Repeat(1000, code{}.Op(w.F64Sqrt)).Op(w.Drop)
	a.spin("square-roots", a.command(2), code{}.Forever(roots))
	divisions := code{}.I64(a.random.Int64()).Repeat(1000, code{}.I64(a.between(1, 3)).Op(w.I64DivS)).Op(w.Drop)
	a.spin("divisions", a.command(2), code{}.Forever(divisions))
	vectors := code{}.Repeat(1000, code{}.I32(a.between(0, 99)).Op(w.Vector, 0x0f, w.Drop)) // i8x16.splat
	a.spin("vectors", a.command(2), code{}.Forever(vectors))
	a.spin("pointer-chase", a.command(1000), code{}.Then(a.chase()))

	g := a.command(2)
	f := g.Func(nil, nil)
	g.Table(1, 0)
	g.Element(0, f)
	a.spin("ref-func", g, code{}.Forever(code{}.Repeat(1000, code{}.Index(w.RefFunc, f).Op(w.Drop))))
	a.spin("memory-size", a.command(2), code{}.Forever(code{}.Repeat(1000, code{}.Op(w.MemorySize, 0, w.Drop))))

	// The first touch of a page costs the system thousands of instructions.
	touch := a.command(8000)
	next := code{}.Index(w.GlobalGet, touch.Global(w.I32, code{}.I32(0))).I32(4096).Op(w.I32Add).Index(w.GlobalSet, 0)
	write := code{}.Index(w.GlobalGet, 0).I32(8000*abi.PageBytes-4096).Op(w.I32And).I32(1).Index(w.I32Store, 2, 0)
	a.spin("first-touches", touch, code{}.Forever(next.Then(write))).config = `memory = "512mb"`
}

// chase builds a list whose every step is a cache miss, and follows it.
func (a *attacks) chase() code {
	const mask = 1000*abi.PageBytes - 1
	step := code{}.I32(scratch).Index(w.I32Load, 2, 0).I32(a.between(1<<20, 1<<24) | 1).Op(w.I32Add)
	step = code{}.I32(scratch).Then(step).Index(w.I32Store, 2, 0)
	read := code{}.I32(scratch).Index(w.I32Load, 2, 0).I32(mask&(1<<25-1)).Op(w.I32And).Index(w.I32Load, 0, 0).Op(w.Drop)
	return code{}.Forever(step.Then(read))
}

// hostCalls are spins that spend their time in the host.
func (a *attacks) hostCalls() {
	spins := []struct {
		name string
		args []int64
	}{
		{"clock_time_get", []int64{1, 0, scratch}},
		{"sched_yield", nil},
		{"fd_fdstat_get", []int64{1, scratch}},
		{"environ_sizes_get", []int64{scratch, scratch + 4}},
		{"random_get", []int64{scratch, a.between(1, 64)}},
		{"args_get", []int64{scratch, scratch + 64}},
	}
	for _, s := range spins {
		g := a.command(2, s.name)
		a.spin("host-"+s.name, g, code{}.Forever(g.do(s.name, s.args...)))
	}
}

// spinsElsewhere do not begin in _start.
func (a *attacks) spinsElsewhere() {
	g := a.command(2)
	g.Module.Start(g.Func(nil, nil, code{}.Forever(a.salt())...))
	a.add("start-section", g.answers(nil), 504)
	g = a.command(2)
	g.Module.Start(g.tree(60, a.salt()))
	a.add("start-section-tree", g.answers(nil), 504)

	g = a.newGuest(2)
	g.ExportFunc(abi.ExportInitialize, g.Func(nil, nil, code{}.Forever(a.salt())...))
	a.add("initialize", g.handles(nil), 504)
	a.add("handle-request", a.newGuest(2).handles(code{}.Forever(a.salt())), 504)
	g = a.newGuest(2)
	a.add("handle-response", g.handlesBoth(code{}.I64(1), code{}.Call(g.tree(60, a.salt()))), 504)
	for _, name := range []string{"get_uri", "get_header_names", "log", "write_body"} {
		g := a.newGuest(2, name)
		args := map[string][]int64{
			"get_uri": {scratch, 512}, "get_header_names": {0, scratch, 4096}, "log": {0, scratch, 64}, "write_body": {1, scratch, 0},
		}[name]
		a.add("handler-"+name, g.handles(code{}.Forever(g.do(name, args...))), 504)
	}
}

func repeated(b byte, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = b
	}
	return out
}
