package host_test

import (
	"slices"

	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// claims is part of the reason why a module is refused that claims huge().
const claims = "42"

// decode is modules that claim what they do not hold.
func (a *attacks) decode() {
	for _, section := range []struct {
		name string
		id   byte
	}{
		{"types", w.SectionType},
		{"imports", w.SectionImport},
		{"functions", w.SectionFunction},
		{"tables", w.SectionTable},
		{"memories", w.SectionMemory},
		{"globals", w.SectionGlobal},
		{"exports", w.SectionExport},
		{"elements", w.SectionElement},
		{"data-count", w.SectionDataCount},
		{"bodies", w.SectionCode},
		{"data", w.SectionData},
	} {
		a.claim(section.name, section.id, a.huge())
		a.refuse("bare-"+section.name, preamble(w.Section(section.id, a.huge())), claims)
	}
	a.claim("exports-1e8", w.SectionExport, w.Uint(uint64(a.between(42_000_000, 42_999_999))))
	a.claim("parameters", w.SectionType, slices.Concat([]byte{1, 0x60}, a.huge()))
	a.claim("results", w.SectionType, slices.Concat([]byte{1, 0x60, 0}, a.huge()))
	a.claim("import-name", w.SectionImport, slices.Concat([]byte{1}, a.huge()))
	a.claim("export-name", w.SectionExport, slices.Concat([]byte{1}, a.huge()))
	g := a.command(2)
	g.Table(1, 1)
	g.Raw(w.SectionElement, slices.Concat([]byte{1, 0, w.I32Const, 0, w.End}, a.huge())...)
	a.refuse("element-items", g.answers(nil), claims)
	g = a.command(2)
	g.Raw(w.SectionElement, slices.Concat([]byte{1, 5, w.FuncRef}, a.huge())...)
	a.refuse("element-expressions", g.answers(nil), claims)
	a.claim("data-bytes", w.SectionData, slices.Concat([]byte{1, 0, w.I32Const, 0, w.End}, a.huge()))

	a.claimLocals("locals", w.Locals{Count: uint64(a.between(4_200_000_000, 1<<32-1)), Type: w.I32})
	a.claimLocals("locals-1e8", w.Locals{Count: uint64(a.between(42_000_000, 42_999_999)), Type: w.I64})
	half := w.Locals{Count: 1<<31 + 5, Type: w.I32}
	a.claimLocals("locals-overflow", w.Locals{Count: 42, Type: w.I64}, half, half)
	a.claimCode("br-table", slices.Concat([]byte{w.I32Const, 0, w.BrTable}, a.huge()))
	a.claimCode("select", slices.Concat([]byte{w.I32Const, 0, w.I32Const, 0, w.I32Const, 0, 0x1c}, a.huge()))
	a.claimCode("local-declarations", nil)
	a.customClaims()
}

// claim gives a good module a section with something else in it.
func (a *attacks) claim(name string, id byte, content []byte) {
	g := a.command(2)
	g.Raw(id, content...)
	a.refuse(name, g.answers(nil), claims)
}

func (a *attacks) claimLocals(name string, locals ...w.Locals) {
	g := a.command(2)
	g.FuncLocals(nil, nil, locals, nil)
	reason := claims
	if len(locals) > 1 {
		reason = "the cap is"
	}
	a.refuse(name, g.answers(nil), reason)
}

// claimCode gives a module one function, whose body is claimed.
func (a *attacks) claimCode(name string, body []byte) {
	text := append([]byte{0}, body...)
	if body == nil {
		text = a.huge()
	}
	a.refuse(name, preamble(
		w.Section(w.SectionType, []byte{1, 0x60, 0, 0}),
		w.Section(w.SectionFunction, []byte{1, 0}),
		w.Section(w.SectionCode, slices.Concat([]byte{1}, w.Uint(uint64(len(text)+1)), text, []byte{w.End})),
	), claims)
}

// customClaims are in sections that no engine may look into: the module is good.
func (a *attacks) customClaims() {
	for _, sub := range []struct {
		name    string
		content []byte
	}{
		{"functions", slices.Concat([]byte{1}, w.Section(5, a.huge())[1:])},
		{"locals", slices.Concat([]byte{2}, w.Section(5, a.huge())[1:])},
		{"function-name", slices.Concat([]byte{1}, w.Section(5, slices.Concat([]byte{1, 0}, a.huge()))[1:])},
		{"length", slices.Concat([]byte{1}, a.huge())},
	} {
		g := a.command(2)
		g.Custom("name", sub.content...)
		a.add("name-section-"+sub.name, g.answers(nil), 200)
	}
	for i, name := range []string{".debug_info", ".debug_line", "dylink.0", "producers"} {
		g := a.command(2)
		g.Custom(name, append(a.huge(), a.noise(300)...)...)
		a.add("custom-"+string(rune('a'+i)), g.answers(nil), 200)
	}
	g := a.command(2)
	a.refuse("custom-name", append(g.answers(nil), w.Section(0, a.huge())...), claims)
}

func (a *attacks) noise(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(a.random.Uint32())
	}
	return out
}

// preamble makes a module of sections.
func preamble(sections ...[]byte) []byte {
	return slices.Concat([]byte{0, 'a', 's', 'm', 1, 0, 0, 0}, slices.Concat(sections...))
}

// malformed is modules that are none, or not valid, or of another WebAssembly.
func (a *attacks) malformed() {
	good := a.command(2).answers(nil)
	a.refuse("empty", nil, "not a WebAssembly module")
	a.refuse("noise", a.noise(1<<16), "not a WebAssembly module")
	a.refuse("preamble-only", preamble(), "_start")
	a.refuse("component", []byte("\x00asm\x0d\x00\x01\x00"), "preview 2")
	a.refuse("version", []byte("\x00asm\x02\x00\x00\x00"), "version")
	for i := range 4 {
		cut := a.between(9, int64(len(good))-2)
		a.refuse("cut-"+string(rune('a'+i)), good[:cut], "section")
	}
	a.refuse("then-noise", append(slices.Clip(good), append([]byte{0x55}, a.noise(99)...)...), "section")
	a.refuse("section-twice", append(slices.Clip(good), w.Section(w.SectionData, []byte{0})...), "twice")
	a.refuse("section-late", append(slices.Clip(good), w.Section(w.SectionType, []byte{0})...), "late")
	a.refuse("section-length", append(slices.Clip(good), append([]byte{0}, a.huge()...)...), "claimed")
	a.refuse("long-leb", append(slices.Clip(good), 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0), "bits")
	a.invalid()
	a.otherFeatures()
}

func (a *attacks) invalid() {
	refuse := func(name, reason string, body ...byte) {
		a.refuse(name, a.command(2).program(body), reason)
	}
	refuse("types-mismatch", "not valid", w.I64Const, 1, w.I32Eqz, w.Drop)
	refuse("stack-underflow", "not valid", w.Drop)
	refuse("value-left", "not valid", w.I32Const, 1)
	refuse("no-such-local", "local", w.LocalGet, 9, w.Drop)
	refuse("no-such-function", "function", code{}.Call(uint64(a.between(50, 5000)))...)
	refuse("no-such-label", "label", w.Br, 9)
	refuse("no-such-global", "global", w.GlobalGet, 0, w.Drop)
	refuse("no-such-table", "table", w.I32Const, 0, w.TableGet, 0, w.Drop)
	refuse("no-such-segment", "data", code{}.I32(0, 0, 0).Misc(w.MemoryInit, 0, 0)...)
	refuse("unclosed-block", "unexpected end", w.Block, w.Void)
	refuse("after-its-end", "after its end", w.End, 1)
	refuse("unknown-opcode", "opcode", 0xff)
	// The index of what the rewriter adds is not the guest's to use.
	g := a.command(2)
	a.refuse("index-of-the-fuel", g.program(code{}.I64(1<<40).Index(w.GlobalSet, 0)), "global")
	g = a.command(2)
	a.refuse("index-of-refuel", g.program(code{}.I64(0).I64(0).Call(g.imports["fd_write"]+3).Op(w.Drop)), "function")
	g = a.command(2)
	g.Raw(w.SectionImport, slices.Concat([]byte{1}, w.Name("wasi_snapshot_preview1"), w.Name("fd_write"), []byte{0, 99})...)
	a.refuse("index-of-a-type", g.answers(nil), "type")
	g = a.command(2)
	g.Raw(w.SectionStart, 99)
	a.refuse("no-such-start", g.answers(nil), "start")
	g = a.command(2)
	g.Module.Start(g.imports["fd_write"])
	a.refuse("start-with-parameters", g.answers(nil), "not valid")
}

func (a *attacks) otherFeatures() {
	refuse := func(name, reason string, body ...byte) {
		a.refuse(name, a.command(2).program(body), reason)
	}
	refuse("exceptions", "exception handling", 0x06, w.Void, w.End)
	refuse("throw", "exception handling", 0x08, 0)
	refuse("atomics", "threads", 0xfe, 0x01, 2, 0)
	refuse("gc", "garbage", 0xfb, 0)
	refuse("call-ref", "references", 0x14, 0)
	refuse("relaxed-simd", "SIMD", w.Vector, 0x80, 0x02)
	for _, m := range []struct {
		name, reason string
		content      []byte
	}{
		{"memory64", "memory", []byte{1, 4, 2}},
		{"memory-shared", "memory", []byte{1, 3, 2, 4}},
		{"memories-2", "multiple memories", []byte{2, 0, 2, 0, 2}},
		{"memory-min-above-max", "maximum", []byte{1, 1, 9, 2}},
		{"memory-65537", "pages", slices.Concat([]byte{1, 0}, w.Uint(65537))},
	} {
		g := a.command(2)
		g.Raw(w.SectionMemory, m.content...)
		a.refuse(m.name, g.answers(nil), m.reason)
	}
	g := a.newGuest(2)
	g.Raw(w.SectionImport, slices.Concat([]byte{1}, w.Name("env"), w.Name("memory"), []byte{2, 0, 1})...)
	g.Raw(w.SectionMemory, 0)
	a.refuse("memory-imported", g.program(nil), "memory")
}
