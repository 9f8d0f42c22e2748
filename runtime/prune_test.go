package runtime_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/runtime"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// cacheFiles are those of modules and of code, sorted.
func cacheFiles(t *testing.T, dir string) (modules, code []string) {
	t.Helper()
	modules, _ = filepath.Glob(filepath.Join(dir, "prepared", "*"))
	code, _ = filepath.Glob(filepath.Join(dir, "wazero-*", "*"))
	return modules, code
}

func age(t *testing.T, by time.Duration, files ...string) {
	t.Helper()
	then := time.Now().Add(-by)
	for _, file := range files {
		if err := os.Chtimes(file, then, then); err != nil {
			t.Fatal(err)
		}
	}
}

// answering is a module of its own for each n; with a custom section it has the
// same code.
func answering(n int64, custom bool) []byte {
	var m w.Module
	m.Memory(1)
	m.ExportFunc("_start", m.Func(nil, nil, w.Code{}.I32(n).Op(w.Drop)...))
	if custom {
		m.Custom("name")
	}
	return m.Bytes()
}

func TestACacheIsPrunedOfWhatIsNotUsed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	open := func() *runtime.Engine {
		engine, err := runtime.New(t.Context(), runtime.Config{CacheDir: dir, Compiler: []string{os.Args[0], compileArgument}})
		if err != nil {
			t.Fatal(err)
		}
		return engine
	}
	first := open()
	for n := range int64(3) {
		load(t, first, answering(n, false), runtime.FunctionConfig{})
	}
	load(t, first, answering(0, true), runtime.FunctionConfig{})
	modules, code := cacheFiles(t, dir)
	if len(modules) != 4 || len(code) != 3 {
		t.Fatalf("%d modules, %d files of code", len(modules), len(code))
	}
	age(t, runtime.CacheAge*2, append(modules, code...)...)
	if err := first.PruneCache(); err != nil { // it uses them
		t.Fatal(err)
	}
	if m, c := cacheFiles(t, dir); !slices.Equal(m, modules) || !slices.Equal(c, code) {
		t.Errorf("what is used was removed: %d modules, %d files of code are left", len(m), len(c))
	}
	first.Close(t.Context())

	second := open()
	defer second.Close(t.Context())
	load(t, second, answering(0, false), runtime.FunctionConfig{})
	stranger := filepath.Join(filepath.Dir(code[0]), "stranger") // within its age, but over the size
	if err := os.WriteFile(stranger, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(stranger, runtime.CacheBytes); err != nil {
		t.Fatal(err)
	}
	age(t, time.Hour, stranger)
	left, working := filepath.Join(dir, "new-left"), filepath.Join(dir, "new-working")
	for _, own := range []string{left, working} {
		if err := os.Mkdir(own, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	age(t, time.Hour, left)
	if err := second.PruneCache(); err != nil {
		t.Fatal(err)
	}
	if m, c := cacheFiles(t, dir); len(m) != 1 || len(c) != 1 {
		t.Errorf("%d modules, %d files of code are left, want one of each: %q", len(m), len(c), c)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a compiler left behind: %v", err)
	}
	if _, err := os.Stat(working); err != nil {
		t.Error(err)
	}
}

// A module whose code is gone is compiled apart again, never by the server.
func TestCodeThatIsGoneIsCompiledApart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	for _, test := range []struct {
		compiler []string
		want     string
	}{
		{[]string{os.Args[0], compileArgument}, ""},
		{[]string{"false"}, "cannot be compiled"},
		{[]string{os.Args[0], compileArgument}, ""},
	} {
		engine, err := runtime.New(t.Context(), runtime.Config{CacheDir: dir, Compiler: test.compiler})
		if err != nil {
			t.Fatal(err)
		}
		_, err = engine.Load(t.Context(), answering(0, false), runtime.FunctionConfig{Name: "f"})
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.compiler, err, test.want)
		}
		engine.Close(t.Context())
		_, code := cacheFiles(t, dir)
		for _, file := range code {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
	}
}
