package host_test

import (
	"encoding/binary"
	"math"

	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// wasi is calls of the system interface that wait, or ask for too much.
func (a *attacks) wasi() {
	a.polls()
	a.randomness()
	a.writes()
	a.reads()
	a.descriptors()
}

// subscription is one entry of poll_oneoff's list.
type subscription struct {
	kind    byte // 0 clock, 1 fd_read, 2 fd_write
	of      uint32
	timeout uint64
	flags   uint16
}

// subscribe puts subscriptions into the memory.
func (g *guest) subscribe(list ...subscription) {
	var text []byte
	for _, s := range list {
		entry := make([]byte, 48)
		binary.LittleEndian.PutUint64(entry, g.attacks.random.Uint64())
		entry[8] = s.kind
		binary.LittleEndian.PutUint32(entry[16:], s.of)
		binary.LittleEndian.PutUint64(entry[24:], s.timeout)
		binary.LittleEndian.PutUint16(entry[40:], s.flags)
		text = append(text, entry...)
	}
	g.Data(scratch, string(text))
}

// polls: events go behind the subscriptions, the number of them to written.
func (a *attacks) polls() {
	const hour = 3600e9
	poll := func(name string, list []subscription, want ...int) *attack {
		g := a.command(2, "poll_oneoff")
		g.subscribe(list...)
		wait := g.do("poll_oneoff", scratch, scratch+32<<10, int64(len(list)), written)
		return a.add("poll-"+name, g.answers(wait), want...)
	}
	hours := uint64(a.between(hour, 9*hour))
	poll("hour", []subscription{{0, 1, hours, 0}}, 504)
	poll("hour-of-the-wall", []subscription{{0, 0, hours, 0}}, 504)
	poll("290-years", []subscription{{0, 1, math.MaxInt64, 0}}, 504)
	poll("negative", []subscription{{0, 1, math.MaxUint64 - hours, 0}}, 200, 504)
	poll("absolute", []subscription{{0, 1, math.MaxInt64, 1}}, 200, 504)
	poll("stdin", []subscription{{1, 0, 0, 0}}, 200)
	poll("stdin-or-hour", []subscription{{1, 0, 0, 0}, {0, 1, hours, 0}}, 200)
	poll("stdout", []subscription{{2, 1, 0, 0}}, 200)
	poll("stdout-or-hour", []subscription{{2, 1, 0, 0}, {0, 1, hours, 0}}, 200)
	poll("no-such-descriptor", []subscription{{1, 77, 0, 0}, {2, 1 << 31, 0, 0}}, 200)
	poll("no-such-kind", []subscription{{7, 1, hours, 0}}, 200)
	poll("no-such-clock", []subscription{{0, 99, hours, 0}}, 200, 504)
	poll("none", nil, 200, 504)
	many := make([]subscription, 600)
	for i := range many {
		many[i] = subscription{0, 1, hours + uint64(i), 0}
	}
	poll("600-hours", many, 504)

	raw := func(name string, pages uint64, in, out, n int64, want ...int) {
		g := a.command(pages, "poll_oneoff")
		a.add("poll-"+name, g.answers(g.do("poll_oneoff", in, out, n, written)), want...)
	}
	raw("count-overflows", 2, scratch, scratch, 0x05555556, 200, 502)
	raw("count-negative", 2, scratch, scratch, -1, 200, 502)
	raw("outside", 2, 1<<31, 0, 9, 200)
	raw("into-outside", 2, scratch, -32, 1, 200)

	g := a.command(bulkPages, "poll_oneoff")
	flood := g.do("poll_oneoff", 0, 0, bulkBytes/48, 48*a.between(1, 9)+16)
	a.add("poll-million", g.program(code{}.Repeat(30, flood).Forever(nil)), 504)
	g = a.command(2, "poll_oneoff")
	g.subscribe(subscription{0, 1, uint64(a.between(1, 999)), 0})
	a.spin("poll-of-nanoseconds", g, code{}.Forever(g.do("poll_oneoff", scratch, scratch+4096, 1, written)))
}

func (a *attacks) randomness() {
	g := a.command(16384, "random_get")
	a.add("random-gigabyte", g.answers(code{}.Repeat(8, g.do("random_get", 0, 1<<30-1))), 504).config = `memory = "1024mb"`
	g = a.command(bulkPages, "random_get")
	a.add("random-60-MB", g.answers(code{}.Repeat(1000, g.do("random_get", 0, bulkBytes))), 504)
	g = a.command(2, "random_get")
	a.add("random-outside", g.answers(g.do("random_get", scratch, a.between(1<<20, 1<<31)).Then(g.do("random_get", -1, -1))), 200)
}

func (a *attacks) writes() {
	// An iovec at 64 KiB that names most of the memory, and as many as fit.
	flood := func(name, call string, fd, ptr, size, n int64, times int, want ...int) *attack {
		g := a.command(bulkPages, call)
		fill := code{}.Store(scratch, ptr).Store(scratch+4, size).I32(scratch+8, scratch, bulkBytes-scratch-8).Misc(w.MemoryCopy, 0, 0)
		if ptr == 0 && size == 0 {
			fill = nil
		}
		return a.add(name, g.answers(fill.Repeat(times, g.do(call, fd, scratch, n, written))), want...)
	}
	const most = (bulkBytes - scratch) / 8
	flood("write-iovecs", "fd_write", 1, 1<<20, 30<<20, most, 1, 502, 200)
	flood("write-iovecs-log", "fd_write", 2, 1<<20, 30<<20, most, 1, 200, 502, 504)
	flood("write-iovecs-empty", "fd_write", 1, 0, 0, most, 12, 504, 200)
	flood("write-iovecs-empty-log", "fd_write", 2, 0, 0, most, 12, 504, 200)
	flood("write-iovecs-none", "fd_write", 1, 1, 1, 0, 1, 200)
	flood("write-count-overflows", "fd_write", 1, 1, 1, 1<<29+1, 1, 200, 502)
	flood("read-iovecs-empty", "fd_read", 0, 0, 0, most, 100, 504, 200)
	flood("read-iovecs", "fd_read", 0, 1<<20, 30<<20, most, 300, 504, 200)

	g := a.command(bulkPages)
	g.Data(scratch, "\x00\x00\x00\x00\x00\x00\xb0\x03")
	a.add("write-60-MB", g.program(g.do("fd_write", 1, scratch, 1, written)), 502)
	g = a.command(2)
	g.Data(scratch, "\x00\x00\x00\x00\x00\x10\x00\x00")
	a.add("write-flood", g.program(code{}.Forever(g.do("fd_write", 1, scratch, 1, written))), 502)
	for _, log := range []struct{ name, text string }{{"log-flood", "x"}, {"log-lines", "\n\n\n\n\n\n\n\n"}, {"log-evil", evil}} {
		g = a.command(2)
		a.spin(log.name, g, code{}.Forever(g.print(2, log.text)))
	}
	g = a.command(2)
	a.add("log-evil-once", g.answers(g.print(2, evil)), 200)
	g = a.command(2)
	g.Data(scratch, "\xff\xff\xff\x7f\xff\xff\xff\x7f")
	a.add("write-outside", g.answers(g.do("fd_write", 1, scratch, 1, written).Then(g.do("fd_write", 1, -8, 9, -4))), 200)
}

func (a *attacks) reads() {
	g := a.command(2, "fd_read")
	g.Data(scratch, "\x00\x10\x01\x00\x00\x10\x00\x00")
	read := g.do("fd_read", 0, scratch, 1, written)
	a.spin("read-for-ever", g, code{}.Forever(read))
	g = a.command(2, "fd_read")
	a.add("read-outside", g.answers(g.do("fd_read", 0, -8, 1, written).Then(g.do("fd_read", 1, scratch, 1, -1))), 200)
	g = a.command(2, "fd_pread", "fd_readdir", "fd_prestat_get", "sock_accept")
	body := code{}.I32(0, scratch, 1).I64(1 << 62).I32(written).Call(g.imports["fd_pread"]).Op(w.Drop)
	body = body.Then(g.do("fd_readdir", 3, 0, 1<<31, 0, written), g.do("fd_prestat_get", 3, scratch), g.do("sock_accept", 3, 0, scratch))
	added := a.add("no-files", g.answers(body), 200, 502)
	added.either = true
}

// descriptors: a host need not offer these functions.
func (a *attacks) descriptors() {
	try := func(name, call string, args ...int64) {
		g := a.command(2, call)
		a.add(name, g.answers(code{}.Repeat(int(a.between(1, 3)), g.do(call, args...))), 200, 502).either = true
	}
	try("renumber-far", "fd_renumber", 0, 1<<31-2)
	try("renumber-stdout", "fd_renumber", 1, 1<<30)
	try("renumber-negative", "fd_renumber", -1, -2)
	try("renumber-over", "fd_renumber", 2, 1)
	try("seek", "fd_seek", 0, math.MaxInt64, 1, scratch)
	try("allocate", "fd_allocate", 1, 0, 1<<40)
	try("truncate", "fd_filestat_set_size", 1, 1<<40)
	try("raise", "proc_raise", a.between(1, 31))
	g := a.command(2, "fd_close")
	a.add("close-all", g.program(g.do("fd_close", 0).Then(g.do("fd_close", 2), g.do("fd_close", 1), g.print(1, okAnswer))), 502)
	g = a.command(2, "path_open")
	path, size := g.text("../../../../etc/passwd")
	open := g.do("path_open", 3, 1, path, size, 9, -1, -1, 0, scratch)
	added := a.add("open-escape", g.answers(open), 200, 502)
	added.either = true
	g = a.command(2, "path_open")
	path, size = g.text("a")
	open = g.do("path_open", 3, 0, path, size, 1, -1, -1, 0, scratch)
	a.add("open-for-ever", g.program(code{}.Forever(open)), 504, 502).either = true
}
