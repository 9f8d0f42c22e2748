package wasi

import (
	"context"
	"encoding/binary"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// guest calls preview 1 as a guest does, from Go: with a real memory, and with
// the upper halves of 32-bit parameters full of garbage.
type guest struct {
	t    testing.TB
	ctx  context.Context
	sys  *System
	mem  api.Memory
	next uint32 // where the next argument is put
}

const memoryPages = 1024 // 64 MiB

// newGuest makes a guest with a system of config.
func newGuest(t testing.TB, config Config) *guest {
	t.Helper()
	sys, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sys.Close)
	return &guest{t: t, ctx: t.Context(), sys: sys, mem: newMemory(t, memoryPages), next: 8}
}

func newMemory(t testing.TB, pages uint64) api.Memory {
	t.Helper()
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	t.Cleanup(func() { _ = rt.Close(ctx) })
	var m w.Module
	m.Memory(pages)
	m.ExportMemory("memory")
	instance, err := rt.InstantiateWithConfig(ctx, m.Bytes(), wazero.NewModuleConfig())
	if err != nil {
		t.Fatal(err)
	}
	return instance.Memory()
}

// root is the descriptor of the file system in eachFileSystem.
const root = 3

// eachFileSystem runs a test with /tmp and with a directory of the host, each as "/".
func eachFileSystem(t *testing.T, test func(t *testing.T, g *guest)) {
	t.Run("memory", func(t *testing.T) { test(t, newMemoryGuest(t)) })
	t.Run("host", func(t *testing.T) { test(t, newHostGuest(t)) })
}

func newMemoryGuest(t testing.TB) *guest {
	return newGuest(t, Config{TmpBytes: DefaultTmpBytes})
}

func newHostGuest(t testing.TB) *guest {
	dir, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	return newGuest(t, Config{Dirs: []Dir{{Guest: "/", Root: dir}}})
}

// call calls a function by its name.
func (g *guest) call(name string, params ...uint64) Errno {
	g.t.Helper()
	i := slices.IndexFunc(functions(), func(f function) bool { return f.name == name })
	f := functions()[i]
	if len(params) != len(f.params) {
		g.t.Fatalf("%s takes %d parameters, not %d", name, len(f.params), len(params))
	}
	stack := make([]uint64, max(len(params), 1))
	copy(stack, params)
	for i := range f.params {
		if f.params[i] == 'i' {
			stack[i] = stack[i]&0xffffffff | 0xdeadbeef<<32
		}
	}
	errno := f.run(&call{g.ctx, g.sys, g.mem, stack})
	g.next = 8
	return errno
}

// put places bytes in the guest's memory for the next call.
func (g *guest) put(p []byte) uint64 {
	at := g.room(len(p))
	g.mem.Write(uint32(at), p)
	return at
}

func (g *guest) room(n int) uint64 {
	at := g.next
	g.next += uint32(n+7) &^ 7
	return uint64(at)
}

// path places a path: its pointer and its length are two parameters.
func (g *guest) path(text string) (ptr, n uint64) { return g.put([]byte(text)), uint64(len(text)) }

func (g *guest) u16(at uint64) uint16 {
	v, _ := g.mem.ReadUint16Le(uint32(at))
	return v
}

func (g *guest) u32(at uint64) uint32 {
	v, _ := g.mem.ReadUint32Le(uint32(at))
	return v
}

func (g *guest) u64(at uint64) uint64 {
	v, _ := g.mem.ReadUint64Le(uint32(at))
	return v
}

func (g *guest) bytes(at uint64, n int) []byte {
	p, _ := g.mem.Read(uint32(at), uint32(n))
	return slices.Clone(p)
}

// how is what open asks for.
type how struct {
	flags            uint64
	follow           bool
	base, inheriting rights
	fdflags          uint64
}

// open opens with every right, or with how.
func (g *guest) open(dir uint64, path string, flags uint64) (uint64, Errno) {
	g.t.Helper()
	return g.openAs(dir, path, how{flags: flags, base: fileRights, inheriting: allRights})
}

// openDir opens a directory with every right.
func (g *guest) openDir(dir uint64, path string) uint64 {
	g.t.Helper()
	fd, errno := g.openAs(dir, path, how{flags: openDirectory, base: directoryRights, inheriting: allRights})
	g.want("open "+path, errno, Success)
	return fd
}

func (g *guest) openAs(dir uint64, path string, h how) (uint64, Errno) {
	g.t.Helper()
	ptr, n := g.path(path)
	out := g.room(4)
	var follow uint64
	if h.follow {
		follow = followLink
	}
	errno := g.call("path_open", dir, follow, ptr, n, h.flags, uint64(h.base), uint64(h.inheriting), h.fdflags, out)
	return uint64(g.u32(out)), errno
}

// create makes a file with a text and leaves it closed.
func (g *guest) create(dir uint64, path, text string) {
	g.t.Helper()
	fd, errno := g.open(dir, path, openCreate|openTruncate)
	g.want("create "+path, errno, Success)
	g.write(fd, text)
	g.want("close", g.call("fd_close", fd), Success)
}

// write writes a text in one piece.
func (g *guest) write(fd uint64, text string) {
	g.t.Helper()
	n, errno := g.tryWrite(fd, text)
	if errno != Success || n != len(text) {
		g.t.Fatalf("fd_write: %d bytes, %v, want %d", n, errno, len(text))
	}
}

func (g *guest) tryWrite(fd uint64, texts ...string) (int, Errno) {
	g.t.Helper()
	list, count := g.buffers(texts...), g.room(4)
	errno := g.call("fd_write", fd, list, uint64(len(texts)), count)
	return int(g.u32(count)), errno
}

// buffers places texts and a list of them.
func (g *guest) buffers(texts ...string) uint64 {
	var list []byte
	for _, text := range texts {
		list = binary.LittleEndian.AppendUint32(list, uint32(g.put([]byte(text))))
		list = binary.LittleEndian.AppendUint32(list, uint32(len(text)))
	}
	return g.put(list)
}

// read reads up to n bytes from where the descriptor is.
func (g *guest) read(fd uint64, n int) string {
	g.t.Helper()
	text, errno := g.tryRead(fd, n)
	g.want("fd_read", errno, Success)
	return text
}

func (g *guest) tryRead(fd uint64, n int) (string, Errno) {
	g.t.Helper()
	buf := g.room(n)
	list, count := g.put(vector(buf, n)), g.room(4)
	errno := g.call("fd_read", fd, list, 1, count)
	return string(g.bytes(buf, int(g.u32(count)))), errno
}

func vector(at uint64, n int) []byte {
	p := binary.LittleEndian.AppendUint32(nil, uint32(at))
	return binary.LittleEndian.AppendUint32(p, uint32(n))
}

func (g *guest) pread(fd uint64, n int, at int64) (string, Errno) {
	g.t.Helper()
	buf := g.room(n)
	list, count := g.put(vector(buf, n)), g.room(4)
	errno := g.call("fd_pread", fd, list, 1, uint64(at), count)
	return string(g.bytes(buf, int(g.u32(count)))), errno
}

func (g *guest) pwrite(fd uint64, text string, at int64) (int, Errno) {
	g.t.Helper()
	list, count := g.buffers(text), g.room(4)
	errno := g.call("fd_pwrite", fd, list, 1, uint64(at), count)
	return int(g.u32(count)), errno
}

func (g *guest) seek(fd uint64, delta int64, whence uint64) (int64, Errno) {
	g.t.Helper()
	out := g.room(8)
	errno := g.call("fd_seek", fd, uint64(delta), whence, out)
	return int64(g.u64(out)), errno
}

// content reads a whole file by its path.
func (g *guest) content(dir uint64, path string) string {
	g.t.Helper()
	fd, errno := g.openAs(dir, path, how{base: rightRead, follow: true})
	g.want("open "+path, errno, Success)
	text := g.read(fd, 1<<20)
	g.want("close", g.call("fd_close", fd), Success)
	return text
}

// at calls a function of one path.
func (g *guest) at(name string, dir uint64, path string) Errno {
	g.t.Helper()
	ptr, n := g.path(path)
	return g.call(name, dir, ptr, n)
}

func (g *guest) mkdir(dir uint64, path string) Errno {
	g.t.Helper()
	return g.at("path_create_directory", dir, path)
}

func (g *guest) rmdir(dir uint64, path string) Errno {
	g.t.Helper()
	return g.at("path_remove_directory", dir, path)
}

func (g *guest) unlink(dir uint64, path string) Errno {
	g.t.Helper()
	return g.at("path_unlink_file", dir, path)
}

func (g *guest) symlink(text string, dir uint64, path string) Errno {
	g.t.Helper()
	p1, n1 := g.path(text)
	p2, n2 := g.path(path)
	return g.call("path_symlink", p1, n1, dir, p2, n2)
}

func (g *guest) link(from uint64, old string, to uint64, path string) Errno {
	g.t.Helper()
	p1, n1 := g.path(old)
	p2, n2 := g.path(path)
	return g.call("path_link", from, 0, p1, n1, to, p2, n2)
}

func (g *guest) rename(from uint64, old string, to uint64, path string) Errno {
	g.t.Helper()
	p1, n1 := g.path(old)
	p2, n2 := g.path(path)
	return g.call("path_rename", from, p1, n1, to, p2, n2)
}

func (g *guest) readlink(dir uint64, path string, room int) (string, Errno) {
	g.t.Helper()
	p, n := g.path(path)
	buf, used := g.room(room), g.room(4)
	errno := g.call("path_readlink", dir, p, n, buf, uint64(room), used)
	return string(g.bytes(buf, int(g.u32(used)))), errno
}

func (g *guest) decodeStat(at uint64) stat {
	return stat{
		dev: g.u64(at), ino: g.u64(at + 8), filetype: uint8(g.u32(at + 16)), links: g.u64(at + 24),
		size: g.u64(at + 32), atim: g.u64(at + 40), mtim: g.u64(at + 48), ctim: g.u64(at + 56),
	}
}

func (g *guest) stat(fd uint64) stat {
	g.t.Helper()
	out := g.room(statBytes)
	g.want("fd_filestat_get", g.call("fd_filestat_get", fd, out), Success)
	return g.decodeStat(out)
}

func (g *guest) statAt(dir uint64, path string, follow bool) (stat, Errno) {
	g.t.Helper()
	var flags uint64
	if follow {
		flags = followLink
	}
	p, n := g.path(path)
	out := g.room(statBytes)
	errno := g.call("path_filestat_get", dir, flags, p, n, out)
	return g.decodeStat(out), errno
}

// fdstat is what fd_fdstat_get says.
type fdstat struct {
	filetype         uint8
	flags            uint16
	base, inheriting rights
}

func (g *guest) fdstat(fd uint64) (fdstat, Errno) {
	g.t.Helper()
	out := g.room(24)
	errno := g.call("fd_fdstat_get", fd, out)
	return fdstat{uint8(g.u16(out)), g.u16(out + 2), rights(g.u64(out + 8)), rights(g.u64(out + 16))}, errno
}

// dirent is an entry as the guest gets it.
type dirent struct {
	entry
	next uint64
}

// readdir reads as many whole entries as fit a buffer, and whether it was full.
func (g *guest) readdir(fd uint64, room int, cookie uint64) (list []dirent, full bool) {
	g.t.Helper()
	buf, used := g.room(room), g.room(4)
	g.want("fd_readdir", g.call("fd_readdir", fd, buf, uint64(room), cookie, used), Success)
	p := g.bytes(buf, int(g.u32(used)))
	full = len(p) == room
	for len(p) >= direntBytes {
		n := int(binary.LittleEndian.Uint32(p[16:]))
		if len(p) < direntBytes+n {
			break
		}
		list = append(list, dirent{
			entry{string(p[direntBytes : direntBytes+n]), binary.LittleEndian.Uint64(p[8:]), p[20]},
			binary.LittleEndian.Uint64(p),
		})
		p = p[direntBytes+n:]
	}
	return list, full
}

// names reads a directory to its end through a small buffer.
func (g *guest) names(fd uint64) (names []string) {
	g.t.Helper()
	for cookie := uint64(0); ; {
		list, full := g.readdir(fd, 300, cookie)
		for _, e := range list {
			names = append(names, e.name)
			cookie = e.next
		}
		if !full {
			return names
		}
	}
}

// want checks a result.
func (g *guest) want(what string, got Errno, want ...Errno) {
	g.t.Helper()
	if !slices.Contains(want, got) {
		g.t.Fatalf("%s: got errno %d, want %v", what, got, want)
	}
}

// ended runs something that must end the guest, and returns what it panics with.
func (g *guest) ended(run func()) (why any) {
	g.t.Helper()
	defer func() {
		if why = recover(); why == nil {
			g.t.Error("the guest goes on")
		}
	}()
	run()
	return nil
}

// within fails a test that takes too long.
func within(t testing.TB, limit time.Duration, run func()) {
	t.Helper()
	start := time.Now()
	run()
	if took := time.Since(start); took > limit {
		t.Errorf("took %v, want at most %v", took, limit)
	}
}
