package wasi

import (
	"math"
	"strings"
	"testing"
)

func TestSeekAndTell(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		fd, errno := g.open(root, "file", openCreate)
		g.want("create", errno, Success)
		g.write(fd, strings.Repeat("x", 100))
		for _, step := range []struct {
			delta  int64
			whence uint64
			want   int64
			errno  Errno
		}{
			{0, seekCur, 100, Success},
			{-50, seekCur, 50, Success},
			{0, seekSet, 0, Success},
			{1000, seekCur, 1000, Success},
			{-2000, seekCur, 0, EINVAL},
			{0, seekCur, 1000, Success},
			{-1, seekSet, 0, EINVAL},
			{-100, seekEnd, 0, Success},
			{-101, seekEnd, 0, EINVAL},
			{10, seekEnd, 110, Success},
			{math.MaxInt64, seekSet, math.MaxInt64, Success},
			{1, seekCur, 0, EINVAL},
			{math.MinInt64, seekCur, 0, EINVAL},
			{math.MaxInt64, seekEnd, 0, EINVAL},
			{0, 3, 0, EINVAL},
		} {
			got, errno := g.seek(fd, step.delta, step.whence)
			if errno != step.errno || errno == Success && got != step.want {
				t.Errorf("seek %d from %d: %d, %v", step.delta, step.whence, got, errno)
			}
		}
		if got := g.read(fd, 10); got != "" {
			t.Errorf("read %q far behind the end", got)
		}
		_, errno = g.tryWrite(fd, "x")
		g.want("write at the largest offset", errno, EFBIG, EINVAL)
		_, _ = g.seek(fd, 0, seekSet)
		_ = g.read(fd, 30)
		out := g.room(8)
		g.want("tell", g.call("fd_tell", fd, out), Success)
		if got := g.u64(out); got != 30 {
			t.Errorf("tell after 30 bytes: %d", got)
		}
	})
}

func TestPositionalReadAndWrite(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		fd, _ := g.open(root, "file", openCreate)
		g.write(fd, "very long text")
		if n, errno := g.pwrite(fd, "test", 3); n != 4 || errno != Success {
			t.Errorf("pwrite: %d, %v", n, errno)
		}
		if got, errno := g.pread(fd, 20, 0); got != "vertestng text" || errno != Success {
			t.Errorf("pread: %q, %v", got, errno)
		}
		if got, _ := g.pread(fd, 4, 12); got != "xt" {
			t.Errorf("pread at the end: %q", got)
		}
		if got, errno := g.pread(fd, 4, 100); got != "" || errno != Success {
			t.Errorf("pread behind the end: %q, %v", got, errno)
		}
		if at, _ := g.seek(fd, 0, seekCur); at != 14 {
			t.Errorf("the position moved to %d", at)
		}
		_, errno := g.pread(fd, 4, -1)
		g.want("pread at -1", errno, EINVAL)
		_, errno = g.pwrite(fd, "x", -1)
		g.want("pwrite at -1", errno, EINVAL)
		_, errno = g.pwrite(fd, "x", math.MaxInt64)
		g.want("pwrite at the largest offset", errno, EFBIG)
	})
}

func TestSeveralBuffers(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		fd, _ := g.open(root, "file", openCreate)
		if n, errno := g.tryWrite(fd, "one", "", "two", "three"); n != 11 || errno != Success {
			t.Errorf("write: %d, %v", n, errno)
		}
		_, _ = g.seek(fd, 0, seekSet)
		a, b, c := g.room(4), g.room(4), g.room(8)
		list := append(append(vector(a, 4), vector(b, 4)...), vector(c, 8)...)
		ptr, count := g.put(list), g.room(4)
		g.want("read", g.call("fd_read", fd, ptr, 3, count), Success)
		if n := g.u32(count); n != 11 || string(g.bytes(a, 4))+string(g.bytes(b, 4))+string(g.bytes(c, 3)) != "onetwothree" {
			t.Errorf("read %d bytes into pieces", n)
		}
	})
}

func TestAppend(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		fd, errno := g.openAs(root, "file", how{flags: openCreate, base: fileRights, fdflags: flagAppend | flagSync})
		g.want("open", errno, Success)
		if st, _ := g.fdstat(fd); st.flags != flagAppend|flagSync {
			t.Errorf("flags %b", st.flags)
		}
		g.write(fd, "ab")
		_, _ = g.seek(fd, 0, seekSet)
		g.write(fd, "cd")
		if at, _ := g.seek(fd, 0, seekCur); at != 4 {
			t.Errorf("after an append at %d", at)
		}
		if n, errno := g.pwrite(fd, "A", 0); n != 1 || errno != Success {
			t.Errorf("pwrite: %d, %v", n, errno)
		}
		g.want("append no more", g.call("fd_fdstat_set_flags", fd, 0), Success)
		_, _ = g.seek(fd, 1, seekSet)
		g.write(fd, "B")
		if got := g.content(root, "file"); got != "ABcd" {
			t.Errorf("the file holds %q", got)
		}
		g.want("unknown flags", g.call("fd_fdstat_set_flags", fd, 1<<5), EINVAL)
	})
}

func TestTruncateAndAllocate(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		fd, _ := g.open(root, "file", openCreate)
		g.write(fd, "0123456789")
		size := func(want uint64) {
			t.Helper()
			if got := g.stat(fd).size; got != want {
				t.Fatalf("size %d, want %d", got, want)
			}
		}
		g.want("shrink", g.call("fd_filestat_set_size", fd, 4), Success)
		size(4)
		g.want("grow", g.call("fd_filestat_set_size", fd, 8), Success)
		size(8)
		if got := g.content(root, "file"); got != "0123\x00\x00\x00\x00" {
			t.Errorf("after shrink and growth %q", got)
		}
		g.want("a negative size", g.call("fd_filestat_set_size", fd, 1<<63), EINVAL)
		g.want("allocate", g.call("fd_allocate", fd, 0, 100), Success)
		size(100)
		g.want("less than there is", g.call("fd_allocate", fd, 10, 10), Success)
		size(100)
		g.want("more", g.call("fd_allocate", fd, 90, 20), Success)
		size(110)
		g.want("nothing", g.call("fd_allocate", fd, 0, 0), EINVAL)
		g.want("beyond all", g.call("fd_allocate", fd, math.MaxInt64, 1), EFBIG)
		g.want("negative", g.call("fd_allocate", fd, 1<<63, 1), EINVAL)
		g.want("advise", g.call("fd_advise", fd, 10, 50, 0), Success)
		g.want("bad advice", g.call("fd_advise", fd, 10, 50, 6), EINVAL)
		g.want("sync", g.call("fd_sync", fd), Success)
		g.want("datasync", g.call("fd_datasync", fd), Success)
		size(110)
		_, errno := g.open(root, "file", openTruncate)
		g.want("open empty", errno, Success)
		size(0)
	})
}

func TestHolesReadAsZeros(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		fd, _ := g.open(root, "file", openCreate)
		_, _ = g.pwrite(fd, "end", 3*blockBytes+5)
		want := strings.Repeat("\x00", 3*blockBytes+5) + "end"
		if got := g.content(root, "file"); got != want {
			t.Errorf("%d bytes, or the wrong ones", len(got))
		}
		_, _ = g.pwrite(fd, strings.Repeat("y", 2*blockBytes), blockBytes/2)
		want = want[:blockBytes/2] + strings.Repeat("y", 2*blockBytes) + want[blockBytes/2+2*blockBytes:]
		if got := g.content(root, "file"); got != want {
			t.Error("writing across blocks")
		}
	})
}

func TestBigWrite(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		fd, _ := g.open(root, "file", openCreate)
		text := strings.Repeat("0123456789abcdef", (TransferBytes+blockBytes)/16)
		n, errno := g.tryWrite(fd, text)
		if n != TransferBytes || errno != Success {
			t.Fatalf("wrote %d, %v; want a short write of %d", n, errno, TransferBytes)
		}
		g.write(fd, text[n:])
		_, _ = g.seek(fd, 0, seekSet)
		got := g.read(fd, len(text))
		if got += g.read(fd, len(text)); got != text {
			t.Error("it reads differently")
		}
	})
}

func TestCreateAndOpen(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		g.create(root, "file", "text")
		for name, test := range map[string]struct {
			path string
			how  how
			want Errno
		}{
			"a missing file":                      {"missing", how{}, ENOENT},
			"an exclusive one that is there":      {"file", how{flags: openCreate | openExclusive}, EEXIST},
			"one that is there":                   {"file", how{flags: openCreate}, Success},
			"a file as a directory":               {"file", how{flags: openDirectory}, ENOTDIR},
			"the directory itself":                {".", how{}, Success},
			"the directory, not blocking":         {".", how{fdflags: flagNonblock}, Success},
			"the directory to read":               {".", how{flags: openDirectory, base: rightRead}, Success},
			"the directory to write":              {".", how{flags: openDirectory, base: rightRead | rightWrite}, EISDIR},
			"the directory to create":             {".", how{flags: openCreate}, EISDIR},
			"the directory to truncate":           {".", how{flags: openTruncate}, EISDIR},
			"create a directory":                  {"dir", how{flags: openCreate | openDirectory}, EINVAL},
			"unknown flags":                       {"file", how{flags: 16}, EINVAL},
			"unknown descriptor flags":            {"file", how{fdflags: 32}, EINVAL},
			"below a file":                        {"file/x", how{flags: openCreate}, ENOTDIR},
			"in a missing directory":              {"missing/x", how{flags: openCreate}, ENOENT},
			"create a name that is just too long": {strings.Repeat("n", 256), how{flags: openCreate}, ENAMETOOLONG},
		} {
			fd, errno := g.openAs(root, test.path, test.how)
			if errno != test.want {
				t.Errorf("%s: got %d, want %d", name, errno, test.want)
			}
			if errno == Success && fd < 3 {
				t.Errorf("%s: descriptor %d", name, fd)
			}
		}
		file, _ := g.open(root, "file", 0)
		_, errno := g.open(file, "x", openCreate)
		g.want("from a file", errno, ENOTDIR)
	})
}

func TestAFileOutlivesItsName(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		fd, _ := g.open(root, "file", openCreate)
		g.write(fd, "text")
		g.want("unlink", g.unlink(root, "file"), Success)
		g.create(root, "file", "new")
		_, _ = g.seek(fd, 0, seekSet)
		if got := g.read(fd, 10); got != "text" {
			t.Errorf("the unlinked file reads %q", got)
		}
		if links := g.stat(fd).links; links != 0 {
			t.Errorf("it has %d links", links)
		}
		g.want("close", g.call("fd_close", fd), Success)
		if got := g.content(root, "file"); got != "new" {
			t.Errorf("the new one holds %q", got)
		}
	})
}

func TestWritesAreSeenAtOnce(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		reader, _ := g.openAs(root, "file", how{flags: openCreate, base: rightRead})
		writer, _ := g.openAs(root, "file", how{base: rightWrite})
		g.write(writer, "x")
		if got := g.read(reader, 1); got != "x" {
			t.Errorf("read %q", got)
		}
	})
}

func TestTimes(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		g.create(root, "file", "text")
		g.want("symlink", g.symlink("file", root, "link"), Success)
		setAt := func(path string, flags, atim, mtim, which uint64) Errno {
			p, n := g.path(path)
			return g.call("path_filestat_set_times", root, flags, p, n, atim, mtim, which)
		}
		before, _ := g.statAt(root, "file", false)
		link, _ := g.statAt(root, "link", false)
		g.want("a file", setAt("file", 0, 0, before.mtim-100, setMtim), Success)
		after, _ := g.statAt(root, "file", false)
		if after.mtim != before.mtim-100 || after.atim != before.atim {
			t.Errorf("times %+v after %+v", after, before)
		}
		g.want("a link itself", setAt("link", 0, 0, link.mtim-200, setMtim), Success)
		if st, _ := g.statAt(root, "link", false); st.mtim != link.mtim-200 {
			t.Errorf("the link's time is %d, want %d", st.mtim, link.mtim-200)
		}
		if st, _ := g.statAt(root, "file", false); st != after {
			t.Errorf("the file's times changed with its link's: %+v", st)
		}
		g.want("through a link", setAt("link", followLink, 5, 7, setAtim|setMtim), Success)
		if st, _ := g.statAt(root, "file", false); st.atim != 5 || st.mtim != 7 {
			t.Errorf("times %d and %d, want 5 and 7", st.atim, st.mtim)
		}
		g.want("now", setAt("file", 0, 0, 0, setAtimNow|setMtimNow), Success)
		if st, _ := g.statAt(root, "file", false); st.atim < before.atim || st.mtim < before.mtim {
			t.Errorf("now is %d, was %d", st.mtim, before.mtim)
		}
		g.want("a directory", setAt(".", 0, 1e9, 2e9, setAtim|setMtim), Success)
		if st, _ := g.statAt(root, ".", false); st.mtim != 2e9 {
			t.Errorf("the directory's time is %d", st.mtim)
		}
		fd, _ := g.open(root, "file", 0)
		g.want("a descriptor", g.call("fd_filestat_set_times", fd, 11, 13, setAtim|setMtim), Success)
		if st := g.stat(fd); st.atim != 11 || st.mtim != 13 {
			t.Errorf("times %d and %d, want 11 and 13", st.atim, st.mtim)
		}
		for _, which := range []uint64{setAtim | setAtimNow, setMtim | setMtimNow, 1 << 4} {
			g.want("contradictory flags", g.call("fd_filestat_set_times", fd, 1, 1, which), EINVAL)
			g.want("contradictory flags", setAt("file", 0, 1, 1, which), EINVAL)
		}
		g.want("before 1970", g.call("fd_filestat_set_times", fd, 1<<63, 0, setAtim), EINVAL)
		if st := g.stat(fd); st.atim != 11 || st.mtim != 13 {
			t.Errorf("a refused call changed them: %d and %d", st.atim, st.mtim)
		}
	})
}

func TestStatTellsFilesApart(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		g.create(root, "a", "1")
		g.create(root, "b", "22")
		a, _ := g.statAt(root, "a", false)
		b, _ := g.statAt(root, "b", false)
		dir, _ := g.statAt(root, ".", false)
		if a.dev != b.dev || a.ino == b.ino || a.ino == dir.ino || a.size != 1 || b.size != 2 || a.links != 1 {
			t.Errorf("%+v, %+v", a, b)
		}
		if dir.filetype != typeDirectory || a.filetype != typeRegular || a.mtim == 0 {
			t.Errorf("%+v, %+v", dir, a)
		}
		_, errno := g.statAt(root, "missing", false)
		g.want("stat of nothing", errno, ENOENT)
		_, errno = g.statAt(root, "a/", false)
		g.want("stat of file/", errno, ENOTDIR)
	})
}

func TestDirectoriesAreNoFiles(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		fd := g.openDir(root, ".")
		_, errno := g.tryRead(fd, 8)
		g.want("read", errno, EISDIR)
		_, errno = g.tryWrite(fd, "x")
		g.want("write", errno, EISDIR)
		_, errno = g.pread(fd, 8, 0)
		g.want("pread", errno, EISDIR)
		_, errno = g.pwrite(fd, "x", 0)
		g.want("pwrite", errno, EISDIR)
		_, errno = g.seek(fd, 0, seekCur)
		g.want("seek", errno, EISDIR)
		g.want("tell", g.call("fd_tell", fd, 8), EISDIR)
		g.want("allocate", g.call("fd_allocate", fd, 0, 1), EISDIR)
		g.want("set_size", g.call("fd_filestat_set_size", fd, 0), EISDIR)
	})
}
