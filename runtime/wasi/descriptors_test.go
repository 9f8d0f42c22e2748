package wasi

import (
	"testing"
)

func TestRights(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		g.create(root, "file", "text")
		fd, _ := g.openAs(root, "file", how{base: rightRead | rightWrite | rightSeek | rightTell})
		rightsOf := func(fd uint64) (rights, rights) {
			t.Helper()
			st, errno := g.fdstat(fd)
			g.want("fdstat", errno, Success)
			return st.base, st.inheriting
		}
		g.want("drop", g.call("fd_fdstat_set_rights", fd, uint64(rightSeek|rightTell), 0), Success)
		if base, _ := rightsOf(fd); base != rightSeek|rightTell {
			t.Errorf("rights %b", base)
		}
		_, errno := g.tryRead(fd, 1)
		g.want("read without the right", errno, ENOTCAPABLE)
		_, errno = g.tryWrite(fd, "x")
		g.want("write without the right", errno, ENOTCAPABLE)
		g.want("grant again", g.call("fd_fdstat_set_rights", fd, uint64(rightSeek|rightRead), 0), ENOTCAPABLE)
		g.want("grant to heirs", g.call("fd_fdstat_set_rights", fd, uint64(rightSeek), uint64(rightRead)), ENOTCAPABLE)

		reader, _ := g.openAs(root, "file", how{base: rightRead})
		_, errno = g.tryWrite(reader, "x")
		g.want("write to a reader", errno, ENOTCAPABLE)
		_, errno = g.pread(reader, 1, 0)
		g.want("pread without seek", errno, ENOTCAPABLE)
		_, errno = g.seek(reader, 0, seekCur)
		g.want("seek without the right", errno, ENOTCAPABLE)
		writer, _ := g.openAs(root, "file", how{base: rightWrite})
		_, errno = g.tryRead(writer, 1)
		g.want("read from a writer", errno, ENOTCAPABLE)
		teller, _ := g.openAs(root, "file", how{base: rightTell})
		_, errno = g.seek(teller, 0, seekCur)
		g.want("tell by seeking", errno, Success)
		_, errno = g.seek(teller, 1, seekCur)
		g.want("seek with tell", errno, ENOTCAPABLE)

		dir, _ := g.openAs(root, ".", how{base: rightSeek | rightOpen, inheriting: rightRead | rightOpen})
		if base, inheriting := rightsOf(dir); base != rightOpen || inheriting != rightRead|rightOpen {
			t.Errorf("a directory has %b and %b", base, inheriting)
		}
		_, errno = g.openAs(dir, "file", how{base: rightWrite})
		g.want("more than is inherited", errno, ENOTCAPABLE)
		below, errno := g.openAs(dir, "file", how{base: fileRights &^ rightWrite, inheriting: allRights})
		g.want("what is inherited", errno, Success)
		if base, inheriting := rightsOf(below); base != rightRead || inheriting != rightRead|rightOpen {
			t.Errorf("a file below has %b and %b", base, inheriting)
		}
		_, errno = g.openAs(dir, "new", how{flags: openCreate})
		g.want("create without the right", errno, ENOTCAPABLE)
		_, errno = g.openAs(dir, "file", how{flags: openTruncate})
		g.want("truncate without the right", errno, ENOTCAPABLE)
		for name, errno := range map[string]Errno{
			"mkdir": g.mkdir(dir, "x"), "rmdir": g.rmdir(dir, "x"), "unlink": g.unlink(dir, "file"),
			"symlink": g.symlink("x", dir, "y"), "link": g.link(dir, "file", dir, "x"), "rename": g.rename(dir, "file", dir, "x"),
			"link from": g.link(dir, "file", root, "x"), "rename to": g.rename(root, "file", dir, "x"),
			"readdir": g.call("fd_readdir", dir, 8, 8, 0, 64), "stat": g.call("fd_filestat_get", dir, 64),
		} {
			g.want(name, errno, ENOTCAPABLE)
		}
	})
}

func TestTruncationNeedsTheRightOfTheDirectory(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		g.create(root, "file", "text")
		dir := g.openDir(root, ".")
		st, _ := g.fdstat(dir)
		if st.base&rightSetSize != 0 || st.flags != 0 || st.filetype != typeDirectory {
			t.Errorf("%+v", st)
		}
		g.want("drop", g.call("fd_fdstat_set_rights", dir, uint64(st.base), uint64(st.inheriting&^rightSetSize)), Success)
		_, errno := g.openAs(dir, "file", how{flags: openTruncate})
		g.want("truncate", errno, Success)
		g.want("drop", g.call("fd_fdstat_set_rights", dir, uint64(st.base&^rightPathSetSize), 0), Success)
		_, errno = g.openAs(dir, "file", how{flags: openTruncate})
		g.want("truncate", errno, ENOTCAPABLE)
	})
}

func TestPreopens(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		out := g.room(8)
		g.want("prestat", g.call("fd_prestat_get", root, out), Success)
		n := g.u32(out + 4)
		if g.u32(out) != 0 || n == 0 {
			t.Fatalf("kind %d, name of %d bytes", g.u32(out), n)
		}
		g.want("too short", g.call("fd_prestat_dir_name", root, 64, uint64(n-1)), ENAMETOOLONG)
		g.want("longer", g.call("fd_prestat_dir_name", root, 64, uint64(n+1)), Success)
		if got := string(g.bytes(64, int(n))); got != g.sys.initial[root].preopen {
			t.Errorf("name %q", got)
		}
		g.want("beyond memory", g.call("fd_prestat_dir_name", root, 0xffffffff, uint64(n)), EFAULT)
		g.want("stdout is none", g.call("fd_prestat_get", 1, 64), EBADF)
		g.want("stdout has no name", g.call("fd_prestat_dir_name", 1, 64, 64), EBADF)
		g.want("the end", g.call("fd_prestat_get", root+1, 64), EBADF)

		dir := g.openDir(root, ".")
		g.want("an opened one is none", g.call("fd_prestat_get", dir, 64), EBADF)
		was := g.stat(dir)
		g.want("renumber over it", g.call("fd_renumber", dir, root), Success)
		if is := g.stat(root); is != was {
			t.Errorf("%+v, was %+v", is, was)
		}
		g.want("the moved one", g.call("fd_close", dir), EBADF)
		g.want("it is no preopen now", g.call("fd_prestat_get", root, 64), EBADF)
		dir = g.openDir(root, ".")
		g.want("close it", g.call("fd_close", root), Success)
		_, errno := g.fdstat(root)
		g.want("closed", errno, EBADF)
		_, errno = g.fdstat(dir)
		g.want("what was opened from it", errno, Success)
	})
}

func TestRenumber(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		g.create(root, "one", "1")
		g.create(root, "two", "2")
		from, _ := g.open(root, "one", 0)
		to, _ := g.open(root, "two", 0)
		g.want("onto itself", g.call("fd_renumber", from, from), Success)
		g.want("renumber", g.call("fd_renumber", from, to), Success)
		g.want("close the old number", g.call("fd_close", from), EBADF)
		if got := g.read(to, 9); got != "1" {
			t.Errorf("the new number reads %q", got)
		}
		for _, closed := range []uint64{from, 63, 64, 1<<31 - 2, 1<<32 - 1} {
			g.want("onto one that is not open", g.call("fd_renumber", to, closed), EBADF)
			g.want("from one that is not open", g.call("fd_renumber", closed, to), EBADF)
		}
		for fd := range uint64(3) {
			onto, errno := g.open(root, "two", 0)
			g.want("open", errno, Success)
			g.want("a stream", g.call("fd_renumber", fd, onto), Success)
			_, errno = g.fdstat(fd)
			g.want("the old number", errno, EBADF)
			_, errno = g.fdstat(onto)
			g.want("the new number", errno, Success)
			g.want("name", g.unlink(root, "two"), Success)
			g.create(root, "two", "2")
		}
	})
}

func TestClosedDescriptors(t *testing.T) {
	g := newMemoryGuest(t)
	for _, fd := range []uint64{4, 63, 64, 1 << 20, 1<<32 - 1, uint64(1<<32 - 31337)} {
		for _, f := range functions() {
			if f.name[:3] != "fd_" && f.name[:5] != "sock_" || f.name == "fd_renumber" {
				continue
			}
			params := make([]uint64, len(f.params))
			params[0] = fd
			g.want(f.name, g.call(f.name, params...), EBADF)
		}
	}
}

func TestDescriptorsHaveALimit(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		g.create(root, "file", "")
		for fd := uint64(root + 1); fd < Descriptors; fd++ {
			got, errno := g.open(root, "file", 0)
			if got != fd || errno != Success {
				t.Fatalf("descriptor %d: %d, %v", fd, got, errno)
			}
		}
		_, errno := g.open(root, "file", 0)
		g.want("one more", errno, EMFILE)
		_, errno = g.open(root, "made", openCreate)
		g.want("one more that would be made", errno, EMFILE)
		_, errno = g.statAt(root, "made", false)
		g.want("it was not made", errno, ENOENT)
		g.want("close", g.call("fd_close", 40), Success)
		got, errno := g.open(root, "file", 0)
		if got != 40 || errno != Success {
			t.Errorf("the lowest free one: %d, %v", got, errno)
		}
	})
}

func TestSocketsAreNone(t *testing.T) {
	g := newMemoryGuest(t)
	g.want("shutdown", g.call("sock_shutdown", 1, 0), ENOTSOCK)
	g.want("shutdown of none", g.call("sock_shutdown", 4, 0), EBADF)
	g.want("accept", g.call("sock_accept", 3, 0, 8), ENOTSOCK)
	g.want("recv", g.call("sock_recv", 0, 0, 0, 0, 8, 8), ENOTSOCK)
	g.want("send", g.call("sock_send", 1, 0, 0, 0, 8), ENOTSOCK)
}

func TestStreamsAreNoFiles(t *testing.T) {
	g := newGuest(t, Config{})
	g.sys.Begin(Streams{Terminal: [3]bool{false, true, false}}, nil)
	for fd, want := range []fdstat{
		{filetype: typeUnknown, base: streamRights(0)},
		{filetype: typeCharacter, base: streamRights(1)},
		{filetype: typeUnknown, base: streamRights(2)},
	} {
		fd := uint64(fd)
		got, errno := g.fdstat(fd)
		if got != want || errno != Success {
			t.Errorf("descriptor %d: %+v, %v", fd, got, errno)
		}
		_, errno = g.seek(fd, 0, seekCur)
		g.want("seek", errno, ESPIPE)
		g.want("tell", g.call("fd_tell", fd, 8), ESPIPE)
		_, errno = g.open(fd, "x", openCreate)
		g.want("open below", errno, ENOTDIR)
		if st := g.stat(fd); st.filetype != want.filetype {
			t.Errorf("stat %+v", st)
		}
		g.want("set times", g.call("fd_filestat_set_times", fd, 0, 0, 0), ENOTCAPABLE)
	}
	_, errno := g.tryWrite(0, "x")
	g.want("write to stdin", errno, ENOTCAPABLE)
	_, errno = g.tryRead(1, 1)
	g.want("read from stdout", errno, ENOTCAPABLE)
	g.want("sync stdout", g.call("fd_sync", 1), Success)
}
