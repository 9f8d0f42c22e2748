package wasi

import (
	"strings"
	"testing"
)

// used checks what /tmp counts.
func (g *guest) used(blocks int64, names int) {
	g.t.Helper()
	if g.sys.tmp.blocks != blocks || g.sys.tmp.names != names {
		g.t.Fatalf("%d blocks and %d names are counted, want %d and %d", g.sys.tmp.blocks, g.sys.tmp.names, blocks, names)
	}
}

func TestQuotaOfBytes(t *testing.T) {
	const blocks = 16
	newSmall := func(t *testing.T) *guest { return newGuest(t, Config{TmpBytes: blocks * blockBytes}) }

	t.Run("writing", func(t *testing.T) {
		g := newSmall(t)
		fd, _ := g.open(root, "file", openCreate)
		text := strings.Repeat("x", blocks*blockBytes-10)
		g.write(fd, text)
		if n, errno := g.tryWrite(fd, "0123456789abc"); n != 10 || errno != Success {
			t.Errorf("what still fits: %d, %v", n, errno)
		}
		_, errno := g.tryWrite(fd, "x")
		g.want("full", errno, ENOSPC)
		other, errno := g.open(root, "other", openCreate)
		g.want("an empty file", errno, Success)
		_, errno = g.tryWrite(other, "x")
		g.want("another file", errno, ENOSPC)
		_, errno = g.pwrite(fd, "x", 1<<40)
		g.want("far behind", errno, ENOSPC)
		if n, errno := g.pwrite(fd, "y", 5); n != 1 || errno != Success {
			t.Errorf("over what is there: %d, %v", n, errno)
		}
		g.used(blocks, 2)
		g.want("shrink", g.call("fd_filestat_set_size", fd, blockBytes+1), Success)
		g.used(2, 2)
		g.write(other, "x")
		g.used(3, 2)
	})
	t.Run("sizes and allocation", func(t *testing.T) {
		g := newSmall(t)
		fd, _ := g.open(root, "file", openCreate)
		g.want("larger than all", g.call("fd_filestat_set_size", fd, blocks*blockBytes+1), EFBIG)
		g.want("1 TB", g.call("fd_filestat_set_size", fd, 1<<40), EFBIG)
		g.want("allocate 1 TB", g.call("fd_allocate", fd, 0, 1<<40), EFBIG)
		g.want("half", g.call("fd_filestat_set_size", fd, blocks/2*blockBytes), Success)
		other, _ := g.open(root, "other", openCreate)
		g.want("more than the rest", g.call("fd_filestat_set_size", other, blocks/2*blockBytes+1), ENOSPC)
		g.want("the rest", g.call("fd_allocate", other, 0, blocks/2*blockBytes), Success)
		g.used(blocks, 2)
		g.want("unlink", g.unlink(root, "file"), Success)
		g.used(blocks, 1) // it is still open
		g.want("close", g.call("fd_close", fd), Success)
		g.used(blocks/2, 1)
	})
	t.Run("replaced and linked files", func(t *testing.T) {
		g := newSmall(t)
		g.create(root, "a", "1")
		g.create(root, "b", "2")
		g.want("link", g.link(root, "a", root, "c"), Success)
		g.used(2, 3)
		g.want("replace", g.rename(root, "b", root, "a"), Success)
		g.used(2, 2)
		g.want("unlink the last name", g.unlink(root, "c"), Success)
		g.used(1, 1)
		fd, _ := g.open(root, "a", openTruncate)
		g.used(0, 1)
		g.want("close", g.call("fd_close", fd), Success)
		g.used(0, 1)
	})
	t.Run("symbolic links", func(t *testing.T) {
		g := newSmall(t)
		for i := range blocks {
			g.want("symlink", g.symlink(strings.Repeat("x/", PathBytes/2), root, name("l", i)), Success)
		}
		g.want("one more", g.symlink("x", root, "more"), ENOSPC)
		g.used(blocks, blocks)
		g.want("one onto another", g.symlink("x", root, "l1"), EEXIST)
		g.want("unlink", g.unlink(root, "l1"), Success)
		g.used(blocks-1, blocks-1)
	})
}

func TestQuotaOfNames(t *testing.T) {
	const names = 50
	for kind, make := range map[string]func(g *guest, name string) Errno{
		"files":       func(g *guest, name string) Errno { return g.close(g.open(root, name, openCreate)) },
		"directories": func(g *guest, name string) Errno { return g.mkdir(root, name) },
		"symlinks":    func(g *guest, name string) Errno { return g.symlink("x", root, name) },
		"links":       func(g *guest, name string) Errno { return g.link(root, "file", root, name) },
	} {
		g := newGuest(t, Config{TmpBytes: 1 << 20, TmpFiles: names})
		g.create(root, "file", "")
		for i := range names - 1 {
			g.want(kind, make(g, name("n", i)), Success)
		}
		g.want("one more of "+kind, make(g, "more"), ENOSPC)
		g.want("rename", g.rename(root, "n0", root, "renamed"), Success)
		g.want("again", make(g, "more"), ENOSPC)
		if kind != "directories" {
			g.want("unlink", g.unlink(root, "renamed"), Success)
			g.want("in its place", make(g, "more"), Success)
		}
	}
}

// close closes what open returned.
func (g *guest) close(fd uint64, errno Errno) Errno {
	if errno == Success {
		g.call("fd_close", fd)
	}
	return errno
}

func TestTheHostsMemoryIsAsked(t *testing.T) {
	held, limit := int64(0), int64(3*blockBytes)
	g := newGuest(t, Config{TmpBytes: 1 << 20, Reserve: func(n int64) bool {
		if n > 0 && held+n > limit {
			return false
		}
		held += n
		return true
	}})
	fd, _ := g.open(root, "file", openCreate)
	g.write(fd, strings.Repeat("x", 2*blockBytes))
	_, errno := g.tryWrite(fd, strings.Repeat("x", 2*blockBytes))
	g.want("more than the host has", errno, ENOSPC)
	if held != 2*blockBytes {
		t.Errorf("%d bytes are reserved", held)
	}
	g.sys.Reset()
	if held != 0 {
		t.Errorf("%d bytes are reserved after a reset", held)
	}
	g.create(root, "file", "x")
	g.sys.Close()
	if held != 0 {
		t.Errorf("%d bytes are reserved after the end", held)
	}
}
