package wasi

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
)

func name(prefix string, i int) string { return fmt.Sprintf("%s%d", prefix, i) }

func TestReaddir(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		g.want("mkdir", g.mkdir(root, "dir"), Success)
		dir := g.openDir(root, "dir")
		if got := g.names(dir); !reflect.DeepEqual(got, []string{".", ".."}) {
			t.Errorf("an empty directory holds %q", got)
		}
		g.create(dir, "file", "")
		g.want("mkdir", g.mkdir(dir, "sub"), Success)
		g.want("symlink", g.symlink("file", dir, "link"), Success)
		list, full := g.readdir(dir, 4096, 0)
		if full || len(list) != 5 {
			t.Fatalf("got %+v", list)
		}
		types := map[string]uint8{".": typeDirectory, "..": typeDirectory, "file": typeRegular, "sub": typeDirectory, "link": typeSymlink}
		for i, e := range list {
			if e.filetype != types[e.name] || e.next != uint64(i+1) {
				t.Errorf("entry %d: %+v", i, e)
			}
			if st, errno := g.statAt(root, "dir/"+e.name, false); errno == Success && st.ino != e.ino {
				t.Errorf("%s: inode %d in the directory, %d by itself", e.name, e.ino, st.ino)
			}
			rest, _ := g.readdir(dir, 4096, e.next)
			if len(rest) != len(list)-i-1 {
				t.Errorf("after cookie %d: %d entries", e.next, len(rest))
			}
		}
	})
}

func TestReaddirOfALargeDirectory(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		const n = 500
		g.want("mkdir", g.mkdir(root, "dir"), Success)
		dir := g.openDir(root, "dir")
		for i := range n {
			g.create(dir, name("file.", i), "")
		}
		names := g.names(dir)
		slices.Sort(names)
		if names = slices.Compact(names); len(names) != n+2 {
			t.Fatalf("%d names, want %d", len(names), n+2)
		}
		// A program that removes what it reads still sees every name once.
		removed := 0
		for cookie, more := uint64(0), true; more; {
			var list []dirent
			list, more = g.readdir(dir, 256, cookie)
			for _, e := range list {
				cookie = e.next
				if e.filetype == typeRegular {
					g.want("unlink "+e.name, g.unlink(dir, e.name), Success)
					removed++
				}
			}
		}
		if got := g.names(dir); removed != n || len(got) != 2 {
			t.Errorf("removed %d, left %q", removed, got)
		}
	})
}

func TestReaddirOddities(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		fd := g.openDir(root, ".")
		for room := range 30 {
			if _, full := g.readdir(fd, room, 0); !full {
				t.Errorf("a buffer of %d bytes was not filled", room)
			}
		}
		for _, cookie := range []uint64{3, 1 << 32, 1<<64 - 1} {
			if list, full := g.readdir(fd, 256, cookie); len(list) > 0 || full {
				t.Errorf("cookie %d: %+v", cookie, list)
			}
		}
		g.create(root, "file", "")
		file, _ := g.open(root, "file", 0)
		g.want("of a file", g.call("fd_readdir", file, 8, 8, 0, 64), ENOTDIR)
		g.want("beyond memory", g.call("fd_readdir", fd, 0xfffffff0, 64, 0, 64), EFAULT)
		g.want("count beyond memory", g.call("fd_readdir", fd, 64, 64, 0, 0xfffffff0), EFAULT)
	})
}

func TestMakeAndRemoveDirectories(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		g.want("mkdir", g.mkdir(root, "dir"), Success)
		g.want("again", g.mkdir(root, "dir"), EEXIST)
		g.want("below", g.mkdir(root, "dir/sub"), Success)
		g.want("below nothing", g.mkdir(root, "missing/sub"), ENOENT)
		g.want("rmdir of a full one", g.rmdir(root, "dir"), ENOTEMPTY)
		sub := g.openDir(root, "dir/sub")
		g.want("rmdir of an open one", g.rmdir(root, "dir/sub"), Success)
		_, errno := g.open(sub, "file", openCreate)
		g.want("create in a removed one", errno, ENOENT)
		g.want("mkdir in a removed one", g.mkdir(sub, "x"), ENOENT)
		g.want("close", g.call("fd_close", sub), Success)
		g.want("rmdir", g.rmdir(root, "dir"), Success)
		g.want("mkdir again", g.mkdir(root, "dir"), Success)
	})
}
