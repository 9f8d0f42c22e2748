package runtime_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// program makes a command of a body; index 0 is fd_write, 1 is proc_exit.
func program(body ...byte) []byte {
	var m w.Module
	m.Import(abi.ModuleWASI, "fd_write", []byte{w.I32, w.I32, w.I32, w.I32}, []byte{w.I32})
	m.Import(abi.ModuleWASI, "proc_exit", []byte{w.I32}, nil)
	m.Memory(2)
	m.ExportMemory("memory")
	m.Data(0, "\x10\x00\x00\x00\x00\x00\x01\x00") // one iovec: 64 KiB at 16
	m.ExportFunc(abi.ExportStart, m.Func(nil, nil, body...))
	return m.Bytes()
}

func exit(code int64) []byte {
	return append(append([]byte{w.I32Const}, w.Int(code)...), w.Call, 1)
}

// forever repeats a body.
func forever(body ...byte) []byte {
	return append(append([]byte{w.Loop, w.Void}, body...), w.Br, 0, w.End)
}

// write writes the iovec at 0 to a descriptor.
func write(fd byte) []byte {
	return []byte{w.I32Const, fd, w.I32Const, 0, w.I32Const, 1, w.I32Const, 8, w.Call, 0, w.Drop}
}

func TestEveryWayToFailHasItsFault(t *testing.T) {
	engine := newEngine(t)
	for name, test := range map[string]struct {
		module  []byte
		fault   abi.Fault
		message string
	}{
		"a trap":                   {program(w.Unreachable), abi.FaultTrap, "unreachable"},
		"exit 3":                   {program(exit(3)...), abi.FaultExit, "exit status 3"},
		"a forged deadline":        {program(exit(-0x10000001)...), abi.FaultExit, "exit status 4026531839"},
		"a forged cancellation":    {program(exit(-1)...), abi.FaultExit, "exit status 4294967295"},
		"a loop":                   {program(forever()...), abi.FaultDeadline, "Task timed out after 0.30 seconds"},
		"a tree of calls":          {tree(), abi.FaultDeadline, "timed out"},
		"a loop of writes to log":  {program(forever(write(2)...)...), abi.FaultDeadline, "timed out"},
		"no output":                {program(), abi.FaultBadResponse, "unexpected end of JSON input"},
		"output that is no JSON":   {program(write(1)...), abi.FaultBadResponse, "error decoding lambda response"},
		"output without end":       {program(forever(write(1)...)...), abi.FaultResponseTooLarge, "response too large"},
		"output before a failure":  {program(append(write(1), exit(1)...)...), abi.FaultExit, "exit status 1"},
		"deep recursion":           {recursion(), abi.FaultStack, "call stack exhausted"},
		"an import at the wrong":   {calls("set_status_code", []byte{w.I32}, w.I32Const, 5), abi.FaultBadResponse, "status 5"},
		"a wild pointer":           {calls("set_uri", []byte{w.I32, w.I32}, w.I32Const, 0x7f, w.I32Const, 9), abi.FaultTrap, "outside the memory"},
		"an endless text":          {calls("set_method", []byte{w.I32, w.I32}, w.I32Const, 0, w.I32Const, 0x7f), abi.FaultTrap, "the limit is"},
		"an unknown kind of field": {calls("remove_header", []byte{w.I32, w.I32, w.I32}, w.I32Const, 9, w.I32Const, 0, w.I32Const, 1), abi.FaultTrap, "no such kind"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout := 10 * time.Second
			if test.fault == abi.FaultDeadline {
				timeout = 300 * time.Millisecond
			}
			f := load(t, engine, test.module, runtime.FunctionConfig{Limits: runtime.Limits{Timeout: timeout}})
			start := time.Now()
			_, err := f.Invoke(t.Context(), &abi.Request{ID: "ID"}, &abi.Response{Body: &abi.Buffer{Limit: abi.ResponseBodyBytes}})
			if took := time.Since(start); took > timeout+2*time.Second {
				t.Errorf("took %v", took)
			}
			var fault abi.Faulter
			if !errors.As(err, &fault) || fault.Fault() != test.fault || !strings.Contains(err.Error(), test.message) {
				t.Errorf("got %v, want %s with %q", err, test.fault, test.message)
			}
		})
	}
}

// tree calls itself twice, 2^62 times in all, without a loop.
func tree() []byte {
	var m w.Module
	m.Memory(1)
	leaf := m.Func(nil, nil)
	for range 62 {
		leaf = m.Func(nil, nil, w.Call, byte(leaf), w.Call, byte(leaf))
	}
	m.ExportFunc(abi.ExportStart, leaf)
	return m.Bytes()
}

func recursion() []byte {
	var m w.Module
	m.Memory(1)
	m.ExportFunc(abi.ExportStart, m.Func(nil, nil, w.Call, 0))
	return m.Bytes()
}

// calls is a handler that calls an import with arguments that are already on
// the stack.
func calls(name string, params []byte, arguments ...byte) []byte {
	var m w.Module
	f := m.Import(abi.ModuleHandler, name, params, nil)
	m.Memory(1)
	m.ExportMemory("memory")
	body := append(arguments, w.Call, byte(f), w.I64Const, 1)
	m.ExportFunc(abi.ExportHandleRequest, m.Func(nil, []byte{w.I64}, body...))
	m.ExportFunc(abi.ExportHandleResponse, m.Func([]byte{w.I32, w.I32}, nil))
	return m.Bytes()
}

func TestFuelIsCountedAndLimited(t *testing.T) {
	engine := newEngine(t)
	body := append(exit(0), w.Unreachable)
	for range 3 {
		f := load(t, engine, program(body...), runtime.FunctionConfig{})
		usage, _ := f.Invoke(t.Context(), &abi.Request{}, &abi.Response{Body: &abi.Buffer{}})
		if usage.Fuel != 51 { // a constant and a call of an import
			t.Errorf("fuel %d", usage.Fuel)
		}
	}
	f := load(t, engine, program(forever()...), runtime.FunctionConfig{Limits: runtime.Limits{Fuel: 900_001}})
	usage, err := f.Invoke(t.Context(), &abi.Request{}, &abi.Response{Body: &abi.Buffer{}})
	var fault abi.Faulter
	if !errors.As(err, &fault) || fault.Fault() != abi.FaultFuel || !strings.Contains(err.Error(), "900001") {
		t.Errorf("got %v", err)
	}
	if usage.Fuel < 899_000 || usage.Fuel > 900_001 {
		t.Errorf("fuel %d", usage.Fuel)
	}
}

func TestACancelledInvocationEnds(t *testing.T) {
	f := load(t, newEngine(t), program(forever()...), runtime.FunctionConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err := f.Invoke(ctx, &abi.Request{}, &abi.Response{Body: &abi.Buffer{}})
	var fault abi.Faulter
	if !errors.As(err, &fault) || fault.Fault() != abi.FaultCanceled {
		t.Errorf("got %v", err)
	}
}

// grow grows the memory by pages and traps if that fails.
func grow(pages int64) []byte {
	body := append([]byte{w.I32Const}, w.Int(pages)...)
	const ifLess, i32Const, less = 0x04, w.I32Const, 0x48
	return append(body, w.MemoryGrow, 0, i32Const, 0, less, ifLess, w.Void, w.Unreachable, w.End)
}

func TestMemoryIsLimitedPerFunctionAndPerHost(t *testing.T) {
	const budget = 8 << 20
	engine, err := runtime.New(t.Context(), runtime.Config{MemoryBudget: budget})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close(t.Context())
	for name, test := range map[string]struct {
		grow  int64 // pages, on top of two
		limit uint32
		fault abi.Fault
		peak  int64
	}{
		"within both":          {8, 10, abi.FaultBadResponse, 10 * abi.PageBytes},
		"over the function's":  {9, 10, abi.FaultTrap, 2 * abi.PageBytes},
		"at the host's budget": {110, 1000, abi.FaultBadResponse, budget / 8 * 7},
		"over the host's":      {111, 1000, abi.FaultHostBusy, 2 * abi.PageBytes},
	} {
		t.Run(name, func(t *testing.T) {
			f := load(t, engine, program(grow(test.grow)...), runtime.FunctionConfig{Limits: runtime.Limits{MemoryPages: test.limit}})
			usage, err := f.Invoke(t.Context(), &abi.Request{}, &abi.Response{Body: &abi.Buffer{}})
			var fault abi.Faulter
			if !errors.As(err, &fault) || fault.Fault() != test.fault {
				t.Errorf("got %v, want %s", err, test.fault)
			}
			if usage.MemoryBytes != test.peak {
				t.Errorf("peak %d, want %d", usage.MemoryBytes, test.peak)
			}
			if used := engine.MemoryUsed(); used != 0 {
				t.Errorf("%d bytes are still in use", used)
			}
		})
	}
}

func TestTheLogIsCutIntoLinesAndCapped(t *testing.T) {
	var lines []string
	f := load(t, newEngine(t), program(append(write(2), write(2)...)...), runtime.FunctionConfig{
		Limits: runtime.Limits{LogBytes: 100 << 10},
		Log:    func(_ *abi.Request, line []byte) { lines = append(lines, string(line)) },
	})
	usage, _ := f.Invoke(t.Context(), &abi.Request{}, &abi.Response{Body: &abi.Buffer{}})
	if usage.LogBytes != 100<<10 {
		t.Errorf("logged %d bytes", usage.LogBytes)
	}
	if n := len(lines); n != 8 || len(lines[0]) != 16<<10 || lines[n-1] != "(log truncated after 102400 bytes)" {
		t.Errorf("%d lines, the last %q", n, lines[n-1])
	}
}
