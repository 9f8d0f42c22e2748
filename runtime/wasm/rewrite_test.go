package wasm_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/cloche-run/cloche/runtime/wasm"
	"github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// guest is an instance of a rewritten module.
type guest struct {
	api.Module
	meter *meter
}

func (g *guest) call(t testing.TB, name string, args ...uint64) ([]uint64, error) {
	t.Helper()
	return g.ExportedFunction(name).Call(t.Context(), args...)
}

func (g *guest) total() int64 { return g.meter.total(g.Module) }

func newGuest(t testing.TB, module []byte, m *meter, caps wasm.Caps, o wasm.Options) *guest {
	t.Helper()
	ctx := t.Context()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(features).WithMemoryLimitPages(2048))
	t.Cleanup(func() { r.Close(context.WithoutCancel(ctx)) })
	m.export(t, r)
	instance, err := r.InstantiateWithConfig(ctx, rewrite(t, module, caps, o), wazero.NewModuleConfig().WithStartFunctions())
	if err != nil {
		t.Fatal(err)
	}
	return &guest{instance, m}
}

// program is a module whose function "run" takes three i32 and returns one, with
// a memory of 32 pages, a table of one and a function "tree".
func program(code ...byte) []byte {
	return programWithLocals([]byte{0}, code...)
}

func programWithLocals(locals []byte, code ...byte) []byte {
	text := cat(locals, code, []byte{0x0b})
	tree := []byte{0, // calls itself twice until its argument is zero, and has no loop
		0x20, 0, 0x04, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x10, 1, 0x20, 0, 0x41, 1, 0x6b, 0x10, 1, 0x0b, 0x0b}
	return module(
		1, []byte{2, 0x60, 3, 0x7f, 0x7f, 0x7f, 1, 0x7f, 0x60, 1, 0x7f, 0},
		3, []byte{2, 0, 1},
		4, []byte{1, 0x70, 0, 1},
		5, []byte{1, 0, 32},
		7, cat([]byte{3}, wasmtest.Name("run"), []byte{0, 0}, wasmtest.Name("tree"), []byte{0, 1}, wasmtest.Name("memory"), []byte{2, 0}),
		12, []byte{1},
		10, cat([]byte{2}, wasmtest.Uint(uint64(len(text))), text, wasmtest.Uint(uint64(len(tree))), tree),
		11, cat([]byte{1, 1}, wasmtest.Uint(100), bytes.Repeat([]byte("0123456789"), 10)),
	)
}

func workloads(t testing.TB) []byte {
	t.Helper()
	module, err := os.ReadFile(filepath.Join("testdata", "bench", "workloads.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return module
}

func TestTheSameModuleBecomesTheSameBytes(t *testing.T) {
	modules := [][]byte{workloads(t), everything()}
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		entropy := make([]byte, 600)
		for i := range entropy {
			entropy[i] = byte(random.Uint32())
		}
		modules = append(modules, wasmtest.Random(entropy))
	}
	for i, module := range modules {
		first := rewrite(t, module, wasm.DefaultCaps(), wasm.Options{})
		if !bytes.Equal(first, rewrite(t, bytes.Clone(module), wasm.DefaultCaps(), wasm.Options{})) {
			t.Errorf("module %d becomes other bytes the second time", i)
		}
	}
}

// What a run costs does not depend on how the fuel is handed out, not even if a
// grant cannot pay for a single basic block.
func TestFuelDoesNotDependOnTheGrants(t *testing.T) {
	module := workloads(t)
	for _, workload := range []string{"quicksort", "fibonacci", "json", "copies", "callback", "interpreter", "mandelbrot"} {
		var want int64
		for _, slice := range []int64{1 << 40, 77_777, 5_000, 50, 1, 0} {
			g := newGuest(t, module, newMeter(slice), wasm.DefaultCaps(), wasm.Options{})
			if _, err := g.call(t, workload, 1); err != nil {
				t.Fatal(err)
			}
			if want == 0 {
				want = g.total()
			}
			if got := g.total(); got != want || got <= 0 {
				t.Errorf("%s costs %d in grants of %d, %d in one", workload, got, slice, want)
			}
		}
	}
}

// The costs are a contract: a limit of N units must mean the same tomorrow.
func TestWhatProgramsCost(t *testing.T) {
	for name, test := range map[string]struct {
		code []byte
		args [3]uint64
		want int64
	}{
		"a constant":          {[]byte{0x41, 1}, [3]uint64{}, 1},
		"nothing for a block": {[]byte{0x02, 0x40, 0x01, 0x0b, 0x41, 1}, [3]uint64{}, 1},
		"a division":          {[]byte{0x41, 1, 0x41, 1, 0x6d}, [3]uint64{}, 10},
		"the arm of an if":    {[]byte{0x20, 0, 0x04, 0x7f, 0x41, 1, 0x05, 0x41, 1, 0x41, 1, 0x6a, 0x0b}, [3]uint64{1}, 3},
		"the other arm":       {[]byte{0x20, 0, 0x04, 0x7f, 0x41, 1, 0x05, 0x41, 1, 0x41, 1, 0x6a, 0x0b}, [3]uint64{0}, 5},
		// Five for each round of the loop, at least one for the entry.
		"a loop of 10":         {[]byte{0x03, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b, 0x41, 1}, [3]uint64{10}, 1 + 10*5 + 1},
		"memory.grow":          {[]byte{0x41, 1, 0x40, 0}, [3]uint64{}, 2001},
		"table.grow":           {[]byte{0xd0, 0x70, 0x20, 0, 0xfc, 15, 0}, [3]uint64{10}, 2 + 20 + 2000 + 10/2},
		"ref.func":             {[]byte{0xd2, 0, 0x1a, 0x41, 1}, [3]uint64{}, 101},
		"a call":               {[]byte{0x41, 0, 0x10, 1, 0x41, 0}, [3]uint64{}, 1 + 4 + 1 + 2},
		"filling 1000 bytes":   {[]byte{0x41, 0, 0x41, 0, 0x20, 2, 0xfc, 11, 0, 0x41, 0}, [3]uint64{0, 0, 1000}, 3 + 20 + 1000/16 + 1},
		"filling 1,000,000":    {[]byte{0x41, 0, 0x41, 0, 0x20, 2, 0xfc, 11, 0, 0x41, 0}, [3]uint64{0, 0, 1_000_000}, 3 + 20 + 1_000_000/16 + 1},
		"a constant length":    {[]byte{0x41, 0, 0x41, 0, 0x41, 0x80, 8, 0xfc, 11, 0, 0x41, 0}, [3]uint64{}, 3 + 20 + 1024/16 + 1},
		"copying 1,000,000":    {[]byte{0x20, 0, 0x20, 1, 0x20, 2, 0xfc, 10, 0, 0, 0x41, 0}, [3]uint64{0, 7, 1_000_000}, 3 + 20 + 1_000_000/16 + 1},
		"copying it backwards": {[]byte{0x20, 0, 0x20, 1, 0x20, 2, 0xfc, 10, 0, 0, 0x41, 0}, [3]uint64{7, 0, 1_000_000}, 3 + 20 + 1_000_000/16 + 1},
	} {
		g := newGuest(t, program(test.code...), newMeter(100), wasm.DefaultCaps(), wasm.Options{})
		if _, err := g.call(t, "run", test.args[:]...); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := g.total(); got != test.want {
			t.Errorf("%s costs %d, want %d", name, got, test.want)
		}
	}
}

// A trap loses at most what was charged since the last write-back, and always
// the same.
func TestTheBillAfterATrap(t *testing.T) {
	spinThenTrap := program(0x03, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b, 0x00)
	const rounds, slice = 1000, 300
	var first int64
	for range 3 {
		g := newGuest(t, spinThenTrap, newMeter(slice), wasm.DefaultCaps(), wasm.Options{})
		if _, err := g.call(t, "run", rounds, 0, 0); err == nil || !strings.Contains(err.Error(), "unreachable") {
			t.Fatal(err)
		}
		got := g.total()
		if first == 0 {
			first = got
		}
		if exact := int64(1 + rounds*5); got != first || got > exact || got < exact-slice-5 {
			t.Errorf("the bill is %d, then %d; the work was %d", first, got, exact)
		}
	}
}

func TestLargeOperationsActLikeSmallOnes(t *testing.T) {
	const size = 32 * 65536
	ops := map[string][]byte{
		"fill": {0x20, 0, 0x20, 1, 0x20, 2, 0xfc, 11, 0, 0x41, 0},
		"copy": {0x20, 0, 0x20, 1, 0x20, 2, 0xfc, 10, 0, 0, 0x41, 0},
		"init": {0x20, 0, 0x20, 1, 0x20, 2, 0xfc, 8, 0, 0, 0x41, 0},
	}
	for name, code := range ops {
		for _, args := range [][3]uint64{
			{0, 0, 0},
			{5, 3, 90},
			{3, 5, 90},
			{0, 1, 99},
			{0, 1, 100},
			{100, 90, 1000},
			{90, 100, 1000},
			{100, 100, 999},
			{size - 100, 0, 100},
			{size - 100, 0, 101},
			{size, 0, 0},
			{size + 1, 0, 0},
			{0, size - 5, 6},
			{0, size - 500, 500},
			{0xffffffff, 0, 2},
			{2, 0xffffffff, 2},
			{1, 1, 0xffffffff},
			{0, 0, size},
			{1, 0, size},
			{0, 7, size - 7},
			{7, 0, size - 7},
		} {
			var outcomes [2]string
			for i, piece := range []uint32{1 << 30, 16} {
				g := newGuest(t, program(code...), newMeter(64), wasm.DefaultCaps(), wasm.Options{PieceBytes: piece})
				pattern := make([]byte, size)
				for i := range pattern {
					pattern[i] = byte(i * 7 >> 3)
				}
				g.Memory().Write(0, pattern)
				_, err := g.call(t, "run", args[:]...)
				memory, _ := g.Memory().Read(0, size)
				outcomes[i] = string(memory)
				if err != nil {
					outcomes[i] = kind(err) + string(memory)
				}
			}
			if outcomes[0] != outcomes[1] {
				t.Errorf("%s of %v differs if it is done in pieces", name, args)
			}
		}
	}
}

// What is done between two checks is a piece and no byte more.
func TestNoStepIsLongerThanAPiece(t *testing.T) {
	const piece = 64
	fill := func(length ...byte) []byte {
		return cat([]byte{0x41, 0, 0x41, 0}, length, []byte{0xfc, 11, 0, 0x41, 0})
	}
	for name, test := range map[string]struct{ within, over []byte }{
		"a length from outside": {fill(0x20, 2), nil},
		"a constant length":     {fill(append([]byte{0x41}, wasmtest.Int(piece)...)...), fill(append([]byte{0x41}, wasmtest.Int(piece+1)...)...)},
	} {
		refuels := func(code []byte, length uint64) int {
			g := newGuest(t, program(code...), newMeter(0), wasm.DefaultCaps(), wasm.Options{PieceBytes: piece})
			if _, err := g.call(t, "run", 0, 0, length); err != nil {
				t.Fatal(err)
			}
			return g.meter.refuels
		}
		if test.over == nil {
			test.over = test.within
		}
		if within, over := refuels(test.within, piece), refuels(test.over, piece+1); within > 1 || over < 2 {
			t.Errorf("%s: %d checks for one piece, %d for a byte more", name, within, over)
		}
	}
}

// A function that calls nothing pays for its frame if that is large.
func TestLargeLeavesPayForTheirFrames(t *testing.T) {
	operands := func(n int) []byte {
		loads := bytes.Repeat([]byte{0x41, 0, 0x28, 2, 0}, n)
		return cat(loads, bytes.Repeat([]byte{0x6a}, n-1))
	}
	const stack = 1000
	for n, want := range map[int]error{5: nil, 1000: errStack} {
		g := newGuest(t, program(operands(n)...), newMeter(1<<20), wasm.DefaultCaps(), wasm.Options{StackBytes: stack})
		if _, err := g.call(t, "run", 0, 0, 0); !errors.Is(err, want) {
			t.Errorf("%d operands: %v, want %v", n, err, want)
		}
	}
}

// Each of these would freeze its process on an engine that checks its deadline
// at loops, or not at all.
func TestEveryGuestStops(t *testing.T) {
	const bigFill = "\x41\x00\x41\x00\x41\x80\x80\x80\x01\xfc\x0b\x00" // 2 MiB
	for name, test := range map[string]struct {
		module []byte
		export string
	}{
		"an endless loop":           {program(0x03, 0x40, 0x0c, 0, 0x0b, 0x41, 0), "run"},
		"a loop with a parameter":   {program(0x41, 1, 0x02, 1, 0x03, 1, 0x0c, 0, 0x0b, 0x0b, 0x41, 0), "run"},
		"a call tree without loops": {program(0x41, 0), "tree"},
		"a tail call to itself":     {program(0x20, 0, 0x20, 1, 0x20, 2, 0x12, 0), "run"},
		"fills in a row":            {program(cat(bytes.Repeat([]byte(bigFill), 2_400), []byte{0x41, 0})...), "run"},
	} {
		var deadline time.Time
		m := newMeter(250_000)
		m.stop = func() bool { return time.Now().After(deadline) }
		g := newGuest(t, test.module, m, wasm.DefaultCaps(), wasm.Options{})
		deadline = time.Now().Add(20 * time.Millisecond)
		args := []uint64{62, 0, 0}
		_, err := g.call(t, test.export, args[:len(g.ExportedFunction(test.export).Definition().ParamTypes())]...)
		if late := time.Since(deadline); !errors.Is(err, errFuel) || late > time.Second {
			t.Errorf("%s: %v, %v after the deadline", name, err, late)
		}
	}
}

func TestABudgetIsNotExceeded(t *testing.T) {
	m := newMeter(250_000)
	m.budget = 1_000_000
	g := newGuest(t, program(0x41, 0), m, wasm.DefaultCaps(), wasm.Options{})
	if _, err := g.call(t, "tree", 62); !errors.Is(err, errFuel) {
		t.Fatal(err)
	}
	if m.used > m.budget+100 || m.used < m.budget-100 { // what stands between two checks
		t.Errorf("used %d of %d", m.used, m.budget)
	}
}

func TestCallsNestToTheirLimit(t *testing.T) {
	wide := wideTail()
	for _, test := range []struct {
		name, export string
		module       []byte
		nests        bool
	}{
		{"a call", "tree", program(0x41, 0), true}, // calls itself n times
		{"a tail call", "run", program(0x20, 0, 0x04, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x20, 1, 0x20, 2, 0x12, 0, 0x0b, 0x41, 0), false},
		// On some machines it passes values by the stack, and stays in its frame.
		{"a tail call with more than fits into registers", "run", wide, true},
	} {
		const most, limit = 1 << 30, 10
		args := func(g *guest, n uint64) []uint64 {
			all := make([]uint64, len(g.ExportedFunction(test.export).Definition().ParamTypes()))
			all[0] = n
			return all
		}
		used := func(n uint64) uint64 {
			g := newGuest(t, test.module, newMeter(1<<40), wasm.DefaultCaps(), wasm.Options{StackBytes: most})
			var least uint64 = most
			g.meter.stop = func() bool { least = min(least, g.ExportedGlobal(wasm.StackExport).Get()); return false }
			g.meter.slice = 0 // it asks at every check
			if _, err := g.call(t, test.export, args(g, n)...); err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
			if left := g.ExportedGlobal(wasm.StackExport).Get(); left != most {
				t.Errorf("%s: %d bytes are missing after it returned", test.name, most-left)
			}
			return most - least
		}
		// The check comes before the frame is taken: one call more shows it.
		frame := used(2) - used(1)
		if deep := used(limit) - used(limit-1); deep != frame {
			t.Errorf("%s: the first frame takes %d bytes, the %dth %d", test.name, frame, limit, deep)
		}
		if nests := frame > 0; nests != test.nests {
			t.Errorf("%s: a call takes %d bytes", test.name, frame)
		}
		if !test.nests {
			continue
		}
		g := newGuest(t, test.module, newMeter(1000), wasm.DefaultCaps(), wasm.Options{StackBytes: uint32(limit * frame)})
		if _, err := g.call(t, test.export, args(g, limit-1)...); err != nil {
			t.Errorf("%s, just within: %v", test.name, err)
		}
		if _, err := g.call(t, test.export, args(g, limit)...); !errors.Is(err, errStack) {
			t.Errorf("%s, one deeper: %v", test.name, err)
		}
	}
}

// wideTail is a function of 20 parameters that tail-calls itself until the first
// is zero.
func wideTail() []byte {
	var m wasmtest.Module
	params := bytes.Repeat([]byte{wasmtest.I32}, 20)
	var again code
	for i := range uint64(20) {
		again = again.Index(wasmtest.LocalGet, i)
		if i == 0 {
			again = again.I32(1).Op(wasmtest.I32Sub)
		}
	}
	m.ExportFunc("run", m.Func(params, nil, code{}.Index(wasmtest.LocalGet, 0).If(again.Index(wasmtest.ReturnCall, 0))...))
	return m.Bytes()
}

func TestATableGrowsToItsCapOnly(t *testing.T) {
	caps := wasm.DefaultCaps()
	caps.TableEntries = 50
	g := newGuest(t, program(0xd0, 0x70, 0x20, 0, 0xfc, 15, 0), newMeter(1000), caps, wasm.Options{})
	for _, test := range []struct{ by, want uint64 }{{49, 1}, {1, 0xffffffff}} {
		if got, err := g.call(t, "run", test.by, 0, 0); err != nil || got[0]&0xffffffff != test.want {
			t.Errorf("growing by %d: %v, %v, want %d", test.by, got, err, test.want)
		}
	}
}

// Rewriting appends to the spaces of types, functions and globals. An index one
// past the original's must not come to mean what was appended.
func TestNothingReachesWhatIsAppended(t *testing.T) {
	functionType := []byte{1, 0x60, 0, 0}
	global := []byte{1, 0x7e, 1, 0x42, 0, 0x0b}
	withGlobal := func(code ...byte) []byte {
		text := cat([]byte{0}, code, []byte{0x0b})
		return module(1, functionType, 3, []byte{1, 0}, 6, global, 10, cat([]byte{1}, wasmtest.Uint(uint64(len(text))), text))
	}
	for name, attack := range map[string][]byte{
		"global.set":            withGlobal(0x42, 0x7f, 0x24, 1),
		"global.get":            withGlobal(0x23, 1, 0x1a),
		"call":                  withGlobal(0x10, 1),
		"return_call":           withGlobal(0x12, 1),
		"ref.func":              withGlobal(0xd2, 1, 0x1a),
		"a block's type":        withGlobal(0x02, 1, 0x0b),
		"an export of a global": module(6, global, 7, []byte{1, 1, 'g', 3, 1}),
		"an export of a function": module(1, functionType, 3, []byte{1, 0}, 7, []byte{1, 1, 'f', 0, 1},
			10, []byte{1, 2, 0, 0x0b}),
		"the type of an import":   module(1, functionType, 2, []byte{1, 0, 0, 0, 1}),
		"the type of a function":  module(1, functionType, 3, []byte{1, 1}, 10, []byte{1, 2, 0, 0x0b}),
		"the start function":      module(1, functionType, 2, []byte{1, 0, 0, 0, 0}, 8, []byte{1}),
		"an element":              module(1, functionType, 2, []byte{1, 0, 0, 0, 0}, 9, []byte{1, 1, 0, 1, 1}),
		"an element's expression": module(1, functionType, 2, []byte{1, 0, 0, 0, 0}, 9, []byte{1, 5, 0x70, 1, 0xd2, 1, 0x0b}),
		"a global's function":     module(1, functionType, 2, []byte{1, 0, 0, 0, 0}, 6, []byte{1, 0x70, 0, 0xd2, 1, 0x0b}),
		"a global's global":       module(6, []byte{1, 0x7e, 0, 0x23, 0, 0x0b}),
		"a segment's offset":      module(5, []byte{1, 0, 1}, 6, global, 11, []byte{1, 0, 0x23, 1, 0x0b, 0}),
	} {
		if _, err := wasm.Read(attack, wasm.DefaultCaps()); err == nil || !strings.Contains(err.Error(), "does not exist") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
