package runtime

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// counter is a handler that answers with the status 201 when its state is fresh,
// by a global and by memory, and traps when the request has a body. Its memory
// has pages, which start with data.
func counter(pages uint64) []byte {
	var m w.Module
	status := m.Import(abi.ModuleHandler, "set_status_code", []byte{w.I32}, nil)
	body := m.Import(abi.ModuleHandler, "read_body", []byte{w.I32, w.I32, w.I32}, []byte{w.I64})
	m.Memory(pages)
	m.ExportMemory(abi.ExportMemory)
	m.Data(0, "\x01\x00\x00\x00")
	count := m.Global(w.I32, w.Code{}.I32(100))
	const wrap = 0xa7 // i32.wrap_i64
	handle := w.Code{}.I32(0, 64, 8).Call(uint64(body)).Op(wrap).If(w.Code{}.Op(w.Unreachable)).
		// the global and what memory holds count up; the status is their sum
		Index(w.GlobalGet, count).Load(0).Op(w.I32Add).I32(100).Op(w.I32Add).Call(uint64(status)).
		Index(w.GlobalGet, count).I32(1).Op(w.I32Add).Index(w.GlobalSet, count).
		Store(0, 7).I64(0)
	m.ExportFunc(abi.ExportHandleRequest, m.Func(nil, []byte{w.I64}, handle...))
	m.ExportFunc(abi.ExportHandleResponse, m.Func([]byte{w.I32, w.I32}, nil))
	return m.Bytes()
}

func newPoolEngine(t *testing.T, config Config) *Engine {
	t.Helper()
	e, err := New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if used := e.MemoryUsed(); used != 0 {
			t.Errorf("%d bytes are still in use", used)
		}
	})
	return e
}

func loadWarm(t *testing.T, e *Engine, module []byte, config FunctionConfig) *Function {
	t.Helper()
	f, err := e.Load(t.Context(), module, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close(context.Background()) })
	if err := f.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

// ask wants the status 201, or a trap.
func ask(t *testing.T, f *Function, trap bool) Usage {
	t.Helper()
	req := &abi.Request{ID: "ID"}
	if trap {
		req.Body = []byte("trap")
	}
	resp := &abi.Response{Body: &abi.Buffer{Limit: 100}}
	usage, err := f.Invoke(t.Context(), req, resp)
	if trap != (err != nil) || !trap && resp.Status != 201 {
		t.Fatalf("status %d, error %v", resp.Status, err)
	}
	return usage
}

func (p *pool) settle() { p.ahead.Wait() }

func TestAFunctionThatIsIdleHoldsNothing(t *testing.T) {
	e := newPoolEngine(t, Config{})
	f := loadWarm(t, e, counter(4), FunctionConfig{})
	for range 3 {
		ask(t, f, false)
	}
	f.pool.settle()
	if e.MemoryUsed() == 0 || len(f.pool.idle) == 0 {
		t.Fatal("nothing waits: this test proves nothing")
	}
	f.pool.sweep(time.Now())
	if len(f.pool.idle) == 0 {
		t.Error("a sweep took what was just used")
	}
	f.pool.sweep(time.Now().Add(2 * IdleAfter))
	if used := e.MemoryUsed(); used != 0 || f.pool.image != nil {
		t.Errorf("%d bytes and image %v after a minute without a request", used, f.pool.image)
	}
	ask(t, f, false) // by a fresh instance
	f.pool.settle()
	if f.pool.image == nil {
		t.Error("a request does not bring the image back")
	}
	if usage := ask(t, f, false); usage.InitFuel != 0 {
		t.Error("the next request does not start from it")
	}
}

func TestASweepTakesWhatNobodyNeeded(t *testing.T) {
	e := newPoolEngine(t, Config{})
	f := loadWarm(t, e, counter(1), FunctionConfig{})
	var all []*instance
	for range 9 {
		i, err := f.pool.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, i)
	}
	f.pool.settle()
	for _, i := range all {
		f.pool.giveBack(i)
	}
	f.pool.sweep(time.Now()) // the fewest were none until now
	if n := len(f.pool.idle); n < 9 {
		t.Errorf("%d instances wait, want all", n)
	}
	f.pool.sweep(time.Now())
	if n := len(f.pool.idle); n != spare {
		t.Errorf("%d instances wait, want %d", n, spare)
	}
	ask(t, f, false)
}

func TestWhatTrappedIsReplaced(t *testing.T) {
	e := newPoolEngine(t, Config{})
	f := loadWarm(t, e, counter(1), FunctionConfig{})
	for range 20 {
		ask(t, f, false)
		f.pool.settle()
		next := f.pool.idle[len(f.pool.idle)-1]
		ask(t, f, true)
		f.pool.settle()
		if slices.Contains(f.pool.idle, next) {
			t.Fatal("an instance waits for work that trapped")
		}
	}
	if n := len(f.pool.idle); n == 0 {
		t.Error("no instance waits after a trap")
	}
	for _, i := range f.pool.idle {
		if !i.image.same(i) {
			t.Error("an instance that waits is not at its image")
		}
	}
}

func TestInstancesThatWaitMakeRoom(t *testing.T) {
	const pages = 16
	e := newPoolEngine(t, Config{MemoryBudget: 5 * pages * abi.PageBytes})
	first := loadWarm(t, e, counter(pages), FunctionConfig{Name: "first"})
	var together sync.WaitGroup
	for range 3 {
		together.Go(func() { ask(t, first, false) })
	}
	together.Wait()
	first.pool.settle()
	second := loadWarm(t, e, counter(pages), FunctionConfig{Name: "second"})
	var held []*instance
	for range 4 {
		second.pool.settle() // an instance that is being made cannot make room
		i, err := second.pool.take(t.Context())
		if err != nil {
			t.Fatal("instances of another function that wait are in the way: ", err)
		}
		held = append(held, i)
	}
	second.pool.settle()
	closeAll(held)
	ask(t, first, false)
}

func TestAnInstanceThatDiffersAfterItsResetEndsImages(t *testing.T) {
	var log bytes.Buffer
	e := newPoolEngine(t, Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	f := loadWarm(t, e, counter(2), FunctionConfig{Name: "f"})
	i, err := f.pool.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.pool.settle()
	if err := i.reset(); err != nil {
		t.Fatal(err)
	}
	i.served = AuditEvery - 1
	i.audit = func() bool { return false }
	if err := i.reset(); !errors.Is(err, errAudit) {
		t.Fatalf("reset: %v", err)
	}
	i.served = AuditEvery - 1
	f.pool.giveBack(i)
	if f.pool.image != nil || !strings.Contains(log.String(), errAudit.Error()) {
		t.Errorf("image %v, log %q", f.pool.image, &log)
	}
	ask(t, f, false)
	f.pool.settle()
	if f.pool.image != nil {
		t.Error("there is an image again")
	}
}

func TestAnImageForRequestsAtTheSameTime(t *testing.T) {
	e := newPoolEngine(t, Config{})
	f, err := e.Load(t.Context(), counter(3), FunctionConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close(context.Background()) })
	var together sync.WaitGroup
	for range 8 {
		together.Go(func() {
			for n := range 200 {
				ask(t, f, n%17 == 16)
			}
		})
	}
	together.Wait()
}

// reader is a command that reads its input and answers with the status 201.
func reader() []byte { return []byte(pauseTrial) }

func TestAnImageThatIsGivenUpMeanwhileFailsNobody(t *testing.T) {
	for name, module := range map[string][]byte{"a handler": counter(2), "a command": reader()} {
		t.Run(name, func(t *testing.T) {
			e := newPoolEngine(t, Config{})
			f := loadWarm(t, e, module, FunctionConfig{Name: "f"})
			f.pool.settle()
			img := f.pool.image
			f.pool.empty()
			if _, err := f.another(t.Context(), img); !errors.Is(err, errGivenUp) {
				t.Errorf("an instance of it: %v, want %v", err, errGivenUp)
			}
			f.pool.mu.Lock()
			f.pool.image = img // a request took it just before
			f.pool.mu.Unlock()
			ask(t, f, false)
			f.pool.settle()
			f.pool.mu.Lock()
			if f.pool.barred {
				t.Error("the function is served by fresh instances for ever")
			}
			f.pool.image = nil
			f.pool.mu.Unlock()
		})
	}
}

func TestImagesComeAndGoDuringRequests(t *testing.T) {
	e := newPoolEngine(t, Config{})
	f := loadWarm(t, e, reader(), FunctionConfig{Name: "f"})
	var together sync.WaitGroup
	for range 3 {
		together.Go(func() {
			for range 100 {
				ask(t, f, false)
			}
		})
	}
	done := make(chan struct{})
	go func() { defer close(done); together.Wait() }()
	for isDone := false; !isDone; {
		select {
		case <-done:
			isDone = true
		default:
			f.pool.empty()
			runtime.Gosched()
		}
	}
	f.pool.settle()
	if f.pool.barred || f.pool.unfit != nil {
		t.Errorf("barred %t, unfit %v", f.pool.barred, f.pool.unfit)
	}
}

// TestResumeIsCalledBeforeEachRequest has a handler that keeps a random number of
// its _initialize, and answers 201 if cloche_resume was called once since.
func TestResumeIsCalledBeforeEachRequest(t *testing.T) {
	var m w.Module
	status := m.Import(abi.ModuleHandler, "set_status_code", []byte{w.I32}, nil)
	random := m.Import(abi.ModuleWASI, "random_get", []byte{w.I32, w.I32}, []byte{w.I32})
	m.Memory(1)
	m.ExportMemory(abi.ExportMemory)
	resumed := m.Global(w.I32, w.Code{}.I32(0))
	m.ExportFunc(abi.ExportInitialize, m.Func(nil, nil, w.Code{}.I32(64, 8).Call(random).Op(w.Drop)...))
	m.ExportFunc(abi.ExportResume, m.Func(nil, nil, w.Code{}.Index(w.GlobalGet, resumed).I32(1).Op(w.I32Add).Index(w.GlobalSet, resumed)...))
	m.ExportFunc(abi.ExportHandleRequest, m.Func(nil, []byte{w.I64}, w.Code{}.I32(200).Index(w.GlobalGet, resumed).Op(w.I32Add).Call(status).I64(0)...))
	m.ExportFunc(abi.ExportHandleResponse, m.Func([]byte{w.I32, w.I32}, nil))
	f := loadWarm(t, newPoolEngine(t, Config{}), m.Bytes(), FunctionConfig{})
	for range 5 {
		ask(t, f, false)
	}
	if f.pool.unfit != nil {
		t.Errorf("the hook does not count: %v", f.pool.unfit)
	}
}
