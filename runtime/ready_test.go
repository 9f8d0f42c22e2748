package runtime

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// slow is a handler whose _initialize counts to rounds, and that answers with 201.
func slow(rounds int64) []byte {
	var m w.Module
	status := m.Import(abi.ModuleHandler, "set_status_code", []byte{w.I32}, nil)
	m.Memory(1)
	m.ExportMemory(abi.ExportMemory)
	const unequal = 0x47 // i32.ne
	count := w.Code{}.Index(w.LocalGet, 0).I32(1).Op(w.I32Add).Index(w.LocalTee, 0).I32(rounds).Op(unequal).Index(w.BrIf, 0)
	m.ExportFunc(abi.ExportInitialize, m.FuncLocals(nil, nil, []w.Locals{{Count: 1, Type: w.I32}}, w.Code{}.Loop(count)))
	m.ExportFunc(abi.ExportHandleRequest, m.Func(nil, []byte{w.I64}, w.Code{}.I32(201).Call(status).I64(0)...))
	m.ExportFunc(abi.ExportHandleResponse, m.Func([]byte{w.I32, w.I32}, nil))
	return m.Bytes()
}

// TestGettingReadyIsNotAtTheExpenseOfARequest has abi/ABI.md's rules 60 and 66:
// a function that was idle, whose image is gone, would answer 504 for ever.
func TestGettingReadyIsNotAtTheExpenseOfARequest(t *testing.T) {
	e := newPoolEngine(t, Config{})
	for name, limits := range map[string]Limits{
		"its fuel": {Fuel: 1_000_000},
		"its time": {Timeout: 20 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			f := loadWarm(t, e, slow(100_000_000), FunctionConfig{Limits: limits})
			ask(t, f, false)
			f.pool.settle()
			f.pool.sweep(time.Now().Add(2 * IdleAfter))
			if usage := ask(t, f, false); usage.InitFuel < 1_000_000 || usage.Fuel > 1_000 {
				t.Errorf("%+v: it did not get ready with this request, or at its expense", usage)
			}
		})
	}
}

func TestGettingReadyThatIsCancelledSaysNothingAboutTheGuest(t *testing.T) {
	e := newPoolEngine(t, Config{})
	f, err := e.Load(t.Context(), reader(), FunctionConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close(context.Background()) })
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	var known abi.Faulter
	if err := f.Warm(gone); !errors.As(err, &known) || known.Fault() != abi.FaultCanceled {
		t.Errorf("%v, want a cancellation", err)
	}
	if err := f.Warm(t.Context()); err != nil || f.pool.image == nil || f.pool.image.unborn {
		t.Errorf("error %v, image %+v", err, f.pool.image)
	}
}

// starter is a command whose start function reads its input, after some work, and
// whose _start answers with 201.
func starter() []byte {
	var m w.Module
	read := m.Import(abi.ModuleWASI, "fd_read", []byte{w.I32, w.I32, w.I32, w.I32}, []byte{w.I32})
	write := m.Import(abi.ModuleWASI, "fd_write", []byte{w.I32, w.I32, w.I32, w.I32}, []byte{w.I32})
	m.Memory(1)
	m.ExportMemory(abi.ExportMemory)
	const answer = `{"statusCode":201}`
	m.Data(0, "\x40\x00\x00\x00\x80\x00\x00\x00")
	m.Data(8, "\x20\x00\x00\x00"+string(rune(len(answer)))+"\x00\x00\x00")
	m.Data(32, answer)
	m.Start(m.Func(nil, nil, w.Code{}.I32(0, 0, 1, 16).Call(read).Op(w.Drop)...))
	m.ExportFunc(abi.ExportStart, m.Func(nil, nil, w.Code{}.I32(1, 8, 1, 16).Call(write).Op(w.Drop)...))
	return m.Bytes()
}

func TestAStartFunctionThatReadsItsInput(t *testing.T) {
	var log bytes.Buffer
	e := newPoolEngine(t, Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	f := loadWarm(t, e, starter(), FunctionConfig{})
	const want = "its start function asks for the request"
	if f.pool.image == nil || !f.pool.image.unborn || !strings.Contains(log.String(), want) {
		t.Errorf("image %+v, log %s, want one of the unborn guest, and %q", f.pool.image, &log, want)
	}
	first := ask(t, f, false)
	for n := range 4 { // by an instance that served before: nothing of that may be left
		if usage := ask(t, f, false); usage.Fuel != first.Fuel || usage.InitFuel != first.InitFuel {
			t.Errorf("request %d: %+v, the first one %+v", n, usage, first)
		}
	}
}

func TestAResumeOfAnotherTypeIsRefused(t *testing.T) {
	var m w.Module
	m.Memory(1)
	m.ExportMemory(abi.ExportMemory)
	m.ExportFunc(abi.ExportResume, m.Func(nil, []byte{w.I32}, w.Code{}.I32(1)...))
	m.ExportFunc(abi.ExportHandleRequest, m.Func(nil, []byte{w.I64}, w.Code{}.I64(0)...))
	m.ExportFunc(abi.ExportHandleResponse, m.Func([]byte{w.I32, w.I32}, nil))
	if _, err := newPoolEngine(t, Config{}).Load(t.Context(), m.Bytes(), FunctionConfig{}); err == nil || !strings.Contains(err.Error(), abi.ExportResume) {
		t.Errorf("error %v: each of its requests would fail", err)
	}
}

// TestTheSameRequestCostsTheSameHoweverTheGuestGotReady has abi/ABI.md's rule 66.
func TestTheSameRequestCostsTheSameHoweverTheGuestGotReady(t *testing.T) {
	e := newPoolEngine(t, Config{})
	for name, module := range map[string][]byte{"a command": reader(), "a handler": counter(1), "one with an init": slow(1000), "deep calls": deep(1000)} {
		t.Run(name, func(t *testing.T) {
			fresh := loadWarm(t, e, module, FunctionConfig{Isolation: abi.IsolationFresh})
			want := ask(t, fresh, false).Fuel
			unborn, err := e.Load(t.Context(), module, FunctionConfig{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unborn.Close(t.Context()) })
			unborn.pool.giveUp(errUnstable)
			if err := unborn.Warm(t.Context()); err != nil {
				t.Fatal(err)
			}
			snapshot := loadWarm(t, e, module, FunctionConfig{})
			for range 2 {
				if a, b := ask(t, unborn, false), ask(t, snapshot, false); a.Fuel != want || b.Fuel != want || b.InitFuel != 0 {
					t.Errorf("from its beginning %+v, from an image %+v, want %d", a, b, want)
				}
			}
		})
	}
}
