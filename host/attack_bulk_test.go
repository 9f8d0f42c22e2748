package host_test

import (
	"strings"

	"github.com/cloche-run/cloche/abi"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// bulkPages is nearly all of 64 MiB, bulkBytes nearly all of that.
const (
	bulkPages = 1000
	bulkBytes = bulkPages*abi.PageBytes - 1<<20
)

// bulk is operations that do much at once, and growth without end.
func (a *attacks) bulk() {
	a.memoryBulk()
	a.tableBulk()
	a.growth()
}

func (a *attacks) memoryBulk() {
	length := a.between(bulkBytes-1<<16, bulkBytes)
	fill := code{}.I32(a.between(0, 64), a.between(0, 255), length).Misc(w.MemoryFill, 0)
	forward := code{}.I32(0, a.between(1, 64), length).Misc(w.MemoryCopy, 0, 0)
	backward := code{}.I32(a.between(1, 64), 0, length).Misc(w.MemoryCopy, 0, 0)
	a.spin("fills", a.command(bulkPages), code{}.Repeat(200, fill))
	a.spin("copies-forward", a.command(bulkPages), code{}.Repeat(200, forward))
	a.spin("copies-backward", a.command(bulkPages), code{}.Repeat(200, backward))
	a.spin("fill-loop", a.command(bulkPages), code{}.Forever(fill))
	g := a.command(bulkPages)
	a.spin("fill-tree", g, code{}.Call(g.tree(40, fill)))

	// Just what is done in one piece.
	piece := code{}.I32(0, a.between(0, 255), 256<<10).Misc(w.MemoryFill, 0)
	g = a.command(bulkPages)
	a.spin("fill-tree-of-pieces", g, code{}.Call(g.tree(40, piece)))
	small := code{}.Repeat(100, code{}.I32(1, 3, 15).Misc(w.MemoryCopy, 0, 0))
	g = a.command(2)
	a.spin("copy-tree-of-bytes", g, code{}.Call(g.tree(40, small)))

	g = a.command(bulkPages)
	g.PassiveData(strings.Repeat(string(rune(a.between('a', 'z'))), 1<<20))
	init := code{}.Repeat(50, code{}.I32(a.between(0, 1<<20), 0, 1<<20).Misc(w.MemoryInit, 0, 0))
	top := g.tree(30, init)
	a.spin("inits", g, code{}.Call(top))

	outside := code{}.I32(a.between(1<<20, 1<<30), 0, 1<<31-1).Misc(w.MemoryFill, 0)
	a.add("fill-outside", a.command(bulkPages).program(outside), 502)
}

func (a *attacks) tableBulk() {
	const entries = 100_000
	table := func() *guest {
		g := a.command(2)
		g.Table(entries, entries)
		return g
	}
	g := table()
	fill := code{}.Repeat(50, code{}.I32(0).Op(w.RefNull, w.FuncRef).I32(entries).Misc(w.TableFill, 0))
	a.spin("table-fills", g, code{}.Call(g.tree(30, fill)))
	g = table()
	cp := code{}.Repeat(50, code{}.I32(0, a.between(1, 9), entries-9).Misc(w.TableCopy, 0, 0))
	a.spin("table-copies", g, code{}.Call(g.tree(30, cp)))
	g = table()
	f := g.Func(nil, nil)
	items := make([]uint64, entries)
	for i := range items {
		items[i] = f
	}
	g.PassiveElement(items...)
	init := code{}.Repeat(50, code{}.I32(0, 0, entries).Misc(w.TableInit, 0, 0))
	a.spin("table-inits", g, code{}.Call(g.tree(30, init)))
}

func (a *attacks) growth() {
	grow := func(pages int64) code { return code{}.I32(pages).Op(w.MemoryGrow, 0, w.Drop) }
	a.spin("grow-by-1", a.command(2), code{}.Forever(grow(1)))
	a.spin("grow-by-0", a.command(2), code{}.Forever(grow(0)))
	a.spin("grow-by-much", a.command(2), code{}.Forever(grow(a.between(1<<15, 1<<16))))
	a.spin("grow-by-minus-1", a.command(2), code{}.Forever(grow(-1)))
	g := a.command(2)
	a.spin("grow-tree", g, code{}.Call(g.tree(50, grow(1))))

	// Grow to the limit, touch it all, and answer.
	full := grow(a.between(1000, 1020)).I32(scratch, 1, bulkBytes-scratch).Misc(w.MemoryFill, 0)
	a.add("grow-and-touch", a.command(2).answers(full), 200)
	a.add("grow-past-limit", a.command(2).answers(grow(1023).I32(1<<26, 1).Index(w.I32Store, 2, 0)), 502)

	tableGrow := func(n int64) code {
		return code{}.Op(w.RefNull, w.FuncRef).I32(n).Misc(w.TableGrow, 0).Op(w.Drop)
	}
	for _, by := range []struct {
		name string
		n    int64
	}{{"1", 1}, {"much", a.between(9_000_000, 11_000_000)}, {"minus-1", -1}, {"0", 0}} {
		g := a.command(2)
		g.Table(uint64(a.between(0, 9)), 0)
		a.spin("table-grow-by-"+by.name, g, code{}.Forever(tableGrow(by.n)))
	}
	g = a.command(2)
	g.Table(1, 1<<32-1)
	a.spin("table-grow-max", g, code{}.Forever(tableGrow(a.between(90_000, 99_990))))
}
