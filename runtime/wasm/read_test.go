package wasm_test

import (
	"bytes"
	"errors"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cloche-run/cloche/runtime/wasm"
	"github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

var header = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}

// module assembles sections, given as id, content, id, content.
func module(parts ...any) []byte {
	out := slices.Clone(header)
	for i := 0; i < len(parts); i += 2 {
		out = append(out, wasmtest.Section(byte(parts[i].(int)), parts[i+1].([]byte))...)
	}
	return out
}

// times repeats an entry n times, after their number.
func times(n uint64, entry ...byte) []byte {
	return append(wasmtest.Uint(n), bytes.Repeat(entry, int(n))...)
}

func cat(parts ...[]byte) []byte { return slices.Concat(parts...) }

// body is a module with one function of type () -> () and a memory.
func body(code ...byte) []byte { return bodyWithLocals([]byte{0}, code...) }

func bodyWithLocals(locals []byte, code ...byte) []byte {
	text := cat(locals, code, []byte{wasmtest.End})
	return module(1, []byte{1, 0x60, 0, 0}, 3, []byte{1, 0}, 5, []byte{1, 0, 1},
		10, cat([]byte{1}, wasmtest.Uint(uint64(len(text))), text))
}

// everything has each section and each kind of entry.
func everything() []byte {
	return module(
		0, cat(wasmtest.Name("custom"), []byte("anything")),
		1, []byte{3, 0x60, 0, 0, 0x60, 2, 0x7f, 0x7e, 1, 0x7d, 0x60, 0, 2, 0x7f, 0x7b},
		2, cat([]byte{2}, wasmtest.Name("m"), wasmtest.Name("f"), []byte{0, 0}, wasmtest.Name("m"), wasmtest.Name("g"), []byte{3, 0x7f, 0}),
		3, []byte{2, 0, 2},
		4, []byte{2, 0x70, 1, 1, 9, 0x6f, 0, 2},
		5, []byte{1, 1, 1, 2},
		6, []byte{2, 0x7f, 1, 0x41, 1, 0x23, 0, 0x6a, 0x0b, 0x70, 0, 0xd2, 1, 0x0b},
		7, cat([]byte{2}, wasmtest.Name("f"), []byte{0, 1}, wasmtest.Name("memory"), []byte{2, 0}),
		8, []byte{1},
		9, []byte{
			8,
			0, 0x41, 0, 0x0b, 1, 0,
			1, 0, 1, 1,
			2, 0, 0x41, 0, 0x0b, 0, 1, 2,
			3, 0, 1, 0,
			4, 0x41, 0, 0x0b, 1, 0xd2, 0, 0x0b,
			5, 0x70, 1, 0xd0, 0x70, 0x0b,
			6, 0, 0x41, 0, 0x0b, 0x70, 1, 0xd2, 1, 0x0b,
			7, 0x6f, 1, 0xd0, 0x6f, 0x0b,
		},
		12, []byte{2},
		10, []byte{
			2,
			24, 1, 2, 0x7e, 0x02, 0x40, 0x41, 0, 0x0e, 1, 0, 1, 0x0b, 0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 8, 1, 0, 0x01, 0x0b,
			22, 0, 0x41, 1, 0xfd, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0b,
		},
		11, []byte{2, 0, 0x41, 0, 0x0b, 2, 'h', 'i', 1, 1, 'x'},
	)
}

func TestEverySectionIsRead(t *testing.T) {
	m, err := wasm.Read(everything(), wasm.DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Maxima(); got.Functions != 3 || got.ElementItems != 8 || got.DataSegments != 2 || got.Nesting != 1 || got.Locals != 2 || got.TableTargets != 1 {
		t.Errorf("%+v", got)
	}
}

func TestAModuleCutAnywhereIsRefused(t *testing.T) {
	whole := everything()
	ends := map[int]bool{8: true} // where what is left is a module again
	for pos := 8; pos < len(whole); {
		pos += 2 + int(whole[pos+1])
		ends[pos] = true
	}
	for cut := range whole {
		if _, err := wasm.Read(whole[:cut], wasm.DefaultCaps()); err == nil && !ends[cut] {
			t.Errorf("the first %d of %d bytes are accepted", cut, len(whole))
		}
	}
}

// A section that ends early leaves its content unfinished: its length is right,
// its entries are not.
func TestASectionCutAnywhereIsRefused(t *testing.T) {
	whole := everything()
	for pos := 8; pos < len(whole); {
		id, size := whole[pos], int(whole[pos+1])
		content := whole[pos+2:][:size]
		for cut := range content {
			short := cat(whole[:pos], wasmtest.Section(id, content[:cut]), whole[pos+2+size:])
			_, err := wasm.Read(short, wasm.DefaultCaps())
			var where *wasm.Error
			if id == 0 && cut > 6 {
				continue // the name of a custom section is all that is read
			}
			if !errors.As(err, &where) {
				t.Errorf("section %d, cut to %d of %d bytes: %v", id, cut, size, err)
			} else if where.Section == "" || where.Offset < 8 || where.Offset > len(short) {
				t.Errorf("section %d, cut to %d bytes: the error does not say where: %v", id, cut, err)
			}
		}
		pos += 2 + size
	}
}

// generators make a module that reaches n of what a cap counts.
var generators = map[string]func(n uint64) []byte{
	"ModuleBytes": func(n uint64) []byte {
		return module(0, cat([]byte{1, 'x'}, make([]byte, n-12)))
	},
	"Types":   func(n uint64) []byte { return module(1, times(n, 0x60, 0, 0)) },
	"Params":  func(n uint64) []byte { return module(1, cat([]byte{1, 0x60}, times(n, 0x7f), []byte{0})) },
	"Results": func(n uint64) []byte { return module(1, cat([]byte{1, 0x60, 0}, times(n, 0x7f))) },
	"TypeValues": func(n uint64) []byte {
		return module(1, cat([]byte{2, 0x60}, times(n-2, 0x7f), []byte{1, 0x7f, 0x60, 1, 0x7f, 0}))
	},
	"Imports": func(n uint64) []byte { return module(1, []byte{1, 0x60, 0, 0}, 2, times(n, 0, 0, 0, 0)) },
	"Tables":  func(n uint64) []byte { return module(4, times(n, 0x70, 0, 0)) },
	"Globals": func(n uint64) []byte { return module(6, times(n, 0x7f, 0, 0x41, 0, 0x0b)) },
	"Functions": func(n uint64) []byte {
		return module(1, []byte{1, 0x60, 0, 0}, 2, []byte{1, 0, 0, 0, 0}, 3, times(n-1, 0), 10, times(n-1, 2, 0, 0x0b))
	},
	"Exports": func(n uint64) []byte {
		content := wasmtest.Uint(n)
		for i := range n {
			content = cat(content, wasmtest.Name(strings.Repeat("x", int(i))), []byte{0, 0})
		}
		return module(1, []byte{1, 0x60, 0, 0}, 3, []byte{1, 0}, 7, content, 10, []byte{1, 2, 0, 0x0b})
	},
	"Elements": func(n uint64) []byte { return module(9, times(n, 1, 0, 0)) },
	"ElementItems": func(n uint64) []byte {
		segment := func(n uint64) []byte { return cat([]byte{5, 0x70}, times(n, 0xd0, 0x70, 0x0b)) }
		return module(9, cat([]byte{2}, segment(1), segment(n-1)))
	},
	"DataSegments": func(n uint64) []byte { return module(11, times(n, 1, 0)) },
	"NameBytes": func(n uint64) []byte {
		return module(4, []byte{1, 0x70, 0, 0}, 7, cat([]byte{1}, wasmtest.Name(strings.Repeat("n", int(n))), []byte{1, 0}))
	},
	"TableEntries": func(n uint64) []byte {
		return module(4, cat([]byte{2, 0x70, 0, 1, 0x70, 0}, wasmtest.Uint(n-1)))
	},
	"GrowingTables": func(n uint64) []byte {
		var code []byte
		for i := range n {
			grow := []byte{0xd0, 0x70, 0x41, 1, 0xfc, 15, byte(i), 0x1a}
			code = cat(code, grow, grow) // the second does not count
		}
		text := cat([]byte{0}, code, []byte{0x0b})
		return module(1, []byte{1, 0x60, 0, 0}, 3, []byte{1, 0}, 4, times(n, 0x70, 0, 0),
			10, cat([]byte{1}, wasmtest.Uint(uint64(len(text))), text))
	},
	"MemoryPages":  func(n uint64) []byte { return module(5, cat([]byte{1, 0}, wasmtest.Uint(n))) },
	"BodyBytes":    func(n uint64) []byte { return body(bytes.Repeat([]byte{0x01}, int(n-2))...) },
	"Instructions": func(n uint64) []byte { return body(bytes.Repeat([]byte{0x01}, int(n-1))...) },
	"Locals": func(n uint64) []byte {
		locals := cat([]byte{2, 1, 0x7f}, wasmtest.Uint(n-2), []byte{0x7e})
		text := cat(locals, []byte{0x20}, wasmtest.Uint(n-1), []byte{0x1a, 0x0b})
		return module(1, []byte{1, 0x60, 1, 0x7f, 0}, 3, []byte{1, 0}, 10, cat([]byte{1}, wasmtest.Uint(uint64(len(text))), text))
	},
	"TotalLocals": func(n uint64) []byte {
		return module(1, []byte{1, 0x60, 0, 0}, 3, times(n, 0), 10, times(n, 4, 1, 1, 0x7f, 0x0b))
	},
	"Nesting": func(n uint64) []byte {
		return body(cat(bytes.Repeat([]byte{2, 0x40}, int(n)), bytes.Repeat([]byte{0x0b}, int(n)))...)
	},
	"LoopNesting": func(n uint64) []byte {
		nest := cat(bytes.Repeat([]byte{3, 0x40}, int(n)), bytes.Repeat([]byte{0x0b}, int(n)))
		return body(cat(nest, nest)...)
	},
	"Loops":    func(n uint64) []byte { return body(bytes.Repeat([]byte{3, 0x40, 0x0b}, int(n))...) },
	"Branches": func(n uint64) []byte { return body(bytes.Repeat([]byte{0x41, 0, 0x0d, 0}, int(n))...) },
	"TableTargets": func(n uint64) []byte {
		return body(cat([]byte{0x41, 0, 0x0e}, times(n, 0), []byte{0})...)
	},
	"TotalTargets": func(n uint64) []byte {
		return body(bytes.Repeat([]byte{0x41, 0, 0x0e, 0, 0}, int(n))...)
	},
}

func TestEveryCapHoldsAtItsEdge(t *testing.T) {
	fields := reflect.TypeFor[wasm.Caps]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		generate := generators[name]
		if generate == nil {
			t.Errorf("no generator for the cap %s", name)
			continue
		}
		const limit = 20
		for _, n := range []uint64{limit, limit + 1} {
			caps := liftedCaps()
			reflect.ValueOf(&caps).Elem().Field(i).SetUint(limit)
			_, err := wasm.Read(generate(n), caps)
			var exceeded *wasm.Error
			switch {
			case n == limit && err != nil:
				t.Errorf("%s: %d of %d are refused: %v", name, n, limit, err)
			case n > limit && !errors.As(err, &exceeded):
				t.Errorf("%s: %d of %d are accepted", name, n, limit)
			case n > limit && (exceeded.Cap != name || exceeded.Value != n || exceeded.Limit != limit):
				t.Errorf("%s: %d of %d are refused as %s, %d of %d: %v", name, n, limit, exceeded.Cap, exceeded.Value, exceeded.Limit, err)
			}
		}
	}
}

func TestAnErrorSaysWhere(t *testing.T) {
	_, err := wasm.Read(generators["Nesting"](1501), wasm.DefaultCaps())
	const want = "code section, offset 3030 (function 0): nesting is 1501, the cap is 1500; an operator can raise it: --cap nesting=1501"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Each claims far more than it holds, and each killed a process or held it for
// seconds where it reached an engine.
func TestDecodeBombsAreCheap(t *testing.T) {
	const huge = "\xff\xff\xff\xff\x0f"
	claim := func(id int) []byte { return module(id, []byte(huge)) }
	typed := []any{1, []byte{1, 0x60, 0, 0}, 3, []byte{1, 0}}
	bombs := map[string][]byte{
		"types": claim(1), "imports": claim(2), "functions": claim(3), "tables": claim(4), "memories": claim(5),
		"globals": claim(6), "exports": claim(7), "elements": claim(9), "bodies": claim(10), "data": claim(11),
		"1e8 exports":       module(7, wasmtest.Uint(1e8)),
		"parameters":        module(1, []byte("\x01\x60"+huge)),
		"results":           module(1, []byte("\x01\x60\x00"+huge)),
		"element items":     module(1, []byte{1, 0x60, 0, 0}, 9, []byte("\x01\x01\x00"+"\xf0\xff\xff\xff\x0f")),
		"locals":            module(append(typed, 10, []byte("\x01\x08\x01"+huge+"\x7f\x0b"))...),
		"1e8 locals":        module(append(typed, 10, cat([]byte{1, 7, 1}, wasmtest.Uint(1e8), []byte{0x7f, 0x0b}))...),
		"local groups":      module(append(typed, 10, []byte("\x01\x06"+huge+"\x0b"))...),
		"branch targets":    module(append(typed, 10, []byte("\x01\x09\x00\x0e"+huge+"\x00\x0b"))...),
		"types of a select": module(append(typed, 10, []byte("\x01\x08\x00\x1c"+huge+"\x0b"))...),
		"a body":            module(append(typed, 10, []byte("\x01"+huge))...),
		"a segment's bytes": module(11, []byte("\x01\x01"+huge)),
		"a name":            module(7, []byte("\x01"+huge+"\x00\x00")),
		"a section":         append(slices.Clone(header), "\x01"+huge...),
		"a table":           module(4, []byte("\x01\x70\x00"+huge)),
		"64 tables":         module(4, times(64, 0x70, 0, 0x80, 0xc2, 0xd7, 0x2f)),
		"a memory":          module(5, []byte("\x01\x00"+"\x80\x80\x04")),
		"data count":        module(12, []byte(huge)),
	}
	for name, bomb := range bombs {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := wasm.Read(bomb, wasm.DefaultCaps())
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<10 {
			t.Errorf("%s: reading %d bytes took %d bytes of memory", name, len(bomb), grown)
		}
	}
}

// A name section is passed over, whatever it claims, and gone when rewritten.
func TestCustomSectionsAreDropped(t *testing.T) {
	names := cat(wasmtest.Name("name"), []byte("\x01\x06\xff\xff\xff\xff\x0f"))
	out := rewrite(t, append(body(), wasmtest.Section(0, names)...), wasm.DefaultCaps(), wasm.Options{})
	if !bytes.Equal(out, rewrite(t, body(), wasm.DefaultCaps(), wasm.Options{})) {
		t.Error("a custom section changes what a module becomes")
	}
}

func TestWhatIsRefused(t *testing.T) {
	memory := []any{1, []byte{1, 0x60, 0, 0}, 3, []byte{1, 0}, 5, []byte{1, 0, 1}}
	for name, test := range map[string]struct {
		module []byte
		want   string
	}{
		"an import from the host":            {module(1, []byte{1, 0x60, 0, 0}, 2, cat([]byte{1}, wasmtest.Name("__cloche_fuel"), wasmtest.Name("refuel"), []byte{0, 0})), "the host's"},
		"an export of the host":              {module(5, []byte{1, 0, 1}, 7, cat([]byte{1}, wasmtest.Name("__cloche_fuel"), []byte{2, 0})), "the host's"},
		"atomics":                            {body(0xfe, 0x00), "threads"},
		"a shared memory":                    {module(5, []byte{1, 3, 1, 2}), "threads"},
		"a 64-bit memory":                    {module(5, []byte{1, 4, 1}), "64-bit"},
		"a second memory":                    {module(5, []byte{2, 0, 1, 0, 1}), "there are 2 memories"},
		"a load from a second memory":        {body(0x41, 0, 0x28, 0x42, 1, 0, 0x1a), "multiple memories"},
		"memory.size of a second memory":     {body(0x3f, 1, 0x1a), "multiple memories"},
		"exceptions":                         {body(0x06, 0x40), "exception handling"},
		"a tag section":                      {module(13, []byte{0}), "exception handling"},
		"a tag import":                       {module(2, []byte{1, 0, 0, 4, 0, 0}), "exception handling"},
		"struct.new":                         {body(0xfb, 0), "garbage-collected"},
		"call_ref":                           {body(0x14, 0), "typed function references"},
		"a typed reference":                  {module(1, []byte{1, 0x60, 1, 0x63, 0}), "value type 0x63"},
		"a struct type":                      {module(1, []byte{1, 0x5f, 1, 0x7f, 0}), "only function types"},
		"relaxed SIMD":                       {body(0xfd, 0x80, 2), "relaxed SIMD"},
		"a gap among vector instructions":    {body(0xfd, 0x9a, 1), "unknown vector"},
		"an unknown opcode":                  {body(0x27), "unknown instruction"},
		"an unknown bulk operation":          {body(0xfc, 18), "unknown instruction"},
		"sections out of order":              {module(3, []byte{0}, 1, []byte{0}), "too late"},
		"a section twice":                    {module(1, []byte{0}, 1, []byte{0}), "twice"},
		"a data count after the code":        {module(10, []byte{0}, 12, []byte{0}), "too late"},
		"an unknown section":                 {module(14, []byte{0}), "unknown"},
		"a section that goes on":             {module(1, []byte{0, 0}), "goes on"},
		"a body that goes on":                {body(0x0b, 0x01), "goes on"},
		"a function without a body":          {module(1, []byte{1, 0x60, 0, 0}, 3, []byte{1, 0}), "1 functions are declared, 0 have a body"},
		"a body without a function":          {module(1, []byte{1, 0x60, 0, 0}, 10, []byte{1, 2, 0, 0x0b}), "more bodies than functions"},
		"a number with too many bytes":       {module(1, []byte("\x80\x80\x80\x80\x80\x00")), "more than 32 bits"},
		"a number with too many bits":        {module(1, []byte("\x80\x80\x80\x80\x10")), "more than 32 bits"},
		"an i32 with too many bits":          {body(0x41, 0x80, 0x80, 0x80, 0x80, 0x48, 0x1a), "more than 32 bits"},
		"an i64 with too many bits":          {body(0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7e, 0x1a), "more than 64 bits"},
		"a name that is not UTF-8":           {module(5, []byte{1, 0, 1}, 7, []byte{1, 1, 0xff, 2, 0}), "UTF-8"},
		"an export twice":                    {module(5, []byte{1, 0, 1}, 7, []byte{2, 1, 'a', 2, 0, 1, 'a', 2, 0}), "twice"},
		"a type that is not there":           {module(3, []byte{1, 0}, 10, []byte{1, 2, 0, 0x0b}), "type 0 does not exist"},
		"a function that is not there":       {body(0x10, 1), "function 1 does not exist"},
		"a ref.func that is not there":       {body(0xd2, 1, 0x1a), "function 1 does not exist"},
		"a local that is not there":          {body(0x20, 0, 0x1a), "local 0 does not exist"},
		"a global that is not there":         {body(0x42, 0, 0x24, 0), "global 0 does not exist"},
		"a label that is not there":          {body(0x0c, 1), "label 1 does not exist"},
		"a br_table's label":                 {body(0x41, 0, 0x0e, 1, 0, 1), "label 1 does not exist"},
		"a table that is not there":          {body(0x41, 0, 0x25, 0, 0x1a), "table 0 does not exist"},
		"an indirect call's type":            {body(0x41, 0, 0x11, 1, 0), "type 1 does not exist"},
		"a block type that is not there":     {body(0x02, 1, 0x0b), "block type 1 does not exist"},
		"an element segment":                 {body(0xfc, 13, 0), "element segment 0 does not exist"},
		"a data segment without a count":     {body(0xfc, 9, 0), "no data count section"},
		"a data segment that is not there":   {module(append(memory, 12, []byte{0}, 10, []byte{1, 5, 0, 0xfc, 9, 0, 0x0b})...), "data segment 0 does not exist"},
		"a data count that is wrong":         {module(5, []byte{1, 0, 1}, 12, []byte{2}, 11, []byte{1, 1, 0}), "data count section says 2"},
		"a data count without data":          {module(12, []byte{1}), "data count section says 1"},
		"a load without a memory":            {module(1, []byte{1, 0x60, 0, 0}, 3, []byte{1, 0}, 10, []byte{1, 8, 0, 0x41, 0, 0x28, 2, 0, 0x1a, 0x0b}), "needs a memory"},
		"an else without an if":              {body(0x02, 0x40, 0x05, 0x0b), "else without an if"},
		"a second else":                      {body(0x41, 0, 0x04, 0x40, 0x05, 0x05, 0x0b), "else without an if"},
		"a body without an end":              {bodyWithLocals([]byte{0}, 0x02, 0x40), "unexpected end"},
		"a start function that is not there": {module(8, []byte{0}), "start function 0 does not exist"},
		"a global before itself":             {module(6, []byte{1, 0x7f, 0, 0x23, 0, 0x0b}), "global 0 does not exist"},
		"a call in a constant":               {module(6, []byte{1, 0x7f, 0, 0x3f, 0, 0x0b}), "needs a memory"},
		"a loop in a constant":               {module(6, []byte{1, 0x7f, 0, 0x03, 0x40, 0x0b, 0x0b}), "in a constant expression"},
		"limits turned round":                {module(5, []byte{1, 1, 2, 1}), "above its maximum"},
		"a memory above 4 GiB":               {module(5, []byte{1, 1, 1, 0x81, 0x80, 0x04}), "more than 65536 pages"},
	} {
		if _, err := wasm.Read(test.module, wasm.DefaultCaps()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// FuzzRead reads anything: it must not panic, must not use memory out of
// proportion, and what it accepts can be rewritten.
func FuzzRead(f *testing.F) {
	f.Add(everything())
	f.Add(body(0x03, 0x40, 0x0c, 0, 0x0b))
	f.Add(wasmtest.Random([]byte("some entropy for a random program, and some more of it")))
	for _, generate := range generators {
		f.Add(generate(20))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := wasm.Read(data, wasm.DefaultCaps())
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > uint64(len(data))*64+256<<10 {
			t.Errorf("reading %d bytes took %d bytes of memory", len(data), grown)
		}
		if err != nil {
			return
		}
		for _, o := range []wasm.Options{{}, {StackBytes: 1 << 16, Image: true}} {
			if _, err := wasm.Rewrite(m, o); err != nil {
				t.Error(err)
			}
		}
		runs, _ := m.Data() // an error says that it would trap
		for _, run := range runs {
			if uint64(run.Offset)+uint64(len(run.Bytes)) > 1<<32 {
				t.Errorf("a run of %d bytes at %d", len(run.Bytes), run.Offset)
			}
		}
	})
}

// Instantiating these has to trap, and on wazero it does not.
func TestElementSegmentsFitIntoTheirTables(t *testing.T) {
	const i32 = 0x7f
	for name, test := range map[string]struct {
		offset []byte
		items  int
		refuse bool
	}{
		"at the end":                     {[]byte{0x41, 1}, 1, false},
		"nothing, at the end":            {[]byte{0x41, 2}, 0, false},
		"over the end":                   {[]byte{0x41, 1}, 2, true},
		"nothing, behind the end":        {[]byte{0x41, 3}, 0, true},
		"before the start":               {[]byte{0x41, 0x7f}, 1, true},
		"at a sum":                       {[]byte{0x41, 3, 0x41, 2, 0x6b}, 1, false},
		"behind the end by a sum":        {[]byte{0x41, 3, 0x41, 2, 0x6a}, 1, true},
		"behind the end by a product":    {[]byte{0x41, 3, 0x41, 2, 0x6c}, 1, true},
		"behind the end by a global":     {[]byte{0x23, 1}, 1, true},
		"at a global that is imported":   {[]byte{0x23, 0}, 9, false},
		"at the value of another global": {[]byte{0x23, 2}, 1, false},
	} {
		m := module(1, []byte{1, 0x60, 0, 0},
			2, []byte{1, 1, 'm', 1, 'g', 3, i32, 0},
			3, []byte{1, 0},
			4, []byte{1, 0x70, 0, 2},
			6, []byte{2, i32, 0, 0x41, 7, 0x0b, i32, 0, 0x41, 1, 0x0b},
			9, cat([]byte{1, 0}, test.offset, []byte{0x0b, byte(test.items)}, make([]byte, test.items)),
			10, []byte{1, 2, 0, 0x0b})
		_, err := wasm.Read(m, wasm.DefaultCaps())
		if refused := err != nil && strings.Contains(err.Error(), "element segment fills entries"); refused != test.refuse || !refused && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
