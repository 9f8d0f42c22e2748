package wasi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/sys"
)

// TestSuite runs the programs of WebAssembly/wasi-testsuite, whose binaries are
// not ours to commit: set WASI_TESTSUITE to a checkout of its branch
// prod/testsuite-base. Each runs with a directory of the host and in memory.
func TestSuite(t *testing.T) {
	checkout := os.Getenv("WASI_TESTSUITE")
	if checkout == "" {
		t.Skip("WASI_TESTSUITE is not set")
	}
	programs, err := filepath.Glob(filepath.Join(checkout, "tests", "*", "testsuite", "wasm32-wasip1", "*.wasm"))
	if err != nil || len(programs) == 0 {
		t.Fatalf("no programs below %s: %v", checkout, err)
	}
	for _, program := range programs {
		name := strings.TrimSuffix(filepath.Base(program), ".wasm")
		t.Run("host/"+name, func(t *testing.T) { runSuite(t, program, onHost) })
		t.Run("memory/"+name, func(t *testing.T) { runSuite(t, program, inMemory) })
	}
}

// suiteCase is the file beside a program.
// https://github.com/WebAssembly/wasi-testsuite/blob/main/doc/specification.md
type suiteCase struct {
	Root     string            `json:"root"`
	Args     []string          `json:"args"`
	Env      map[string]string `json:"env"`
	ExitCode uint32            `json:"exit_code"`
	Stdout   *string           `json:"stdout"`
}

func runSuite(t *testing.T, program string, open func(*testing.T, Config, string) *System) {
	module, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var test suiteCase
	if text, err := os.ReadFile(strings.TrimSuffix(program, ".wasm") + ".json"); err == nil {
		if err := json.Unmarshal(text, &test); err != nil {
			t.Fatal(err)
		}
	}
	config := Config{Args: append([]string{filepath.Base(program)}, test.Args...)}
	for name, value := range test.Env {
		config.Env = append(config.Env, name+"="+value)
	}
	if !strings.Contains(program, "assemblyscript") { // which counts its variables
		config.Env = append(config.Env, "ERRNO_MODE_UNIX=1")
	}
	root := ""
	if test.Root != "" {
		root = filepath.Join(filepath.Dir(program), test.Root)
	}
	var out, log bytes.Buffer
	system := open(t, config, root)
	defer system.Close()
	system.Begin(Streams{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &log}, nil)
	code, err := runModule(t, system, module)
	if err != nil || code != test.ExitCode || test.Stdout != nil && out.String() != *test.Stdout {
		t.Errorf("exit %d, %v\n%s%s", code, err, &out, &log)
	}
}

func runModule(t *testing.T, system *System, module []byte) (uint32, error) {
	ctx, cancel := context.WithTimeout(With(t.Context(), system), 20*time.Second)
	defer cancel()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCloseOnContextDone(true))
	defer rt.Close(ctx)
	if err := Instantiate(ctx, rt); err != nil {
		t.Fatal(err)
	}
	_, err := rt.InstantiateWithConfig(ctx, module, wazero.NewModuleConfig())
	var exit *sys.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// onHost gives a program a copy of its directory.
func onHost(t *testing.T, config Config, from string) *System {
	if from != "" {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = root.Close() })
		config.Dirs = []Dir{{Guest: "/", Root: root}}
	}
	system, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return system
}

// inMemory puts the directory into /tmp, and /tmp at "/".
func inMemory(t *testing.T, config Config, from string) *System {
	if from == "" {
		return onHost(t, config, from)
	}
	config.TmpBytes = DefaultTmpBytes
	system, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	system.initial[3].preopen, system.table[3].preopen = "/", "/"
	g := &guest{t: t, ctx: t.Context(), sys: system, mem: newMemory(t, 1), next: 8}
	files := os.DirFS(from)
	err = fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || path == ".":
			return err
		case entry.IsDir():
			g.want("mkdir", g.mkdir(3, path), Success)
			return nil
		}
		text, err := fs.ReadFile(files, path)
		g.create(3, path, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return system
}
