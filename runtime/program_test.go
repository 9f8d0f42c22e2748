package runtime_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// calling makes a command that calls one function of preview 1, with memory of
// pages that holds data at 0.
func calling(name string, params []byte, pages uint64, data string, arguments ...byte) []byte {
	var m w.Module
	f := m.Import(abi.ModuleWASI, name, params, []byte{w.I32})
	m.Memory(pages)
	m.ExportMemory("memory")
	m.Data(0, data)
	m.ExportFunc(abi.ExportStart, m.Func(nil, nil, append(arguments, w.Call, byte(f), w.Drop)...))
	return m.Bytes()
}

// sleeping sleeps for as long as there is.
func sleeping() []byte {
	subscription := make([]byte, 48)
	for i := range 8 {
		subscription[24+i] = 0xff // the timeout
	}
	return calling("poll_oneoff", []byte{w.I32, w.I32, w.I32, w.I32}, 1, string(subscription),
		w.I32Const, 0, w.I32Const, 48, w.I32Const, 1, w.I32Const, 56)
}

// rolling asks for 62 MiB of randomness at once.
func rolling() []byte {
	arguments := append([]byte{w.I32Const, 0, w.I32Const}, w.Int(1000<<16)...)
	return calling("random_get", []byte{w.I32, w.I32}, 1000, "", arguments...)
}

func TestNoCallOutlivesTheDeadline(t *testing.T) {
	engine := newEngine(t)
	for name, module := range map[string][]byte{"a sleep": sleeping(), "randomness": rolling()} {
		f := load(t, engine, module, runtime.FunctionConfig{Limits: runtime.Limits{Timeout: 30 * time.Millisecond}})
		start := time.Now()
		_, err := f.Invoke(t.Context(), &abi.Request{ID: "ID"}, &abi.Response{Body: &abi.Buffer{}})
		var fault abi.Faulter
		if !errors.As(err, &fault) || fault.Fault() != abi.FaultDeadline {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

// making makes the directory "made" below the first one it was given.
func making() []byte {
	return calling("path_create_directory", []byte{w.I32, w.I32, w.I32}, 1, "made", w.I32Const, 3, w.I32Const, 0, w.I32Const, 4)
}

// waiting reads standard input.
func waiting() []byte {
	return calling("fd_read", []byte{w.I32, w.I32, w.I32, w.I32}, 1, "\x20\x00\x00\x00\x20\x00\x00\x00",
		w.I32Const, 0, w.I32Const, 0, w.I32Const, 1, w.I32Const, 16)
}

func TestRunAProgram(t *testing.T) {
	engine := newEngine(t)
	dir := t.TempDir()
	rootDir, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer rootDir.Close()
	never, writer := io.Pipe()
	defer writer.Close()
	for name, test := range map[string]struct {
		module  []byte
		program runtime.Program
		code    uint32
		err     string
		fault   abi.Fault
	}{
		"one that returns":         {program(), runtime.Program{}, 0, "", ""},
		"exit 0":                   {program(exit(0)...), runtime.Program{}, 0, "", ""},
		"exit 33":                  {program(exit(33)...), runtime.Program{}, 33, "", ""},
		"a forged deadline":        {program(exit(-0x10000001)...), runtime.Program{}, math.MaxUint32 - 0x10000000, "", ""},
		"a trap":                   {program(w.Unreachable), runtime.Program{}, 0, "unreachable", abi.FaultTrap},
		"a loop":                   {program(forever()...), runtime.Program{Timeout: 50 * time.Millisecond}, 0, "timeout", abi.FaultDeadline},
		"a sleep":                  {sleeping(), runtime.Program{Timeout: 50 * time.Millisecond}, 0, "timeout", abi.FaultDeadline},
		"one that waits for input": {waiting(), runtime.Program{Stdin: never, Timeout: 50 * time.Millisecond}, 0, "timeout", abi.FaultDeadline},
		"one with input":           {waiting(), runtime.Program{Stdin: strings.NewReader("x")}, 0, "", ""},
		"one with a directory":     {making(), runtime.Program{Dirs: []runtime.Dir{{Guest: "/", Root: rootDir}}}, 0, "", ""},
		"garbage":                  {[]byte("hello, world"), runtime.Program{}, 0, "not a WebAssembly module", ""},
		"a handler":                {calls("set_status_code", []byte{w.I32}, w.I32Const, 5), runtime.Program{}, 0, "_start", ""},
		"too much memory":          {rolling(), runtime.Program{MemoryPages: 10}, 0, "no memory left", abi.FaultHostBusy},
	} {
		code, err := engine.Run(t.Context(), test.module, test.program)
		if code != test.code || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %d, %v; want %d, %q", name, code, err, test.code, test.err)
		}
		var fault abi.Faulter
		if errors.As(err, &fault) && fault.Fault() != test.fault {
			t.Errorf("%s: fault %s, want %s", name, fault.Fault(), test.fault)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "made")); err != nil {
		t.Error(err)
	}
	if used := engine.MemoryUsed(); used != 0 {
		t.Errorf("%d bytes are still in use", used)
	}
}

func TestAProgramsOutput(t *testing.T) {
	var out, log bytes.Buffer
	body := append(write(1), write(2)...)
	_, err := newEngine(t).Run(t.Context(), program(body...), runtime.Program{Stdout: &out, Stderr: &log})
	if err != nil || out.Len() != 64<<10 || log.Len() != 64<<10 {
		t.Errorf("%d and %d bytes, %v", out.Len(), log.Len(), err)
	}
}
