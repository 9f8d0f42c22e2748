package host_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

type code = wasmtest.Code

// attack is a module and what must come of it.
type attack struct {
	class, name string
	module      []byte
	// want are the statuses it may be answered with: rows of the error table.
	want []int
	// refused is part of the reason if admission must refuse it; "" if it must not.
	refused string
	// either says that admission may refuse it or not: it costs much, but is
	// within the caps, or asks for what a host need not offer.
	either bool
	// slow says that compiling it may take all the time there is for that.
	slow bool
	// config is lines of its table in netlify.toml.
	config string
	// known says what is wrong with cloche, not with the test, until it is mended.
	known string
}

// function is the name it is deployed under.
func (a *attack) function() string { return a.class + "-" + a.name }

// attacks collects them. What does not matter to an attack is random, so that
// nothing works by recognising it.
type attacks struct {
	random *rand.Rand
	class  string
	list   []attack
}

// allAttacks makes every attack; the same seed makes the same bytes.
func allAttacks(seed uint64) []attack {
	a := &attacks{random: rand.New(rand.NewPCG(seed, seed))}
	for _, class := range []struct {
		name string
		fill func()
	}{
		{"cpu", a.cpu},
		{"bulk", a.bulk},
		{"decode", a.decode},
		{"malformed", a.malformed},
		{"caps", a.caps},
		{"compile", a.compile},
		{"size", a.size},
		{"names", a.names},
		{"wasi", a.wasi},
		{"exit", a.exit},
		{"trap", a.trap},
		{"stack", a.stack},
		{"handler", a.handler},
		{"answer", a.answer},
	} {
		a.class = class.name
		class.fill()
	}
	return a.list
}

// add adds a module that must be loaded and answer with one of want.
func (a *attacks) add(name string, module []byte, want ...int) *attack {
	a.list = append(a.list, attack{class: a.class, name: name, module: module, want: want})
	return &a.list[len(a.list)-1]
}

// refuse adds a module that must not be loaded.
func (a *attacks) refuse(name string, module []byte, reason string) *attack {
	added := a.add(name, module, 502)
	added.refused = reason
	return added
}

// between is a random number from low to high.
func (a *attacks) between(low, high int64) int64 { return low + a.random.Int64N(high-low+1) }

// huge is a count that no module can hold; it begins with 42.
func (a *attacks) huge() []byte { return wasmtest.Uint(uint64(a.between(4_200_000_000, 1<<32-1))) }

// salt is code that does nothing, differently each time.
func (a *attacks) salt() (c code) {
	for range a.between(1, 4) {
		c = c.I64(a.random.Int64()).Op(wasmtest.Drop)
	}
	return c
}

// Addresses in a guest's memory. Texts go to textArea, and what an attack needs
// beyond that into scratch, a page of its own.
const (
	iovec    = 16
	written  = 24
	textArea = 1 << 10
	scratch  = 64 << 10
)

// guest is a module to be, of a program or a handler.
type guest struct {
	wasmtest.Module
	attacks *attacks
	imports map[string]uint64
	texts   uint64
}

// newGuest makes one with a memory of some pages, two or more, and imports.
func (a *attacks) newGuest(pages uint64, imports ...string) *guest {
	g := &guest{attacks: a, imports: map[string]uint64{}, texts: textArea}
	for _, name := range imports {
		module, params, results := importOf(name)
		g.imports[name] = g.Import(module, name, params, results)
	}
	g.Memory(pages)
	g.ExportMemory("memory")
	g.ExportFunc(fmt.Sprintf("x%x", a.random.Uint64()), g.Func(nil, nil, a.salt()...))
	return g
}

// command makes a guest that can print.
func (a *attacks) command(pages uint64, imports ...string) *guest {
	return a.newGuest(pages, append(imports, "fd_write")...)
}

// call calls an import with constants; its result stays on the stack.
func (g *guest) call(name string, args ...int64) (c code) {
	index, ok := g.imports[name]
	_, params, _ := importOf(name)
	if !ok || len(args) != len(params) {
		panic("attack: call of " + name)
	}
	for i, p := range params {
		if p == wasmtest.I64 {
			c = c.I64(args[i])
		} else {
			c = c.I32(args[i])
		}
	}
	return c.Call(index)
}

// do calls an import and drops its result.
func (g *guest) do(name string, args ...int64) code {
	c := g.call(name, args...)
	if _, _, results := importOf(name); len(results) > 0 {
		c = c.Op(wasmtest.Drop)
	}
	return c
}

// text puts s into the memory.
func (g *guest) text(s string) (ptr, size int64) {
	g.Data(g.texts, s)
	ptr, size = int64(g.texts), int64(len(s))
	g.texts += uint64(len(s))
	return ptr, size
}

// print writes s to a descriptor.
func (g *guest) print(fd int64, s string) code {
	ptr, size := g.text(s)
	return code{}.Store(iovec, ptr).Store(iovec+4, size).Then(g.do("fd_write", fd, iovec, 1, written))
}

const okAnswer = `{"statusCode":200}`

// answers is the module of a program that does body and then answers 200.
func (g *guest) answers(body code) []byte {
	return g.program(body.Then(g.print(1, okAnswer)))
}

// program is the module of a program that does body.
func (g *guest) program(body code) []byte {
	g.ExportFunc(abi.ExportStart, g.Func(nil, nil, g.attacks.salt().Then(body)...))
	return g.Bytes()
}

// handles is the module of a handler that does body.
func (g *guest) handles(body code) []byte { return g.handlesBoth(body.I64(0), nil) }

// handlesBoth takes the code of both exports; request leaves an i64.
func (g *guest) handlesBoth(request, response code) []byte {
	const i32, i64 = wasmtest.I32, wasmtest.I64
	g.ExportFunc(abi.ExportHandleRequest, g.Func(nil, []byte{i64}, g.attacks.salt().Then(request)...))
	g.ExportFunc(abi.ExportHandleResponse, g.Func([]byte{i32, i32}, nil, response...))
	return g.Bytes()
}

// tree adds functions that each call the one below twice: 2^depth times what
// leaf does, without a loop. It returns the topmost.
func (g *guest) tree(depth int, leaf code) uint64 {
	f := g.Func(nil, nil, leaf...)
	for range depth {
		f = g.Func(nil, nil, code{}.Call(f).Call(f)...)
	}
	return f
}

// importOf says where an import comes from and what its type is.
func importOf(name string) (module string, params, results []byte) {
	types, ok := wasiTypes()[name]
	module = abi.ModuleWASI
	if !ok {
		types, ok = handlerTypes()[name]
		module = abi.ModuleHandler
	}
	if !ok {
		panic("attack: no import " + name)
	}
	left, right, _ := strings.Cut(types, ">")
	return module, valueTypes(left), valueTypes(right)
}

func valueTypes(letters string) []byte {
	types := []byte(strings.ReplaceAll(strings.ReplaceAll(letters, "i", "\x7f"), "l", "\x7e"))
	return slices.Clip(types)
}

// wasiTypes are those of https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md.
func wasiTypes() map[string]string {
	return map[string]string{
		"args_get": "ii>i", "args_sizes_get": "ii>i", "clock_res_get": "ii>i", "clock_time_get": "ili>i",
		"environ_get": "ii>i", "environ_sizes_get": "ii>i", "fd_allocate": "ill>i", "fd_close": "i>i",
		"fd_fdstat_get": "ii>i", "fd_filestat_set_size": "il>i", "fd_pread": "iiili>i", "fd_prestat_get": "ii>i",
		"fd_read": "iiii>i", "fd_readdir": "iiili>i", "fd_renumber": "ii>i", "fd_seek": "ilii>i", "fd_write": "iiii>i",
		"path_open": "iiiiillii>i", "poll_oneoff": "iiii>i", "proc_exit": "i>", "proc_raise": "i>i",
		"random_get": "ii>i", "sched_yield": ">i", "sock_accept": "iii>i", "fd_dup": "i>i",
	}
}

// handlerTypes are those of https://http-wasm.io/http-handler-abi/.
func handlerTypes() map[string]string {
	return map[string]string{
		"enable_features": "i>i", "get_config": "ii>i", "log_enabled": "i>i", "log": "iii>", "get_method": "ii>i",
		"set_method": "ii>", "get_uri": "ii>i", "set_uri": "ii>", "get_protocol_version": "ii>i", "get_source_addr": "ii>i",
		"get_header_names": "iii>l", "get_header_values": "iiiii>l", "set_header_value": "iiiii>", "add_header_value": "iiiii>",
		"remove_header": "iii>", "read_body": "iii>l", "write_body": "iii>", "get_status_code": ">i", "set_status_code": "i>",
	}
}
