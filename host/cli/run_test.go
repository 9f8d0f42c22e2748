package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// maker writes its arguments to standard output, makes the directory "made" in
// the first directory it was given, and exits with 7.
func maker(t *testing.T) string {
	t.Helper()
	i32s := func(n int) []byte { return []byte{w.I32, w.I32, w.I32, w.I32}[:n] }
	var m w.Module
	argsGet := byte(m.Import(abi.ModuleWASI, "args_get", i32s(2), []byte{w.I32}))
	write := byte(m.Import(abi.ModuleWASI, "fd_write", i32s(4), []byte{w.I32}))
	mkdir := byte(m.Import(abi.ModuleWASI, "path_create_directory", i32s(3), []byte{w.I32}))
	exit := byte(m.Import(abi.ModuleWASI, "proc_exit", i32s(1), nil))
	m.Memory(1)
	m.ExportMemory("memory")
	m.Data(0, "made\x20\x00\x00\x00\x15\x00\x00\x00") // at 4: 21 bytes at 32
	m.ExportFunc(abi.ExportStart, m.Func(nil, nil,
		w.I32Const, 16, w.I32Const, 32, w.Call, argsGet, w.Drop,
		w.I32Const, 1, w.I32Const, 4, w.I32Const, 1, w.I32Const, 12, w.Call, write, w.Drop,
		w.I32Const, 3, w.I32Const, 0, w.I32Const, 4, w.Call, mkdir, w.Drop,
		w.I32Const, 7, w.Call, exit))
	path := filepath.Join(t.TempDir(), "maker.wasm")
	if err := os.WriteFile(path, m.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// nesting calls itself 20,000 times.
func nesting(t *testing.T) string {
	t.Helper()
	var m w.Module
	m.Memory(1)
	self := m.Func([]byte{w.I32}, nil, w.Code{}.Index(w.LocalGet, 0).If(w.Code{}.Index(w.LocalGet, 0).I32(1).Op(w.I32Sub).Call(0))...)
	m.ExportFunc(abi.ExportStart, m.Func(nil, nil, w.Code{}.I32(20_000).Call(self)...))
	path := filepath.Join(t.TempDir(), "nesting.wasm")
	if err := os.WriteFile(path, m.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRunAModule(t *testing.T) {
	module, dir := maker(t), t.TempDir()
	for name, test := range map[string]struct {
		args []string
		out  string
		err  string
		code int
	}{
		"arguments and the exit code": {[]string{module, "--", "-x", "--two"}, "maker.wasm\x00-x\x00--two\x00\x00", "", 7},
		"a directory":                 {[]string{"--dir", "/=" + dir, "--tmp", "1mb", "--env", "A=1", "--timeout", "10s", module}, "maker.wasm\x00", "", 7},
		"no module":                   {nil, "", "name a module", 2},
		"only arguments":              {[]string{"--", "x"}, "", "name a module", 2},
		"arguments without --":        {[]string{module, "x"}, "", "come after --", 2},
		"a directory without a name":  {[]string{"--dir", "/", module}, "", "write GUEST=HOST", 2},
		"a variable without a value":  {[]string{"--env", "A", module}, "", "write NAME=value", 2},
		"a directory that is not":     {[]string{"--dir", "/=" + dir + "/no", module}, "", "no such file", 1},
		"calls that nest too deep":    {[]string{"--stack", "1mb", nesting(t)}, "", "call stack exhausted: calls are nested too deep for the limit of 1024 KiB", 1},
		"calls that nest as deep":     {[]string{nesting(t)}, "", "", 0},
		"a module that is not":        {[]string{dir + "/no.wasm"}, "", "no such file", 1},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := run(t, nil, append([]string{"run"}, test.args...)...)
			if code != test.code || !strings.HasPrefix(stdout, test.out) || !strings.Contains(stderr, test.err) {
				t.Errorf("exit %d, %q, %q", code, stdout, stderr)
			}
			if code == 7 && stderr != "" {
				t.Errorf("the program's exit is explained: %q", stderr)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "made")); err != nil {
		t.Error(err)
	}
}

func TestExitCodesStayFailures(t *testing.T) {
	for code, want := range map[uint32]int{1: 1, 33: 33, 255: 255, 256: 1, 0xffffffff: 1} {
		if got := (&exitError{code}).status(); got != want {
			t.Errorf("%d became %d, want %d", code, got, want)
		}
	}
}

// A pipe that nobody reads must not keep a program beyond its timeout.
func TestAProgramWhoseOutputNobodyTakes(t *testing.T) {
	var m w.Module
	write := byte(m.Import(abi.ModuleWASI, "fd_write", []byte{w.I32, w.I32, w.I32, w.I32}, []byte{w.I32}))
	m.Memory(2)
	m.ExportMemory("memory")
	m.Data(0, "\x10\x00\x00\x00\x00\x00\x01\x00")
	m.ExportFunc(abi.ExportStart, m.Func(nil, nil,
		w.Loop, w.Void, w.I32Const, 1, w.I32Const, 0, w.I32Const, 1, w.I32Const, 8, w.Call, write, w.Drop, w.Br, 0, w.End))
	module := filepath.Join(t.TempDir(), "writer.wasm")
	if err := os.WriteFile(module, m.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	r, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := command(ctx, nil, "run", "--timeout", "100ms", module)
	cmd.Stdout = pipe
	err = cmd.Run()
	_ = pipe.Close()
	if code := cmd.ProcessState.ExitCode(); code != 1 || ctx.Err() != nil {
		t.Errorf("exit %d, %v", code, err)
	}
}
