package runtime_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

const compileArgument = "compile-apart"

// TestMain makes the test binary a compiler when it is run as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == compileArgument {
		os.Exit(runtime.Compile(context.Background(), os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

func newApart(t *testing.T, compiler ...string) *runtime.Engine {
	t.Helper()
	engine, err := runtime.New(t.Context(), runtime.Config{CacheDir: filepath.Join(t.TempDir(), "cache"), Compiler: compiler})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close(context.Background()) })
	return engine
}

func TestModulesAreCompiledApart(t *testing.T) {
	engine := newApart(t, os.Args[0], compileArgument)
	for range 2 { // by the compiler, then from the cache
		f := load(t, engine, handlerModule(func(m *w.Module) {
			m.Memory(1)
			m.ExportMemory("memory")
		}), runtime.FunctionConfig{})
		resp := &abi.Response{Body: &abi.Buffer{}}
		if _, err := f.Invoke(t.Context(), &abi.Request{}, resp); err != nil || resp.Status != 404 {
			t.Errorf("status %d, %v", resp.Status, err)
		}
	}
	for module, want := range map[string]string{
		"\x00asm\x01\x00\x00\x00\x01\x05\xff\xff\xff\xff\x0f": "type section, offset",
		string(invalid()): "the module is not valid",
	} {
		if _, err := engine.Load(t.Context(), []byte(module), runtime.FunctionConfig{Name: "f"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// invalid is well-formed, but its function leaves nothing for its result.
func invalid() []byte {
	var m w.Module
	m.ExportFunc("_start", m.Func(nil, []byte{w.I32}))
	return m.Bytes()
}

func TestACompilerThatFails(t *testing.T) {
	for name, test := range map[string]struct {
		compiler []string
		want     string
	}{
		"dies":               {[]string{"sh", "-c", "echo 'fatal error: out of memory' >&2; exit 2"}, "cannot be compiled within 4096 MiB: fatal error: out of memory"},
		"leaves nothing":     {[]string{"sh", "-c", "echo '{}'"}, "no such file"},
		"says nothing":       {[]string{"true"}, "compiler true"},
		"is not there":       {[]string{"/nonexistent"}, "the compiler cannot be run"},
		"floods its outputs": {[]string{"sh", "-c", "yes | head -c 1000000 >&2; exit 1"}, "cannot be compiled"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newApart(t, test.compiler...).Load(t.Context(), program(), runtime.FunctionConfig{Name: "f"})
			if err == nil || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 1000 {
				t.Errorf("got %.2000v, want %q", err, test.want)
			}
		})
	}
	t.Run("hangs", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := newApart(t, "sleep", "60").Load(ctx, program(), runtime.FunctionConfig{Name: "f"})
		if err == nil || time.Since(start) > 10*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
	if _, err := runtime.New(t.Context(), runtime.Config{Compiler: []string{"true"}}); err == nil {
		t.Error("a compiler without a cache is taken")
	}
}
