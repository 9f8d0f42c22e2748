package runtime_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

func TestLoadSaysWhatIsWrongWithAModule(t *testing.T) {
	engine := newEngine(t)
	module := func(build func(*w.Module)) []byte {
		var m w.Module
		build(&m)
		return m.Bytes()
	}
	for name, test := range map[string]struct {
		module   []byte
		protocol string
		want     string
	}{
		"garbage":     {[]byte("hello, world"), "", "not a WebAssembly module"},
		"a component": {[]byte("\x00asm\x0d\x00\x01\x00"), "", "component"},
		"a cut one":   {module(func(m *w.Module) { m.Func(nil, nil) })[:12], "", "type section, offset 10"},
		"no entry":    {module(func(m *w.Module) { m.Func(nil, nil) }), "", "neither _start"},
		"a foreign import": {module(func(m *w.Module) {
			m.Import("env", "evil\x1b[2J", nil, nil)
			m.ExportFunc("_start", m.Func(nil, nil))
		}), "", `"env"."evil\x1b[2J", which cloche does not offer`},
		"an import of another type": {module(func(m *w.Module) {
			m.Import(abi.ModuleWASI, "proc_exit", nil, nil)
			m.ExportFunc("_start", m.Func(nil, nil))
		}), "", "another type"},
		"_start with a parameter": {module(func(m *w.Module) {
			m.ExportFunc("_start", m.Func([]byte{w.I32}, nil))
		}), "", "_start has parameters"},
		"half a handler": {module(func(m *w.Module) {
			m.ExportFunc(abi.ExportHandleRequest, m.Func(nil, []byte{w.I64}, w.I64Const, 0))
		}), "", "not handle_response"},
		"no memory": {module(func(m *w.Module) { m.ExportFunc("_start", m.Func(nil, nil)) }), "", "defines no memory"},
		"a name of the host's": {module(func(m *w.Module) {
			m.Memory(1)
			m.ExportFunc("_start", m.Func(nil, nil))
			m.ExportMemory("__cloche_fuel")
			m.ExportFunc("__cloche_x", 0)
		}), "", "are the host's"},
		"a handler without memory": {handlerModule(func(*w.Module) {}), "", "does not export its memory"},
		"a handler as cgi": {handlerModule(func(m *w.Module) {
			m.Memory(1)
			m.ExportMemory("memory")
		}), "cgi", "remove the key"},
		"more memory than its limit": {module(func(m *w.Module) {
			m.Memory(65536)
			m.ExportFunc("_start", m.Func(nil, nil))
		}), "", "raise `memory`"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := engine.Load(t.Context(), test.module, runtime.FunctionConfig{Name: "f", Protocol: test.protocol})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// handlerModule answers with what it has set: nothing.
func handlerModule(build func(*w.Module)) []byte {
	var m w.Module
	build(&m)
	m.ExportFunc(abi.ExportHandleRequest, m.Func(nil, []byte{w.I64}, w.I64Const, 1))
	m.ExportFunc(abi.ExportHandleResponse, m.Func([]byte{w.I32, w.I32}, nil))
	return m.Bytes()
}

func TestAHandlerThatSetsNothingAnswers404(t *testing.T) {
	f := load(t, newEngine(t), handlerModule(func(m *w.Module) {
		m.Memory(1)
		m.ExportMemory("memory")
	}), runtime.FunctionConfig{})
	resp := &abi.Response{Body: &abi.Buffer{}}
	if _, err := f.Invoke(t.Context(), &abi.Request{}, resp); err != nil || resp.Status != 404 {
		t.Errorf("status %d, %v", resp.Status, err)
	}
}

func TestTheCacheIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	for range 2 {
		if err := os.MkdirAll(dir, 0o755); err != nil { // as others may have made it
			t.Fatal(err)
		}
		engine, err := runtime.New(t.Context(), runtime.Config{CacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		load(t, engine, handlerModule(func(m *w.Module) {
			m.Memory(1)
			m.ExportMemory("memory")
		}), runtime.FunctionConfig{})
		if err := engine.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := runtime.New(t.Context(), runtime.Config{CacheDir: dir}); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a cache that others may write to: %v", err)
	}
}

func load(t testing.TB, engine *runtime.Engine, module []byte, config runtime.FunctionConfig) *runtime.Function {
	t.Helper()
	config.Name = "f"
	f, err := engine.Load(t.Context(), module, config)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestADamagedCacheIsFilledAnew(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"cut":     func(b []byte) []byte { return b[:len(b)-1] },
		"emptied": func([]byte) []byte { return nil },
		"flipped": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Chmod(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				engine, err := runtime.New(t.Context(), runtime.Config{CacheDir: dir})
				if err != nil {
					t.Fatal(err)
				}
				load(t, engine, program(), runtime.FunctionConfig{})
				if err := engine.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				files, _ := filepath.Glob(filepath.Join(dir, "*", "*"))
				if len(files) == 0 {
					t.Fatal("nothing in the cache")
				}
				for _, file := range files {
					content, err := os.ReadFile(file)
					if err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(file, damage(content), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}
