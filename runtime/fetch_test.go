package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// fetching builds handlers that fetch. Each function has two locals.
type fetching struct {
	module                                                w.Module
	fetch, head, body, forget, fault, code, write, status uint64
	init                                                  w.Code
}

const (
	headAt = 0x100 // what a test wants to fetch
	bodyAt = 0x800
	roomAt = 0x1000 // where answers go
	room   = 0x1000
)

func newFetching(head, body string) *fetching {
	const i32 = w.I32
	f := &fetching{}
	m := &f.module
	result := []byte{i32}
	f.fetch = m.Import(abi.ModuleCloche, abi.ImportFetch, []byte{i32, i32, i32, i32}, result)
	f.head = m.Import(abi.ModuleCloche, abi.ImportFetchHead, []byte{i32, i32, i32}, result)
	f.body = m.Import(abi.ModuleCloche, abi.ImportFetchBody, []byte{i32, i32, i32}, result)
	f.forget = m.Import(abi.ModuleCloche, abi.ImportFetchClose, []byte{i32}, nil)
	f.fault = m.Import(abi.ModuleCloche, abi.ImportFetchError, []byte{i32, i32}, result)
	f.code = m.Import(abi.ModuleCloche, abi.ImportFetchStatus, []byte{i32}, result)
	f.write = m.Import(abi.ModuleHandler, "write_body", []byte{i32, i32, i32}, nil)
	f.status = m.Import(abi.ModuleHandler, "set_status_code", []byte{i32}, nil)
	m.Memory(1)
	m.ExportMemory(abi.ExportMemory)
	m.Data(headAt, head)
	m.Data(bodyAt, body)
	return f
}

// handler makes code what the guest does for a request.
func (f *fetching) handler(code w.Code) []byte {
	m := &f.module
	if f.init != nil {
		m.ExportFunc(abi.ExportInitialize, m.Func(nil, nil, f.init...))
	}
	m.ExportFunc(abi.ExportHandleRequest, m.FuncLocals(nil, []byte{w.I64}, []w.Locals{{Count: 2, Type: w.I32}}, code.I64(0)))
	m.ExportFunc(abi.ExportHandleResponse, m.Func([]byte{w.I32, w.I32}, nil))
	return m.Bytes()
}

// send fetches and leaves the handle in local 0.
func (f *fetching) send(head, body string) w.Code {
	return w.Code{}.I32(headAt, int64(len(head)), bodyAt, int64(len(body))).Call(f.fetch).Index(w.LocalSet, 0)
}

// answer writes what a call leaves on the stack, as a length of bytes at roomAt, to
// the response.
func (f *fetching) answer(call w.Code) w.Code {
	return call.Index(w.LocalSet, 1).I32(1, roomAt).Index(w.LocalGet, 1).Call(f.write)
}

func (f *fetching) read(part uint64, limit int64) w.Code {
	return w.Code{}.Index(w.LocalGet, 0).I32(roomAt, limit).Call(part)
}

func call(t *testing.T, f *runtime.Function, req *abi.Request) (*abi.Response, string, error) {
	t.Helper()
	body := &abi.Buffer{Limit: abi.ResponseBodyBytes}
	resp := &abi.Response{Body: body}
	_, err := f.Invoke(t.Context(), req, resp)
	return resp, string(body.Bytes), err
}

func TestAGuestFetches(t *testing.T) {
	const head, body = "PUT http://a.example/x?y manual\nX-A: 1\nx-a:  2 \n", "ping"
	guest := newFetching(head, body)
	code := guest.send(head, body).
		Then(guest.answer(guest.read(guest.head, room))).
		Then(guest.answer(guest.read(guest.body, 3))).
		Then(guest.answer(guest.read(guest.body, room))).
		Index(w.LocalGet, 0).Call(guest.code).I32(201).Op(w.I32Sub).If(w.Code{}.Op(w.Unreachable)).
		Then(guest.read(guest.body, room)).If(w.Code{}.Op(w.Unreachable)). // at the end nothing is left
		Index(w.LocalGet, 0).Call(guest.forget)
	module := guest.handler(code.Then(code)) // twice: the handle is free again
	caller := &abi.Request{ID: "caller"}
	f := load(t, newEngine(t), module, runtime.FunctionConfig{Fetch: func(ctx context.Context, by *abi.Request, req abi.FetchRequest) (abi.FetchResponse, error) {
		if _, ok := ctx.Deadline(); !ok || by != caller {
			t.Errorf("called for %v, deadline %v", by, ok)
		}
		return abi.FetchResponse{
			Status: 201, URL: req.URL, Header: abi.Header{{Name: "b", Value: "c"}},
			Body: fmt.Appendf(nil, "%s %v %v %s", req.Method, req.Manual, req.Header, req.Body),
		}, nil
	}})
	const once = "201 http://a.example/x?y\nb: c\nPUT true [{X-A 1} {x-a 2}] ping"
	for range 3 {
		if _, got, err := call(t, f, caller); err != nil || got != once+once {
			t.Errorf("got %q %v, want %q twice", got, err, once)
		}
	}
}

func TestAFetchThatFailsHasACode(t *testing.T) {
	for name, test := range map[string]struct {
		head string
		err  error
		code abi.FetchCode
		text string
	}{
		"a refusal":              {"GET http://a/", &abi.FetchError{Code: abi.FetchRefused, Message: "not there"}, abi.FetchRefused, "not there"},
		"any other error":        {"GET http://a/", errors.New("oops"), abi.FetchFailed, "oops"},
		"an empty head":          {"", nil, abi.FetchInvalid, "begins with"},
		"a method alone":         {"GET\n", nil, abi.FetchInvalid, "begins with"},
		"a third word":           {"GET http://a/ b", nil, abi.FetchInvalid, "begins with"},
		"a line that is none":    {"GET http://a/\nb\n", nil, abi.FetchInvalid, "no header line"},
		"an empty line":          {"GET http://a/\n\n", nil, abi.FetchInvalid, "no header line"},
		"a carriage return":      {"GET http://a/\nb: c\rd: e\n", nil, abi.FetchInvalid, "no header line"},
		"a name with a blank":    {"GET http://a/\nb : c", nil, abi.FetchInvalid, "no header line"},
		"a head over the limit":  {"GET http://a/" + strings.Repeat("b", abi.FetchHeadBytes), nil, abi.FetchTooLarge, "too large"},
		"a fetch within a fetch": {"GET http://a/", &abi.FetchError{Code: abi.FetchBusy, Message: "busy"}, abi.FetchBusy, "busy"},
	} {
		t.Run(name, func(t *testing.T) {
			short := test.head[:min(len(test.head), 64)]
			guest := newFetching(short, "")
			code := w.Code{}.I32(headAt, int64(len(test.head)), 0, 0).Call(guest.fetch).Index(w.LocalSet, 0).
				I32(200).Index(w.LocalGet, 0).Op(w.I32Sub).Call(guest.status). // -1 is 201
				Then(guest.answer(w.Code{}.I32(roomAt, room).Call(guest.fault)))
			if len(test.head) > len(short) {
				guest.module.Memory(4)
			}
			f := load(t, newEngine(t), guest.handler(code), runtime.FunctionConfig{Fetch: func(context.Context, *abi.Request, abi.FetchRequest) (abi.FetchResponse, error) {
				if test.err == nil {
					t.Error("it was sent")
				}
				return abi.FetchResponse{}, test.err
			}})
			resp, got, err := call(t, f, &abi.Request{})
			if err != nil || resp.Status != 200-int(test.code) || !strings.Contains(got, test.text) {
				t.Errorf("got code %d, %q, %v", 200-resp.Status, got, err)
			}
		})
	}
}

func TestAGuestThatMisusesFetchTraps(t *testing.T) {
	const head = "GET http://a/"
	for name, test := range map[string]struct {
		code func(g *fetching) w.Code
		want string
	}{
		"a wild head":           {func(g *fetching) w.Code { return w.Code{}.I32(0xfffffff0, 0x20, 0, 0).Call(g.fetch).Op(w.Drop) }, "outside the memory"},
		"an endless head":       {func(g *fetching) w.Code { return w.Code{}.I32(0, 0xffffffff, 0, 0).Call(g.fetch).Op(w.Drop) }, "outside the memory"},
		"a wild body":           {func(g *fetching) w.Code { return w.Code{}.I32(headAt, 13, 0x10000, 1).Call(g.fetch).Op(w.Drop) }, "outside the memory"},
		"no handle":             {func(g *fetching) w.Code { return w.Code{}.I32(0, roomAt, room).Call(g.head).Op(w.Drop) }, "no open answer"},
		"a negative handle":     {func(g *fetching) w.Code { return w.Code{}.I32(-1, roomAt, room).Call(g.body).Op(w.Drop) }, "-1 is no open answer"},
		"a status of nothing":   {func(g *fetching) w.Code { return w.Code{}.I32(7).Call(g.code).Op(w.Drop) }, "no open answer"},
		"a large handle":        {func(g *fetching) w.Code { return w.Code{}.I32(abi.FetchOpen).Call(g.forget) }, "no open answer"},
		"a handle that is gone": {func(g *fetching) w.Code { return g.send(head, "").I32(0).Call(g.forget).I32(0).Call(g.forget) }, "no open answer"},
		"a wild room for a head": {func(g *fetching) w.Code {
			return g.send(head, "").I32(0, 0xfffffff0, 0x7fffffff).Call(g.head).Op(w.Drop)
		}, "outside the memory"},
		"a wild room for a body": {func(g *fetching) w.Code {
			return g.send(head, "").I32(0, 0xffff, 2).Call(g.body).Op(w.Drop)
		}, "outside the memory"},
		"a wild room for an error": {func(g *fetching) w.Code {
			return w.Code{}.I32(headAt, 1, 0, 0).Call(g.fetch).Op(w.Drop).I32(0xffff, 0x7fff).Call(g.fault).Op(w.Drop)
		}, "outside the memory"},
	} {
		t.Run(name, func(t *testing.T) {
			guest := newFetching(head, "")
			f := load(t, newEngine(t), guest.handler(test.code(guest)), runtime.FunctionConfig{Fetch: answers})
			_, _, err := call(t, f, &abi.Request{})
			var fault abi.Faulter
			if !errors.As(err, &fault) || fault.Fault() != abi.FaultTrap || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func answers(context.Context, *abi.Request, abi.FetchRequest) (abi.FetchResponse, error) {
	return abi.FetchResponse{Status: 200, Body: []byte("body")}, nil
}

func TestAFetchBeforeARequestTraps(t *testing.T) {
	guest := newFetching("GET http://a/", "")
	guest.init = w.Code{}.I32(headAt, 13, 0, 0).Call(guest.fetch).Op(w.Drop)
	f := load(t, newEngine(t), guest.handler(nil), runtime.FunctionConfig{Fetch: answers})
	if err := f.Warm(t.Context()); err == nil || !strings.Contains(err.Error(), "before there is a request") {
		t.Errorf("got %v", err)
	}
	if _, _, err := call(t, f, &abi.Request{}); err == nil || !strings.Contains(err.Error(), "before there is a request") {
		t.Errorf("got %v", err)
	}
}

func TestAModuleThatFetchesNeedsTheGrant(t *testing.T) {
	guest := newFetching("", "")
	module := guest.handler(nil)
	_, err := newEngine(t).Load(t.Context(), module, runtime.FunctionConfig{Name: "f"})
	if err == nil || !strings.Contains(err.Error(), "imports cloche.fetch, which it is not granted") {
		t.Errorf("got %v", err)
	}
	var odd w.Module
	odd.Import(abi.ModuleCloche, "fetch_all", nil, nil)
	odd.Memory(1)
	odd.ExportFunc(abi.ExportStart, odd.Func(nil, nil))
	_, err = newEngine(t).Load(t.Context(), odd.Bytes(), runtime.FunctionConfig{Name: "f", Fetch: answers})
	if err == nil || !strings.Contains(err.Error(), "does not offer") {
		t.Errorf("got %v", err)
	}
}

func TestAnInvocationHoldsAFewAnswers(t *testing.T) {
	const head = "GET http://a/"
	guest := newFetching(head, "")
	code := w.Code{}.Repeat(abi.FetchOpen, guest.send(head, "")).
		Index(w.LocalGet, 0).I32(abi.FetchOpen-1).Op(w.I32Sub).If(w.Code{}.Op(w.Unreachable)).
		Then(guest.send(head, "")).
		I32(200).Index(w.LocalGet, 0).Op(w.I32Sub).Call(guest.status)
	engine, err := runtime.New(t.Context(), runtime.Config{CacheDir: t.TempDir(), MemoryBudget: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	large := func(context.Context, *abi.Request, abi.FetchRequest) (abi.FetchResponse, error) {
		return abi.FetchResponse{Status: 200, Body: make([]byte, 1<<20)}, nil
	}
	f := load(t, engine, guest.handler(code), runtime.FunctionConfig{Fetch: large})
	for range 3 { // what one leaves open is not the next one's
		if resp, _, err := call(t, f, &abi.Request{}); err != nil || resp.Status != 200-int(abi.FetchBusy) {
			t.Errorf("got %d %v", resp.Status, err)
		}
	}
	if err := f.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := engine.Close(t.Context()); err != nil || engine.MemoryUsed() != 0 {
		t.Errorf("%d bytes are still in use, %v", engine.MemoryUsed(), err)
	}
}

func TestAFetchWithoutMemoryForTheAnswer(t *testing.T) {
	const head = "GET http://a/"
	guest := newFetching(head, "")
	engine, err := runtime.New(t.Context(), runtime.Config{MemoryBudget: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close(context.Background()) })
	large := func(context.Context, *abi.Request, abi.FetchRequest) (abi.FetchResponse, error) {
		return abi.FetchResponse{Status: 200, Body: make([]byte, 5<<20)}, nil
	}
	code := guest.send(head, "").I32(200).Index(w.LocalGet, 0).Op(w.I32Sub).Call(guest.status)
	f := load(t, engine, guest.handler(code), runtime.FunctionConfig{Fetch: large})
	if resp, _, err := call(t, f, &abi.Request{}); err != nil || resp.Status != 200-int(abi.FetchBusy) {
		t.Errorf("got %d %v", resp.Status, err)
	}
}

func TestAFetchEndsAtTheDeadline(t *testing.T) {
	const head = "GET http://a/"
	guest := newFetching(head, "")
	f := load(t, newEngine(t), guest.handler(guest.send(head, "")), runtime.FunctionConfig{
		Limits: runtime.Limits{Timeout: 50 * time.Millisecond},
		Fetch: func(ctx context.Context, _ *abi.Request, _ abi.FetchRequest) (abi.FetchResponse, error) {
			<-ctx.Done()
			return abi.FetchResponse{}, ctx.Err()
		},
	})
	_, _, err := call(t, f, &abi.Request{ID: "x"})
	var fault abi.Faulter
	if !errors.As(err, &fault) || fault.Fault() != abi.FaultDeadline {
		t.Errorf("got %v, want the deadline", err)
	}
}
