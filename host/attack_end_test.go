package host_test

import (
	"math"

	"github.com/cloche-run/cloche/abi"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// exit is programs that end by a code of their choice, two of them wazero's own
// for a deadline and a cancelled call.
func (a *attacks) exit() {
	for _, e := range []struct {
		name string
		code int64
		want int
	}{
		{"0-unanswered", 0, 502},
		{"1", 1, 502},
		{"255", 255, 502},
		{"negative", -1, 502},
		{"like-a-cancellation", 0xffffffff, 502},
		{"like-a-deadline", 0xefffffff, 502},
		{"any", a.between(2, 1<<31), 502},
	} {
		g := a.command(2, "proc_exit")
		a.add(e.name, g.program(g.do("proc_exit", e.code)), e.want)
		g = a.command(2, "proc_exit")
		g.Module.Start(g.Func(nil, nil, g.do("proc_exit", e.code)...))
		a.add("in-start-"+e.name, g.answers(nil), 502)
		g = a.newGuest(2, "proc_exit")
		a.add("in-handler-"+e.name, g.handles(g.do("proc_exit", e.code)), 502)
	}
	g := a.command(2, "proc_exit")
	a.add("0-answered", g.program(g.print(1, okAnswer).Then(g.do("proc_exit", 0))), 200)
	g = a.command(2, "proc_exit")
	a.add("3-answered", g.program(g.print(1, okAnswer).Then(g.do("proc_exit", 3))), 502)
}

// trap is traps of every kind, before and after an answer.
func (a *attacks) trap() {
	zero := code{}.I32(0)
	for _, t := range []struct {
		name string
		body code
	}{
		{"unreachable", code{}.Op(w.Unreachable)},
		{"divide-by-zero", code{}.I32(a.between(1, 99), 0).Op(w.I32DivS, w.Drop)},
		{"divide-overflow", code{}.I32(-1<<31, -1).Op(w.I32DivS, w.Drop)},
		{"remainder", code{}.I32(a.between(1, 99), 0).Op(w.I32RemS, w.Drop)},
		{"truncate-nan", code{}.F64(math.NaN()).Op(w.I32TruncF64S, w.Drop)},
		{"truncate-large", code{}.F64(1e300).Op(w.I32TruncF64S, w.Drop)},
		{"load", code{}.I32(a.between(1<<17, 1<<31-1)).Index(w.I32Load, 2, 0).Op(w.Drop)},
		{"load-offset", code{}.I32(-1).Index(w.I32Load, 2, 1<<32-1).Op(w.Drop)},
		{"store", code{}.I32(-4, 1).Index(w.I32Store, 2, 2)},
		{"store-straddles", code{}.I32(2*abi.PageBytes-3, 1).Index(w.I32Store, 0, 0)},
		{"fill", code{}.I32(-1, 1, -1).Misc(w.MemoryFill, 0)},
		{"copy", code{}.I32(0, 1<<30, a.between(1, 1<<20)).Misc(w.MemoryCopy, 0, 0)},
		{"copy-nothing-far", code{}.I32(-1, -1, 0).Misc(w.MemoryCopy, 0, 0)},
		{"table-get", code{}.I32(9).Index(w.TableGet, 0).Op(w.Drop)},
		{"table-fill", code{}.I32(1).Op(w.RefNull, w.FuncRef).I32(-1).Misc(w.TableFill, 0)},
		{"table-copy", code{}.I32(0, 1, 1<<20).Misc(w.TableCopy, 0, 0)},
		{"table-init", code{}.I32(0, 0, 9).Misc(w.TableInit, 0, 0)},
		{"dropped-segment", code{}.Misc(w.ElemDrop, 0).I32(0, 0, 1).Misc(w.TableInit, 0, 0)},
		{"dropped-data", code{}.Misc(w.DataDrop, 0).I32(0, 0, 1).Misc(w.MemoryInit, 0, 0)},
		{"call-null", zero.Index(w.CallIndirect, 1, 0)},
		{"call-outside", code{}.I32(a.between(2, 1<<31)).Index(w.CallIndirect, 1, 0)},
		{"call-of-another-type", code{}.I32(1).Index(w.CallIndirect, 1, 0)},
	} {
		a.add(t.name, a.trapping().program(t.body), 502)
		g := a.trapping()
		a.add("answered-"+t.name, g.program(g.print(1, okAnswer).Then(t.body)), 502)
	}
	g := a.trapping()
	g.Module.Start(g.Func(nil, nil, w.Unreachable))
	a.add("start-section", g.answers(nil), 502)
	g = a.command(2)
	g.Data(uint64(a.between(1<<20, 1<<30)), "outside")
	a.add("data-outside", g.answers(nil), 502)
	g = a.command(2)
	g.Table(1, 1)
	g.Element(uint64(a.between(1, 1<<30)), 0, 0)
	a.refuse("element-outside", g.answers(nil), "an element segment fills entries")
	g = a.command(2)
	g.Table(2, 2)
	g.Element(1, 0, 0)
	a.refuse("element-straddles", g.answers(nil), "fills entries 1 to 3 of a table of 2")
	a.add("handle-request", a.newGuest(2).handles(code{}.Op(w.Unreachable)), 502)
	a.add("handle-response", a.newGuest(2).handlesBoth(code{}.I64(1), code{}.Op(w.Unreachable)), 502)
}

// trapping has a table of a null and a function of another type, and segments.
// Its type 1 is that of a function without parameters and results.
func (a *attacks) trapping() *guest {
	g := a.command(2)
	g.Table(2, 2)
	g.Element(1, 0)
	g.PassiveElement(0)
	g.PassiveData("data")
	g.Raw(w.SectionElement, append([]byte{2}, append(w.Code{1, 0, 1, 0}, 0, w.I32Const, 1, w.End, 1, 0)...)...)
	return g
}

// stack is recursion until the stack is full, in every shape.
func (a *attacks) stack() {
	deep := func(name string, locals, params int, want ...int) {
		g := a.command(2)
		self := g.imports["fd_write"] + 2
		args := code{}.Repeat(params, code{}.I64(a.between(0, 60)))
		var body code
		for i := range locals {
			body = append(body, code{}.I32(scratch+int64(i%99)).Index(w.I32Load, 0, 0).Index(w.LocalSet, uint64(params+i))...)
		}
		body = append(body, args.Call(self)...)
		for i := range locals {
			body = append(body, code{}.Index(w.LocalGet, uint64(params+i)).Op(w.Drop)...)
		}
		g.FuncLocals(repeated(w.I64, params), nil, []w.Locals{{Count: uint64(locals), Type: w.I32}}, body)
		a.add(name, g.program(args.Call(self)), want...)
	}
	deep("direct", 0, 0, 502)
	deep("ten-parameters", 0, 10, 502)
	deep("1000-parameters", 0, 900, 502)
	deep("100-locals", 100, 0, 502)
	deep("4000-locals", 4000, 0, 502, 504)

	g := a.command(2)
	self := g.imports["fd_write"] + 2
	g.Func(nil, nil, code{}.Call(self+1)...)
	g.Func(nil, nil, code{}.I32(a.between(0, 60)).If(code{}.Call(self)).Call(self)...)
	a.add("mutual", g.program(code{}.Call(self)), 502, 504)
	g = a.command(2)
	g.Table(1, 1)
	self = g.imports["fd_write"] + 2
	g.Func(nil, nil, code{}.I32(0).Index(w.CallIndirect, g.Type(nil, nil), 0)...)
	g.Element(0, self)
	a.add("indirect", g.program(code{}.Call(self)), 502)
	g = a.command(2)
	self = g.imports["fd_write"] + 2
	g.Func(nil, nil, code{}.Call(self)...)
	g.Module.Start(self)
	a.add("in-start", g.answers(nil), 502)

	// Down as far as it goes, nearly, and there it spins or writes.
	g = a.command(2)
	depth := g.Global(w.I32, code{}.I32(a.between(200_000, 300_000)))
	self = g.imports["fd_write"] + 2
	down := code{}.Index(w.GlobalGet, depth).I32(1).Op(w.I32Sub).Index(w.GlobalSet, depth)
	bottom := code{}.Index(w.GlobalGet, depth).Op(w.I32Eqz).If(code{}.Forever(nil))
	g.Func(nil, nil, down.Then(bottom).Call(self)...)
	a.add("then-spin", g.program(code{}.Call(self)), 504, 502)
	g = a.newGuest(2)
	self = g.imports["fd_write"] + 1
	g.Func(nil, nil, code{}.Call(self)...)
	a.add("handler", g.handles(code{}.Call(self)), 502)
}
