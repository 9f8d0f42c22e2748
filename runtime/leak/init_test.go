package leak

import (
	"context"
	"fmt"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// Of the guests below.
const (
	initTimeout = 500 * time.Millisecond
	memoryPages = 64
)

// starter builds a guest that does something before its first request: a
// handler in _initialize, a command before it reads its standard input.
type starter struct {
	w.Module
	isHandler bool

	fdRead, fdWrite, fdTell, pathOpen, procExit, clock, poll uint64

	setStatus, getMethod, log uint64 // of handlers only
}

// Where things are in the memory of a starter.
const (
	readList  = 0  // where fd_read reads to
	writeList = 16 // the response
	partList  = 24 // its first half
	restList  = 32 // the other
	result    = 48
	now       = 56
	response  = 1024
	path      = 2048
	sleep     = 3072 // a subscription
	events    = 3200
	input     = 8192
)

const responseText = `{"statusCode":200,"body":"ok"}`

func newStarter(isHandler bool) *starter {
	s := &starter{isHandler: isHandler}
	wasi := func(name string, params ...byte) uint64 {
		return s.Import(abi.ModuleWASI, name, params, []byte{w.I32})
	}
	s.fdRead = wasi("fd_read", w.I32, w.I32, w.I32, w.I32)
	s.fdWrite = wasi("fd_write", w.I32, w.I32, w.I32, w.I32)
	s.fdTell = wasi("fd_tell", w.I32, w.I32)
	s.pathOpen = wasi("path_open", w.I32, w.I32, w.I32, w.I32, w.I32, w.I64, w.I64, w.I32, w.I32)
	s.clock = wasi("clock_time_get", w.I32, w.I64, w.I32)
	s.poll = wasi("poll_oneoff", w.I32, w.I32, w.I32, w.I32)
	s.procExit = s.Import(abi.ModuleWASI, "proc_exit", []byte{w.I32}, nil)
	if isHandler {
		s.setStatus = s.Import(abi.ModuleHandler, "set_status_code", []byte{w.I32}, nil)
		s.getMethod = s.Import(abi.ModuleHandler, "get_method", []byte{w.I32, w.I32}, []byte{w.I32})
		s.log = s.Import(abi.ModuleHandler, "log", []byte{w.I32, w.I32, w.I32}, nil)
	}
	s.layOut()
	return s
}

func (s *starter) layOut() {
	s.Memory(2)
	s.ExportMemory(abi.ExportMemory)
	list := func(at int64, bytes int) string { return word(at) + word(int64(bytes)) }
	const half = 10
	s.Data(readList, list(input, page))
	s.Data(writeList, list(response, len(responseText)))
	s.Data(partList, list(response, half))
	s.Data(restList, list(response+half, len(responseText)-half))
	s.Data(response, responseText)
	s.Data(path, "left")
	// A subscription to the monotonic clock (tag 0, id 1), an hour from now.
	hour := uint64(time.Hour)
	s.Data(sleep+16, word(1)+word(0)+word(int64(uint32(hour)))+word(int64(hour>>32)))
}

func word(n int64) string { return string([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}) }

// write writes a list, which must succeed.
func (s *starter) write(fd, list int64) w.Code {
	return w.Code{}.I32(fd, list, 1, result).Call(s.fdWrite).If(w.Code{}.Op(w.Unreachable))
}

// read reads the standard input to its end.
func (s *starter) read() w.Code {
	return w.Code{}.Loop(w.Code{}.I32(0, readList, 1, result).Call(s.fdRead).Op(w.Drop).Load(result).Index(w.BrIf, 0))
}

func (s *starter) exit(code int64) w.Code { return w.Code{}.I32(code).Call(s.procExit) }

// wait reads the monotonic clock until so much has passed.
func (s *starter) wait(d time.Duration) w.Code {
	const i64Load, sub, less = 0x29, 0x7d, 0x54
	read := w.Code{}.I32(1).I64(0).I32(now).Call(s.clock).Op(w.Drop).I32(now).Index(i64Load, 3, 0)
	begin := s.Global(w.I64, w.Code{}.I64(0))
	return read.Index(w.GlobalSet, begin).
		Loop(read.Index(w.GlobalGet, begin).Op(sub).I64(int64(d)).Op(less).Index(w.BrIf, 0))
}

// grow grows until it gets no more.
func (s *starter) grow() w.Code {
	return w.Code{}.Loop(w.Code{}.I32(1).Op(w.MemoryGrow, 0).I32(-1).Op(0x47). /* i32.ne */ Index(w.BrIf, 0))
}

// open makes /tmp/left, descriptor 4, and writes ten bytes.
func (s *starter) open() w.Code {
	const tmp, create, readWriteTell = 3, 1, 1<<1 | 1<<5 | 1<<6
	return w.Code{}.I32(tmp, 0, path, 4, create).I64(readWriteTell).I64(0).I32(0, result).Call(s.pathOpen).
		If(w.Code{}.Op(w.Unreachable)).Then(s.write(4, partList))
}

// opened traps unless the descriptor is where open left it; then it moves on.
func (s *starter) opened() w.Code {
	return w.Code{}.I32(4, result).Call(s.fdTell).If(w.Code{}.Op(w.Unreachable)).
		Load(result).I32(10).Op(w.I32Sub).If(w.Code{}.Op(w.Unreachable)).Then(s.write(4, partList))
}

// behaviour is what a starter does before its first request and in each.
type behaviour struct{ init, request w.Code }

func (s *starter) bytes(b behaviour) []byte {
	if s.isHandler {
		s.ExportFunc(abi.ExportInitialize, s.Func(nil, nil, b.init...))
		body := b.request.I32(200).Call(s.setStatus).I64(0)
		s.ExportFunc(abi.ExportHandleRequest, s.Func(nil, []byte{w.I64}, body...))
		s.ExportFunc(abi.ExportHandleResponse, s.Func([]byte{w.I32, w.I32}, nil))
		return s.Bytes()
	}
	if b.request == nil {
		b.request = s.read().Then(s.write(1, writeList))
	}
	s.ExportFunc(abi.ExportStart, s.Func(nil, nil, b.init.Then(b.request)...))
	return s.Bytes()
}

// start is one way to begin. handler and command say how the function fails, as
// a regular expression: "" if it works, "none" if there is no such guest.
type start struct {
	build            func(*starter) behaviour
	handler, command string
	fuel             uint64
}

const (
	none = "none"
	late = "timed out|deadline"
)

func starts() map[string]start {
	initially := func(code func(*starter) w.Code) func(*starter) behaviour {
		return func(s *starter) behaviour { return behaviour{init: code(s)} }
	}
	return map[string]start{
		"does nothing": {initially(func(*starter) w.Code { return nil }), "", "", 0},
		"never is ready": {initially(func(*starter) w.Code {
			return w.Code{}.Forever(nil)
		}), late, late, 0},
		"spends its fuel": {initially(func(*starter) w.Code {
			return w.Code{}.Forever(nil)
		}), "fuel", "fuel", 1_000_000},
		"takes an hour by the clock": {initially(func(s *starter) w.Code { return s.wait(time.Hour) }), late, late, 0},
		"takes a while by the clock": {initially(func(s *starter) w.Code { return s.wait(20 * time.Millisecond) }), "", "", 0},
		"sleeps for an hour": {initially(func(s *starter) w.Code {
			return w.Code{}.I32(sleep, events, 1, result).Call(s.poll).Op(w.Drop)
		}), late, late, 0},
		"grows to its limit and gives up": {initially(func(s *starter) w.Code {
			return s.grow().Op(w.Unreachable)
		}), "unreachable", "unreachable", 0},
		"grows to its limit and goes on": {initially((*starter).grow), "", "", 0},
		"traps":                          {initially(func(*starter) w.Code { return w.Code{}.Op(w.Unreachable) }), "unreachable", "unreachable", 0},
		"exits by 3":                     {initially(func(s *starter) w.Code { return s.exit(3) }), "exit status 3", "exit status 3", 0},
		"exits by 0 and says nothing":    {initially(func(s *starter) w.Code { return s.exit(0) }), "exit status 0", "end of JSON input", 0},
		"answers and exits without reading": {initially(func(s *starter) w.Code {
			return s.write(1, writeList).Then(s.exit(0))
		}), "exit status 0", "", 0},
		"answers and returns without reading": {func(s *starter) behaviour {
			return behaviour{s.write(1, writeList), w.Code{}.Op(w.Return)}
		}, none, "", 0},
		"answers by half before reading": {func(s *starter) behaviour {
			return behaviour{s.write(1, partList), s.read().Then(s.write(1, restList))}
		}, none, "", 0},
		"prints before its first request": {func(s *starter) behaviour {
			return behaviour{s.write(1, writeList).Then(s.write(2, partList)), nil}
		}, "", none, 0},
		"floods its standard output": {initially(func(s *starter) w.Code {
			return w.Code{}.Forever(w.Code{}.I32(1, readList, 1, result).Call(s.fdWrite).Op(w.Drop))
		}), late, "too large", 0},
		"opens a file in /tmp and writes": {func(s *starter) behaviour {
			request := s.opened()
			if !s.isHandler {
				request = s.read().Then(request, s.write(1, writeList))
			}
			return behaviour{s.open(), request}
		}, "", "", 0},
		"asks for the request": {initially(func(s *starter) w.Code {
			return w.Code{}.I32(input, 100).Call(s.getMethod).Op(w.Drop)
		}), "before there is a request", none, 0},
		"answers before there is a request": {initially(func(s *starter) w.Code {
			return w.Code{}.I32(201).Call(s.setStatus)
		}), "before there is a request", none, 0},
		"logs": {initially(func(s *starter) w.Code {
			return w.Code{}.I32(0, response, 4).Call(s.log)
		}), "", none, 0},
	}
}

func TestAGuestThatDoesNotGetReadyHurtsNobody(t *testing.T) {
	engine := newEngine(t)
	neighbour := keepAsking(t, engine)
	for name, start := range starts() {
		for kind, want := range map[string]string{"handler": start.handler, "command": start.command} {
			if want == none {
				continue
			}
			t.Run("a "+kind+" that "+name, func(t *testing.T) {
				s := newStarter(kind == "handler")
				code := s.bytes(start.build(s))
				err := callStarted(t, engine, code, start.fuel)
				if !fails(err, want) {
					t.Errorf("got %v, want %q", err, want)
				}
				if !s.isHandler || want == late || want == "fuel" { // which take runtime.InitTimeout
					return
				}
				if err := warmStarted(t, engine, code); !fails(err, want) {
					t.Errorf("ahead of requests: got %v, want %q", err, want)
				}
			})
		}
	}
	if asked := neighbour(); asked < 100 {
		t.Errorf("the neighbour was asked %d times only", asked)
	}
	if used := engine.MemoryUsed(); used != 0 {
		t.Errorf("%d bytes are still in use", used)
	}
}

// fails tells whether err is what is wanted: none if that is "".
func fails(err error, want string) bool {
	if want == "" || err == nil {
		return want == "" && err == nil
	}
	return regexp.MustCompile(want).MatchString(err.Error())
}

func warmStarted(t *testing.T, engine *runtime.Engine, code []byte) error {
	return load(t, engine, code, runtime.FunctionConfig{TmpBytes: 1 << 20, Limits: runtime.Limits{MemoryPages: memoryPages}}).Warm(t.Context())
}

// callStarted loads a guest and calls it, within the time that takes.
func callStarted(t *testing.T, engine *runtime.Engine, code []byte, fuel uint64) error {
	defer func(begin time.Time) {
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("took %v", took)
		}
	}(time.Now())
	f, err := engine.Load(t.Context(), code, runtime.FunctionConfig{
		Name: "starter", TmpBytes: 1 << 20,
		Limits: runtime.Limits{Timeout: initTimeout, MemoryPages: memoryPages, Fuel: fuel},
	})
	if err != nil {
		return err
	}
	defer f.Close(context.Background())
	for n := range 5 {
		if _, err := ask(t.Context(), f, "", ""); err != nil {
			return err
		}
		if n == 0 { // the others start from an image, if there can be one
			_ = f.Warm(t.Context())
		}
	}
	return nil
}

// keepAsking asks a function again and again; stop says how often that was.
func keepAsking(t *testing.T, engine *runtime.Engine) (stop func() (asked int)) {
	s := newStarter(true)
	f, err := engine.Load(t.Context(), s.bytes(behaviour{}), runtime.FunctionConfig{Name: "neighbour"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	asked := 0
	group.Go(func() {
		for ctx.Err() == nil {
			if _, err := ask(context.Background(), f, "", ""); err != nil {
				t.Error(fmt.Errorf("the neighbour: %w", err))
				return
			}
			asked++
		}
	})
	return func() int {
		cancel()
		group.Wait()
		if err := f.Close(context.Background()); err != nil {
			t.Error(err)
		}
		return asked
	}
}
