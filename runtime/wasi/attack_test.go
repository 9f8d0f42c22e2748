package wasi

import (
	"context"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"time"
)

// countingWriter takes all and counts it.
type countingWriter struct{ n int64 }

func (w *countingWriter) Write(p []byte) (int, error) {
	w.n += int64(len(p))
	return len(p), nil
}

func TestFloodsOfBuffers(t *testing.T) {
	g := newMemoryGuest(t)
	out := &countingWriter{}
	g.sys.Begin(Streams{Stdin: zeros{}, Stdout: out}, nil)
	half := uint32(memoryPages * 65536 / 2)
	var list []byte
	for range Iovecs {
		list = append(list, vector(0, int(half))...)
	}
	ptr, empty := g.put(list), g.put(make([]byte, 8*Iovecs))
	within(t, 2*time.Second, func() {
		for _, n := range []uint64{Iovecs + 1, 1 << 20, 8 << 20, 128 << 20, 1<<29 + 1, 0xffffffff} {
			g.want("too many", g.call("fd_write", 1, ptr, n, 4), EINVAL)
			g.want("too many", g.call("fd_read", 0, ptr, n, 4), EINVAL)
		}
		g.want("all of memory, over and over", g.call("fd_write", 1, ptr, Iovecs, 4), Success)
		if out.n != TransferBytes || g.u32(4) != TransferBytes {
			t.Errorf("wrote %d, said %d", out.n, g.u32(4))
		}
		g.want("empty ones", g.call("fd_write", 1, empty, Iovecs, 4), Success)
		fd, _ := g.open(root, "file", openCreate)
		g.put(list)
		g.want("into a file", g.call("fd_write", fd, 8, Iovecs, 4), Success)
		g.want("from an endless input", g.call("fd_read", 0, 8, Iovecs, 4), Success)
	})
	g.want("buffers beyond memory", g.call("fd_write", 1, 0xfffffff8, 2, 4), EFAULT)
	g.want("a buffer beyond memory", g.call("fd_write", 1, g.put(vector(uint64(half), int(half)+1)), 1, 4), EFAULT)
	g.want("count beyond memory", g.call("fd_write", 1, g.put(vector(0, 1)), 1, 0xfffffffd), EFAULT)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestAGigabyteOfRandomnessEndsAtTheDeadline(t *testing.T) {
	g := newGuest(t, Config{})
	g.mem = newMemory(t, 16384)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	g.ctx = ctx
	within(t, 2*time.Second, func() {
		if why := g.ended(func() { g.call("random_get", 0, 1<<30-1) }); why != context.DeadlineExceeded {
			t.Errorf("ended by %v", why)
		}
	})
}

func TestHugeNames(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		for _, n := range []uint64{PathBytes + 1, 1 << 20, 32 << 20, 0xffffffff} {
			g.want("mkdir", g.call("path_create_directory", root, 0, n), ENAMETOOLONG)
			g.want("symlink", g.call("path_symlink", 0, n, root, 0, 1), ENAMETOOLONG)
			g.want("open", g.call("path_open", root, 0, 0, n, 0, 0, 0, 0, 8), ENAMETOOLONG)
		}
		long := strings.Repeat("n", NameBytes)
		g.want("the longest name", g.mkdir(root, long), Success)
		g.want("a longer one", g.mkdir(root, long+"n"), ENAMETOOLONG)
		g.want("the longest text", g.symlink(strings.Repeat("t", PathBytes-1), root, "l"), Success)
	})
}

// Symbolic links that multiply: each names the one before twice.
func TestABombOfSymbolicLinks(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		g.want("mkdir", g.mkdir(root, "d"), Success)
		g.want("symlink", g.symlink(strings.Repeat("d/../", 400)+"d", root, "l0"), Success)
		for i := 1; i < 30; i++ {
			l := name("l", i-1)
			g.want("symlink", g.symlink(strings.Repeat(l+"/../", 200)+l, root, name("l", i)), Success)
		}
		within(t, 3*time.Second, func() {
			_, errno := g.openAs(root, "l29", how{follow: true})
			g.want("open", errno, ELOOP, ENAMETOOLONG)
		})
	})
}

func TestADeepTree(t *testing.T) {
	g := newMemoryGuest(t)
	dir := uint64(root)
	for i := 0; ; i++ {
		if errno := g.mkdir(dir, "d"); errno != Success {
			g.want("the end", errno, ENOSPC)
			if i != DefaultTmpFiles {
				t.Errorf("%d directories", i)
			}
			break
		}
		below := g.openDir(dir, "d")
		if dir != root {
			g.want("close", g.call("fd_close", dir), Success)
		}
		dir = below
	}
	within(t, time.Second, func() {
		g.want("into itself", g.rename(root, "d", dir, "x"), EINVAL)
		_, errno := g.openAs(root, strings.Repeat("d/", pathDepth+2), how{})
		g.want("deeper than a path may lead", errno, ENAMETOOLONG)
	})
	g.want("reset", func() Errno { g.sys.Reset(); return Success }(), Success)
	g.used(0, 0)
}

// What was opened and has no name still counts, and cannot be piled up.
func TestUnlinkedOpenFiles(t *testing.T) {
	g := newMemoryGuest(t)
	total := 0
	for {
		fd, errno := g.open(root, "file", openCreate)
		if errno != Success {
			g.want("open", errno, EMFILE)
			break
		}
		g.want("size", g.call("fd_filestat_set_size", fd, 1<<20), Success)
		g.want("unlink", g.unlink(root, "file"), Success)
		total++
	}
	g.used(int64(total)<<20/blockBytes, 0)
	for fd := uint64(root + 1); fd < Descriptors; fd++ {
		g.want("close", g.call("fd_close", fd), Success)
	}
	g.used(0, 0)
}

// A guest may pass any number for any parameter.
func FuzzCalls(f *testing.F) {
	f.Add([]byte{0}, "path")
	f.Add([]byte(strings.Repeat("\x11\x00\x03\x08\x04", 40)), "dir/file")
	f.Add([]byte(strings.Repeat("\x21\xff\x03\x00\x05\x01", 40)), "..//x")
	all := functions()
	guests := []*guest{newMemoryGuest(f), newHostGuest(f)}
	for _, g := range guests {
		g.mem = newMemory(f, 2) // little, or most of the time would go into copying
	}
	f.Fuzz(func(t *testing.T, script []byte, text string) {
		for _, g := range guests {
			g.t = t
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			g.ctx = ctx
			g.sys.Reset()
			g.sys.Begin(Streams{Stdin: strings.NewReader(text), Stdout: io.Discard, Stderr: io.Discard}, []string{text})
			g.mem.Write(64, []byte(text[:min(len(text), 8192)]))
			g.mem.Write(16384, script[:min(len(script), 8192)])
			within(t, 2*time.Second, func() {
				p := script
				for range 50 {
					if len(p) > 0 {
						p = g.step(all, p, len(text))
					}
				}
			})
			cancel()
			for fd, d := range g.sys.table {
				if d != nil && (d.stream == nil) == (d.file == nil && d.dir == nil) {
					t.Fatalf("descriptor %d is of no kind or of two", fd)
				}
			}
			if tmp := g.sys.tmp; tmp != nil && (tmp.blocks < 0 || tmp.blocks > tmp.maxBlocks || tmp.names < 0 || tmp.names > tmp.maxNames) {
				t.Fatalf("/tmp counts %d blocks and %d names", tmp.blocks, tmp.names)
			}
		}
	})
}

// step makes one call out of bytes: mostly of numbers that mean something.
func (g *guest) step(all []function, p []byte, text int) []byte {
	f := all[int(p[0])%len(all)]
	p = p[1:]
	params := make([]uint64, len(f.params))
	for i := range params {
		var b byte
		if len(p) > 0 {
			b, p = p[0], p[1:]
		}
		switch b % 8 {
		case 0, 1, 2:
			params[i] = uint64(b >> 3)
		case 3:
			params[i] = 64
		case 4:
			params[i] = uint64(text)
		case 5:
			params[i] = 16384 + uint64(b)
		case 6:
			params[i] = ^uint64(0) >> (b >> 3)
		case 7:
			var wide [8]byte
			p = p[copy(wide[:], p):]
			params[i] = binary.LittleEndian.Uint64(wide[:])
		}
	}
	defer func() {
		if why := recover(); why != nil && f.name != "proc_exit" && g.ctx.Err() == nil {
			panic(why)
		}
	}()
	g.call(f.name, params...)
	return p
}
