package host_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/wasm"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// caps is modules that pass one cap by little: nothing may be compiled of them.
func (a *attacks) caps() {
	c := wasm.DefaultCaps()
	a.capsOfModules(c)
	a.capsOfBodies(c)
}

// exceeds adds a module that is refused because of a cap.
func (a *attacks) exceeds(name string, module []byte) { a.refuse(name, module, "the cap is") }

func (a *attacks) capsOfModules(c wasm.Caps) {
	over := func(limit uint64) int { return int(limit) + int(a.between(1, 9)) }

	g := a.command(2)
	g.Custom("filler", make([]byte, c.ModuleBytes)...)
	a.refuse("module", g.answers(nil), "the limit is")
	g = a.command(2)
	for i := range over(c.Types) {
		g.Type(repeated(w.I32, i%1000), repeated(w.I64, i/1000))
	}
	a.exceeds("types", g.answers(nil))
	g = a.command(2)
	g.Type(repeated(w.I32, over(c.Params)), nil)
	a.exceeds("parameters", g.answers(nil))
	g = a.command(2)
	g.Type(nil, repeated(w.I32, over(c.Results)))
	a.exceeds("results", g.answers(nil))
	// 2 MB: it hangs engines as early as in decoding.
	g = a.command(2)
	g.Type(repeated(w.I32, 1_000_000), repeated(w.I64, 1_000_000))
	a.exceeds("type-of-2-million", g.answers(nil))
	a.exceeds("imports", a.command(2, slices.Repeat([]string{"sched_yield"}, over(c.Imports))...).answers(nil))
	g = a.command(2)
	for range over(c.Functions) {
		g.Func(nil, nil)
	}
	a.exceeds("functions", g.answers(nil))
	g = a.command(2)
	for range over(c.Tables) {
		g.Table(1, 1)
	}
	a.exceeds("tables", g.answers(nil))
	a.capsOfContents(c, over)
}

func (a *attacks) capsOfContents(c wasm.Caps, over func(uint64) int) {
	for _, t := range []struct {
		name   string
		tables int
		min    uint64
	}{{"table-entries", 1, c.TableEntries + 1}, {"table-2-27", 1, 1 << 27}, {"table-2-32", 1, 1<<32 - 1}, {"tables-16-of-1e8", 16, 1e8}, {"tables-16", 16, c.TableEntries/16 + 1}} {
		g := a.command(2)
		for range t.tables {
			g.Table(t.min, 0)
		}
		a.exceeds(t.name, g.answers(nil))
	}
	g := a.command(2)
	g.Table(1, 0)
	g.Table(1, 0)
	grow := func(table uint64) code {
		return code{}.Op(w.RefNull, w.FuncRef).I32(1).Misc(w.TableGrow, table).Op(w.Drop)
	}
	a.exceeds("tables-that-grow", g.answers(grow(0).Then(grow(1))))

	g = a.command(2)
	for range over(c.Globals) {
		g.Global(w.I32, code{}.I32(1))
	}
	a.exceeds("globals", g.answers(nil))
	g = a.command(2)
	for i := range over(c.Exports) {
		g.ExportMemory(fmt.Sprint("m", i))
	}
	a.exceeds("exports", g.answers(nil))
	g = a.command(2)
	g.Table(1, 1)
	for range over(c.Elements) {
		g.Element(0)
	}
	a.exceeds("elements", g.answers(nil))
	g = a.command(2)
	g.PassiveElement(make([]uint64, c.ElementItems/2+1)...)
	g.PassiveElement(make([]uint64, c.ElementItems/2+1)...)
	a.exceeds("element-items", g.answers(nil))
	g = a.command(2)
	for range over(c.DataSegments) {
		g.Data(0, "")
	}
	a.exceeds("data", g.answers(nil))
	g = a.command(2)
	g.ExportMemory(strings.Repeat("n", over(c.NameBytes)))
	a.exceeds("name", g.answers(nil))

	pages := 64<<20/abi.PageBytes + uint64(a.between(1, 9))
	a.refuse("memory-of-the-function", a.command(pages).answers(nil), "raise `memory`")
	a.refuse("memory-4-GiB", a.command(65536).answers(nil), "raise `memory`")
}

func (a *attacks) capsOfBodies(c wasm.Caps) {
	exceeds := func(name string, locals []w.Locals, body code) {
		g := a.command(2)
		g.FuncLocals(nil, nil, locals, body)
		a.exceeds(name, g.answers(nil))
	}
	more := int(a.between(1, 9))
	nested := func(n int, op byte) code {
		open := []byte{op, w.Void}
		if op == w.If {
			open = []byte{w.I32Const, 0, op, w.Void}
		}
		return code(slices.Repeat(open, n)).Op(repeated(w.End, n)...)
	}
	exceeds("body", nil, code(repeated(0x01, int(c.BodyBytes)+more)))
	exceeds("instructions", nil, code(repeated(0x01, int(c.Instructions)+more)))
	exceeds("locals", []w.Locals{{Count: c.Locals + uint64(more), Type: w.I64}}, nil)
	exceeds("nesting-blocks", nil, nested(int(c.Nesting)+more, w.Block))
	exceeds("nesting-ifs", nil, nested(int(c.Nesting)+more, w.If))
	exceeds("nesting-blocks-300k", nil, nested(120_000, w.Block))
	exceeds("nesting-loops", nil, nested(int(c.LoopNesting)+more, w.Loop))
	exceeds("nesting-loops-20k", nil, nested(20_000, w.Loop))
	exceeds("loops", nil, code{}.Repeat(int(c.Loops)+more, code{}.Loop(nil)))
	exceeds("ifs", nil, code{}.Repeat(int(c.Branches)+more, code{}.I32(0).If(nil)))
	exceeds("br-ifs", nil, code{}.Repeat(int(c.Branches)+more, code{}.I32(0).Index(w.BrIf, 0)))
	exceeds("br-table", nil, brTable(int(c.TableTargets)+more))
	exceeds("br-tables", nil, code{}.Repeat(3, code{}.Block(brTable(int(c.TotalTargets)/3+more))))

	g := a.command(2)
	for range c.TotalLocals/c.Locals + 1 {
		g.FuncLocals(nil, nil, []w.Locals{{Count: c.Locals, Type: w.I32}}, nil)
	}
	a.exceeds("locals-of-all", g.answers(nil))
}

// brTable branches to the same label by any of n targets.
func brTable(n int) code {
	return code{}.I32(0).Index(w.BrTable, uint64(n)).Op(repeated(0, n+1)...)
}
