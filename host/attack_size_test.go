package host_test

import (
	"fmt"
	"strings"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/wasm"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// size is modules that hold as much of something as the caps allow: every
// instance pays for it.
func (a *attacks) size() {
	c := wasm.DefaultCaps()
	serves := func(name string, g *guest) *attack { return a.add(name, g.answers(nil), 200) }

	g := a.command(2)
	for range 16 {
		g.Table(c.TableEntries/16, 0)
	}
	serves("tables", g)
	g = a.command(2)
	g.Table(0, 1<<32-1)
	serves("table-maximum", g)
	g = a.command(2)
	for range c.Globals - 10 {
		g.Global(w.I64, code{}.I64(a.between(0, 60)))
	}
	serves("globals", g)
	g = a.command(2)
	for i := range c.Exports - 10 {
		g.ExportMemory(fmt.Sprint("m", i))
	}
	serves("exports", g)

	g = a.command(2)
	g.Table(c.ElementItems/2, c.ElementItems/2)
	g.Raw(w.SectionTable, append([]byte{1, w.FuncRef, 0}, w.Uint(c.TableEntries)...)...)
	for range 2 {
		g.Element(0, make([]uint64, c.ElementItems/2)...)
	}
	serves("element-items", g)
	g = a.command(2)
	g.Table(1, 1)
	for range c.Elements {
		g.Element(0, 0)
	}
	serves("elements", g)
	g = a.command(2)
	for range c.DataSegments - 10 {
		g.Data(scratch, "x")
	}
	serves("data-segments", g)
	g = a.command(1000)
	g.Data(scratch, strings.Repeat("data", 30<<20/4))
	serves("data-30-MB", g)
	g = a.command(2)
	g.Custom("filler", make([]byte, 31<<20)...)
	serves("custom-31-MB", g)
	g = a.command(64 << 20 / abi.PageBytes)
	serves("memory", g)
	a.add("memory-1-GiB", a.command(1<<30/abi.PageBytes).answers(nil), 200).config = `memory = "1024mb"`
}

// evil is text that would do harm in a terminal, a log or a header.
const evil = "\x1b[2J\x1b]0;owned\a\r\nX-Evil: 1\r\n\r\n{\"level\":\"INFO\"}\u202e\x00"

// names is modules whose names are not to be shown as they are.
func (a *attacks) names() {
	trap := func(g *guest) []byte { return g.program(code{}.Op(w.Unreachable)) }
	g := a.command(2)
	g.ExportMemory(evil)
	g.ExportFunc("f"+evil, g.imports["fd_write"]+1)
	a.add("exports", trap(g), 502)
	g = a.command(2)
	section := append([]byte{1, 1}, append(w.Uint(g.imports["fd_write"]+2), w.Name(evil)...)...)
	g.Custom("name", append([]byte{1}, w.Section(0, section[1:])[1:]...)...)
	a.add("functions", trap(g), 502)
	g = a.command(2)
	g.Custom(evil, []byte(evil)...)
	a.add("custom", trap(g), 502)

	for _, name := range []struct{ name, module, field string }{
		{"import-module", evil, "f"},
		{"import-field", abi.ModuleWASI, evil},
		{"import-long", strings.Repeat(evil, 900), evil},
		{"import-env", "env", "abort"},
		{"import-unstable", "wasi_unstable", "fd_write"},
		{"import-socket", abi.ModuleWASI, "sock_open"},
	} {
		g := &guest{attacks: a, imports: map[string]uint64{}, texts: textArea}
		g.Import(name.module, name.field, nil, nil)
		g.Memory(2)
		a.refuse(name.name, g.program(nil), "which cloche does not offer")
	}
	g = &guest{attacks: a, texts: textArea}
	g.Import(abi.ExportPrefix+"fuel", "refuel", []byte{w.I64, w.I64}, []byte{w.I64})
	g.Memory(2)
	a.refuse("import-of-the-host", g.program(nil), "the host's")
	g = a.command(2)
	g.Export(abi.ExportPrefix+"fuel", w.KindGlobal, g.Global(w.I64, code{}.I64(1<<40)))
	a.refuse("export-of-the-host", g.answers(nil), "the host's")
	g = a.command(2)
	g.ExportMemory("memory")
	a.refuse("export-twice", g.answers(nil), "twice")
	g = a.command(2)
	g.ExportMemory(string([]byte{0xff, 0xfe}))
	a.refuse("export-not-utf-8", g.answers(nil), "UTF-8")
	g = a.command(2)
	g.ExportMemory(strings.Repeat("n", 100_000))
	a.add("export-long", trap(g), 502)
	a.refuse("import-of-another-type", a.retyped(), "another type")
}

// retyped imports a function by the type of another.
func (a *attacks) retyped() []byte {
	g := &guest{attacks: a, texts: textArea}
	g.Import(abi.ModuleWASI, "fd_write", []byte{w.I64}, []byte{w.I64})
	g.Memory(2)
	return g.program(nil)
}
