package runtime_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// nesting is a command that calls itself depth times and then exits.
func nesting(depth int64) []byte {
	var m w.Module
	exit := m.Import(abi.ModuleWASI, "proc_exit", []byte{w.I32}, nil)
	m.Memory(1)
	left := w.Code{}.Index(w.LocalGet, 0).I32(1).Op(w.I32Sub)
	self := m.Func([]byte{w.I32}, nil, w.Code{}.Index(w.LocalGet, 0).If(left.Call(exit+1)).I32(7).Call(exit)...)
	m.ExportFunc(abi.ExportStart, m.Func(nil, nil, w.Code{}.I32(depth).Call(self)...))
	return m.Bytes()
}

// deepest is a depth at which nesting takes a little less than abi.StackBytes.
const deepest = 120_000

func TestCallsNestAsDeepAsTheirLimitAndTheHostsMemoryLetThem(t *testing.T) {
	const budget = 64 << 20
	for name, test := range map[string]struct {
		depth         int64
		limit, budget int64
		fault         abi.Fault
		message       string
	}{
		"deep recursion":             {10_000, 0, 0, abi.FaultExit, "exit status 7"},
		"just within the default":    {deepest, 0, budget, abi.FaultExit, "exit status 7"},
		"over the default":           {deepest * 3 / 2, 0, budget, abi.FaultStack, "call stack exhausted: calls are nested too deep for the limit of 16384 KiB"},
		"over it, within a larger":   {deepest * 3 / 2, 32 << 20, 0, abi.FaultExit, "exit status 7"},
		"over a small limit":         {1000, 40 << 10, 0, abi.FaultStack, "40 KiB"},
		"within a small limit":       {300, 40 << 10, 0, abi.FaultExit, "exit status 7"},
		"no memory left for it":      {deepest, 0, 16 << 20, abi.FaultHostBusy, "no memory left"},
		"over the limit of wazero's": {1 << 30, 1 << 40, 0, abi.FaultStack, "call stack exhausted"},
	} {
		t.Run(name, func(t *testing.T) {
			engine, err := runtime.New(t.Context(), runtime.Config{MemoryBudget: test.budget})
			if err != nil {
				t.Fatal(err)
			}
			defer engine.Close(t.Context())
			f := load(t, engine, nesting(test.depth), runtime.FunctionConfig{Limits: runtime.Limits{StackBytes: test.limit}})
			for range 2 { // a trap leaves nothing behind
				_, err = f.Invoke(t.Context(), &abi.Request{}, &abi.Response{Body: &abi.Buffer{}})
				var fault abi.Faulter
				if !errors.As(err, &fault) || fault.Fault() != test.fault || !strings.Contains(err.Error(), test.message) {
					t.Errorf("got %v, want %s with %q", err, test.fault, test.message)
				}
				if used := engine.MemoryUsed(); used != 0 {
					t.Errorf("%d bytes are still in use", used)
				}
			}
		})
	}
}

func TestAProgramsCallsNestAsDeepAsItsLimit(t *testing.T) {
	engine := newEngine(t)
	for name, test := range map[string]struct {
		limit int64
		code  uint32
		fault abi.Fault
	}{"within": {0, 7, ""}, "over": {1 << 20, 0, abi.FaultStack}} {
		code, err := engine.Run(t.Context(), nesting(deepest), runtime.Program{Args: []string{"p"}, Stdout: io.Discard, Stderr: io.Discard, StackBytes: test.limit})
		var fault abi.Faulter
		if code != test.code || (test.fault == "") != (err == nil) || err != nil && (!errors.As(err, &fault) || fault.Fault() != test.fault) {
			t.Errorf("%s: exit code %d, %v", name, code, err)
		}
		if used := engine.MemoryUsed(); used != 0 {
			t.Errorf("%s: %d bytes are still in use", name, used)
		}
	}
}
