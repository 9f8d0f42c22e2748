package wasm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/cloche-run/cloche/runtime/wasm"
)

// specScript is a script of the WebAssembly specification's tests as wast2json
// writes it: https://github.com/WebAssembly/wabt/blob/main/docs/wast2json.md.
type specScript struct {
	Commands []specCommand `json:"commands"`
}

type specCommand struct {
	Type       string     `json:"type"`
	Line       int        `json:"line"`
	Name       string     `json:"name"`
	As         string     `json:"as"`
	Filename   string     `json:"filename"`
	ModuleType string     `json:"module_type"`
	Action     specAction `json:"action"`
}

type specAction struct {
	Type   string      `json:"type"`
	Module string      `json:"module"`
	Field  string      `json:"field"`
	Args   []specValue `json:"args"`
}

type specValue struct {
	Type     string `json:"type"`
	LaneType string `json:"lane_type"`
	Value    any    `json:"value"`
}

// TestSpecification runs the specification's tests, as wazero's module carries
// them, on each module and on what the rewriter makes of it. What they return
// and how they trap must not differ.
func TestSpecification(t *testing.T) {
	root := specRoot(t)
	var mu sync.Mutex
	var refused []string // guarded by mu
	t.Run("scripts", func(t *testing.T) {
		for _, set := range []string{"v1", "v2", "tail-call", "extended-const"} {
			scripts, _ := filepath.Glob(filepath.Join(root, set, "testdata", "*.json"))
			if len(scripts) == 0 {
				t.Fatalf("no scripts of %s in %s", set, root)
			}
			for _, script := range scripts {
				t.Run(set+"/"+strings.TrimSuffix(filepath.Base(script), ".json"), func(t *testing.T) {
					t.Parallel()
					r := runScript(t, root, script)
					mu.Lock()
					defer mu.Unlock()
					refused = append(refused, r...)
				})
			}
		}
	})
	for _, r := range refused {
		if !strings.Contains(r, "an element segment fills entries") {
			t.Error("refused: ", r)
		}
	}
	const want = 18
	if len(refused) != want {
		t.Errorf("%d modules cannot be instantiated, want %d", len(refused), want)
	}
}

// cannotInstantiate marks a module that is valid, and refused because its
// instantiation has to trap: wazero passes over the element segment, or notices
// too late.
const cannotInstantiate = " (cannot be instantiated)"

func specRoot(t testing.TB) string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatal("go list: ", err)
	}
	return filepath.Join(strings.TrimSpace(string(dir)), "internal", "integration_test", "spectest")
}

// runScript compares two runs of a script and returns the modules that are valid
// and yet refused.
func runScript(t *testing.T, root, path string) (refused []string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var script specScript
	if err := json.Unmarshal(text, &script); err != nil {
		t.Fatal(err)
	}
	original := &specRun{dir: filepath.Dir(path), root: root}
	want := original.run(t, script)
	// Tiny pieces send small bulk operations through the helpers, too.
	for _, options := range []wasm.Options{{}, {PieceBytes: 16, StackBytes: 1 << 30, Image: true}} {
		metered := &specRun{dir: filepath.Dir(path), root: root, meter: newMeter(7), options: options}
		got := metered.run(t, script)
		for i := range want {
			if got[i] != want[i] && !strings.HasSuffix(got[i], cannotInstantiate) {
				t.Errorf("line %d, %s: the rewritten module gives %s, the original %s", script.Commands[i].Line, script.Commands[i].Type, got[i], want[i])
			}
		}
		refused = metered.refused
	}
	return refused
}

// specRun is one run of a script: of the originals, or with a meter.
type specRun struct {
	dir, root string
	meter     *meter
	options   wasm.Options
	refused   []string
	unlike    int // modules whose data cannot be left to the host: they trap at their start, or import where it goes

	runtime wazero.Runtime
	modules map[string]api.Module
	last    api.Module
}

// run returns what each command came to.
func (s *specRun) run(t *testing.T, script specScript) (outcomes []string) {
	ctx := t.Context()
	s.runtime = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(features))
	defer s.runtime.Close(ctx)
	s.modules = map[string]api.Module{}
	if s.meter != nil {
		s.meter.export(t, s.runtime)
	}
	host, err := os.ReadFile(filepath.Join(s.root, "testdata", "spectest.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.runtime.InstantiateWithConfig(ctx, host, wazero.NewModuleConfig()); err != nil {
		t.Fatal(err)
	}
	for i := range script.Commands {
		outcomes = append(outcomes, s.command(t, script.Commands, i))
	}
	return outcomes
}

func (s *specRun) command(t *testing.T, commands []specCommand, i int) string {
	c := commands[i]
	switch c.Type {
	case "module":
		instance, err := s.instantiate(t, c, registeredName(commands, i))
		if err != nil {
			return "error: " + kind(err)
		}
		s.last = instance
		if c.Name != "" {
			s.modules[c.Name] = instance
		}
		return "ok"
	case "register": // its name was given at instantiation
		return "ok"
	case "action", "assert_return", "assert_trap", "assert_exhaustion":
		return s.act(t.Context(), c.Action)
	case "assert_invalid", "assert_malformed":
		if c.ModuleType == "text" {
			return "refused"
		}
		return s.invalid(t, c)
	case "assert_unlinkable", "assert_uninstantiable":
		_, err := s.instantiate(t, c, "")
		var refused *wasm.Error
		switch {
		case errors.As(err, &refused):
			return kind(err) + cannotInstantiate
		case err != nil:
			return "error: " + kind(err)
		}
		return "ok"
	}
	t.Errorf("line %d: unknown command %s", c.Line, c.Type)
	return ""
}

// registeredName looks ahead for the name that a module will be registered by.
func registeredName(commands []specCommand, i int) string {
	for _, c := range commands[i+1:] {
		switch {
		case c.Type == "register" && (c.Name == "" || c.Name == commands[i].Name):
			return c.As
		case c.Type == "module" && commands[i].Name == "":
			return ""
		}
	}
	return ""
}

func (s *specRun) instantiate(t *testing.T, c specCommand, name string) (api.Module, error) {
	module, err := os.ReadFile(filepath.Join(s.dir, c.Filename))
	if err != nil {
		t.Fatal(err)
	}
	var data []wasm.Run
	if s.meter != nil {
		read, err := wasm.Read(module, liftedCaps())
		if err != nil {
			s.refused = append(s.refused, fmt.Sprintf("%s: %v", c.Filename, err))
			return nil, err
		}
		options := s.options
		if data, err = read.Data(); err != nil {
			options.Image, s.unlike = false, s.unlike+1
		}
		if module, err = wasm.Rewrite(read, options); err != nil {
			t.Fatal(err)
		}
		if !options.Image {
			data = nil
		}
	}
	compiled, err := s.runtime.CompileModule(t.Context(), module)
	if err != nil {
		return nil, fmt.Errorf("does not compile: %w", err)
	}
	instance, err := s.runtime.InstantiateModule(t.Context(), compiled, wazero.NewModuleConfig().WithName(name).WithStartFunctions())
	if err != nil {
		return nil, err
	}
	return instance, begin(t.Context(), instance, data)
}

// act invokes a function or reads a global.
func (s *specRun) act(ctx context.Context, a specAction) string {
	instance := s.last
	if a.Module != "" {
		instance = s.modules[a.Module]
	}
	if instance == nil {
		return "no instance"
	}
	if a.Type == "get" {
		return fmt.Sprintf("%#x", instance.ExportedGlobal(a.Field).Get())
	}
	f := instance.ExportedFunction(a.Field)
	if f == nil {
		return "no function"
	}
	var args []uint64
	for _, arg := range a.Args {
		args = append(args, arg.bits()...)
	}
	results, err := f.Call(ctx, args...)
	if err != nil {
		return "trap: " + kind(err)
	}
	return show(f.Definition().ResultTypes(), results)
}

// invalid tells whether a module is refused that must be: by the reader or, after
// it and after the rewriter, by the engine. The engine sees the original first in
// production; here we want to know what the rewriter lets through by itself.
func (s *specRun) invalid(t *testing.T, c specCommand) string {
	module, err := os.ReadFile(filepath.Join(s.dir, c.Filename))
	if err != nil {
		t.Fatal(err)
	}
	if s.meter != nil {
		read, err := wasm.Read(module, liftedCaps())
		if err != nil {
			return "refused"
		}
		options := s.options
		options.Image = false // which leaves out what may be wrong
		if module, err = wasm.Rewrite(read, options); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.runtime.CompileModule(t.Context(), module); err == nil {
		return "valid"
	}
	return "refused"
}

// kind is an error without what differs between an original and its rewritten
// form: function indices.
func kind(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return functionNumber.ReplaceAllString(line, "function[]")
}

var functionNumber = regexp.MustCompile(`function\[\d+\]`)

// show prints values, each NaN as "nan": which one an operation gives is not
// specified.
func show(types []api.ValueType, values []uint64) string {
	var out []string
	for _, t := range types {
		v := values[0]
		values = values[1:]
		switch t {
		case api.ValueTypeF32:
			if f := api.DecodeF32(v); f != f {
				out = append(out, "nan")
				continue
			}
		case api.ValueTypeF64:
			if f := api.DecodeF64(v); f != f {
				out = append(out, "nan")
				continue
			}
		case 0x7b:
			out = append(out, fmt.Sprintf("%#x", values[0]))
			values = values[1:]
		case api.ValueTypeI32:
			v &= 0xffffffff // the rest is not specified
		case api.ValueTypeExternref:
		case 0x70: // an address
			out = append(out, fmt.Sprint("null ", v == 0))
			continue
		}
		out = append(out, fmt.Sprintf("%#x", v))
	}
	return strings.Join(out, " ")
}

// bits encodes an argument.
func (v specValue) bits() []uint64 {
	if v.Type == "v128" {
		width := map[string]int{"i8": 8, "i16": 16, "i32": 32, "f32": 32, "i64": 64, "f64": 64}[v.LaneType]
		both := []uint64{0, 0}
		for i, lane := range v.Value.([]any) {
			at := i * width
			both[at/64] |= number(lane.(string), width) << (at % 64)
		}
		return both
	}
	text, ok := v.Value.(string)
	switch {
	case !ok || text == "null":
		return []uint64{0}
	case v.Type == "externref":
		return []uint64{number(text, 64) + 1} // zero is null
	case slices.Contains([]string{"i32", "f32"}, v.Type):
		return []uint64{number(text, 32)}
	}
	return []uint64{number(text, 64)}
}

func number(text string, bits int) uint64 {
	switch text {
	case "nan:canonical", "nan:arithmetic":
		if bits == 32 {
			return 0x7fc00000
		}
		return 0x7ff8000000000000
	}
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		signed, _ := strconv.ParseInt(text, 10, bits)
		n = uint64(signed) & (1<<bits - 1)
	}
	return n
}
