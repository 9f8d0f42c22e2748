package wasi

import (
	"strings"
	"testing"
)

func TestPaths(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		g.want("mkdir", g.mkdir(root, "dir"), Success)
		g.want("mkdir", g.mkdir(root, "dir/nested/"), Success)
		g.create(root, "dir/nested/file", "x")
		g.want("symlink", g.symlink("dir", root, "link"), Success)
		g.want("symlink", g.symlink("../../dir/nested", root, "dir/nested/up"), Success)
		g.want("symlink", g.symlink("../outside", root, "escape"), Success)
		g.want("symlink", g.symlink("nowhere", root, "dangling"), Success)
		for path, want := range map[string]Errno{
			"dir/nested/file": Success,
			"dir/.//nested/../../dir/nested/../nested///./file": Success,
			"dir/nested/file/":                     ENOTDIR,
			"dir/nested/file///":                   ENOTDIR,
			"dir/nested/file/..":                   ENOTDIR,
			"dir/nested/":                          Success,
			"dir/nested///":                        Success,
			".":                                    Success,
			"./":                                   Success,
			"dir/..":                               Success,
			"dir/../":                              Success,
			"..":                                   ENOTCAPABLE,
			"dir/nested/../../../dir/nested/file":  ENOTCAPABLE,
			"/dir/nested/file":                     ENOTCAPABLE,
			"/":                                    ENOTCAPABLE,
			"dir/nested/file\x00":                  EINVAL,
			"dir/\xff":                             EILSEQ,
			"":                                     ENOENT,
			"missing":                              ENOENT,
			"missing/":                             ENOENT,
			"missing/file":                         ENOENT,
			"link/nested/file":                     Success,
			"link/":                                Success,
			"link":                                 ELOOP,
			"link/../dir/nested/file":              Success,
			"dir/nested/up/file":                   Success,
			"dir/nested/up/up/up/file":             Success,
			"escape/file":                          ENOTCAPABLE,
			"escape/":                              ENOTCAPABLE,
			"dangling":                             ELOOP,
			"dangling/":                            ENOENT,
			strings.Repeat("n", NameBytes):         ENOENT,
			strings.Repeat("n", NameBytes+1):       ENAMETOOLONG,
			strings.Repeat("a/", PathBytes):        ENAMETOOLONG,
			strings.Repeat("./", pathSteps+1):      ENAMETOOLONG,
			strings.Repeat("./", pathSteps/2):      Success,
			strings.Repeat("dir/../", pathSteps/4): Success,
		} {
			fd, errno := g.openAs(root, path, how{})
			if errno != want {
				t.Errorf("%.60q: got %d, want %d", path, errno, want)
			}
			if errno == Success {
				g.want("close", g.call("fd_close", fd), Success)
			}
		}
	})
}

func TestAPathStaysBelowItsDescriptor(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		g.want("mkdir", g.mkdir(root, "a"), Success)
		g.want("mkdir", g.mkdir(root, "a/b"), Success)
		g.create(root, "secret", "x")
		g.want("symlink", g.symlink("../../secret", root, "a/b/link"), Success)
		b := g.openDir(root, "a/b")
		for _, path := range []string{"..", "../b", "../../secret", "x/../..", "link"} {
			_, errno := g.openAs(b, path, how{follow: true})
			if path == "x/../.." {
				g.want(path, errno, ENOENT)
				continue
			}
			g.want(path, errno, ENOTCAPABLE)
		}
		if got := g.content(root, "a/b/link"); got != "x" {
			t.Errorf("through the root the link reads %q", got)
		}
		g.want("rename out", g.rename(b, "link", b, "../moved"), ENOTCAPABLE)
		g.want("link out", g.link(b, "link", b, "../moved"), ENOTCAPABLE)
		g.want("mkdir out", g.mkdir(b, "../new"), ENOTCAPABLE)
	})
}

func TestTrailingSlashes(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		g.want("mkdir", g.mkdir(root, "dir"), Success)
		g.create(root, "file", "")
		g.want("unlink a directory", g.unlink(root, "dir"), EISDIR)
		g.want("unlink a directory/", g.unlink(root, "dir/"), EISDIR)
		g.want("unlink file/", g.unlink(root, "file/"), ENOTDIR)
		g.want("unlink missing/", g.unlink(root, "missing/"), ENOENT)
		g.want("unlink .", g.unlink(root, "."), EISDIR)
		g.want("rmdir file", g.rmdir(root, "file"), ENOTDIR)
		g.want("rmdir file/", g.rmdir(root, "file/"), ENOTDIR)
		g.want("rmdir missing", g.rmdir(root, "missing"), ENOENT)
		g.want("rmdir .", g.rmdir(root, "."), EINVAL)
		g.want("rmdir dir/..", g.rmdir(root, "dir/.."), EINVAL)
		g.want("symlink to a missing name/", g.symlink("source", root, "target/"), ENOENT)
		g.want("symlink onto a directory/", g.symlink("source", root, "dir/"), EEXIST)
		g.want("symlink onto a directory", g.symlink("source", root, "dir"), EEXIST)
		g.want("symlink onto file/", g.symlink("source", root, "file/"), ENOTDIR)
		g.want("symlink onto a file", g.symlink("source", root, "file"), EEXIST)
		g.want("link to a missing name/", g.link(root, "file", root, "new/"), ENOENT)
		g.want("rename dir/", g.rename(root, "dir/", root, "dir2"), Success)
		g.want("rename to dir/", g.rename(root, "dir2", root, "dir/"), Success)
		g.want("rename both", g.rename(root, "dir/", root, "dir2/"), Success)
		g.want("rename file/", g.rename(root, "file/", root, "file2"), ENOTDIR)
		g.want("rename file to new/", g.rename(root, "file", root, "new/"), ENOTDIR)
		g.want("mkdir onto a file", g.mkdir(root, "file"), EEXIST)
		g.want("mkdir .", g.mkdir(root, "."), EEXIST)
		g.want("rmdir dir/", g.rmdir(root, "dir2/"), Success)
		_, errno := g.open(root, "new/", openCreate)
		g.want("create new/", errno, EISDIR)
	})
}

func TestSymbolicLinks(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		g.create(root, "file", "text")
		g.want("symlink", g.symlink("file", root, "link"), Success)
		g.want("a loop", g.symlink("loop", root, "loop"), Success)
		g.want("a longer loop", g.symlink("b/x", root, "a"), Success)
		g.want("and its end", g.symlink("a/x", root, "b"), Success)
		g.want("an absolute text", g.symlink("/", root, "absolute"), ENOTCAPABLE)
		g.want("no text", g.symlink("", root, "empty"), ENOENT)
		if got := g.content(root, "link"); got != "text" {
			t.Errorf("through the link: %q", got)
		}
		for _, path := range []string{"loop", "a", "b/y"} {
			_, errno := g.openAs(root, path, how{follow: true})
			g.want("follow "+path, errno, ELOOP)
		}
		_, errno := g.openAs(root, "loop", how{})
		g.want("open a link itself", errno, ELOOP)
		_, errno = g.openAs(root, "link", how{flags: openDirectory})
		g.want("open a link itself as a directory", errno, ELOOP, ENOTDIR)
		_, errno = g.openAs(root, "link", how{flags: openDirectory, follow: true})
		g.want("open a link to a file as a directory", errno, ENOTDIR)
		_, errno = g.openAs(root, "link", how{flags: openCreate | openExclusive, follow: true})
		g.want("create where a link is", errno, EEXIST)

		g.want("dangling", g.symlink("later", root, "dangling"), Success)
		fd, errno := g.openAs(root, "dangling", how{flags: openCreate, follow: true, base: fileRights})
		g.want("create through a link", errno, Success)
		g.write(fd, "made")
		if got := g.content(root, "later"); got != "made" {
			t.Errorf("made through a link: %q", got)
		}

		if text, errno := g.readlink(root, "link", 10); text != "file" || errno != Success {
			t.Errorf("readlink: %q, %v", text, errno)
		}
		if text, errno := g.readlink(root, "link", 2); text != "fi" || errno != Success {
			t.Errorf("readlink into 2 bytes: %q, %v", text, errno)
		}
		_, errno = g.readlink(root, "file", 10)
		g.want("readlink of a file", errno, EINVAL)
		_, errno = g.readlink(root, "missing", 10)
		g.want("readlink of nothing", errno, ENOENT)

		itself, _ := g.statAt(root, "link", false)
		target, _ := g.statAt(root, "link", true)
		if itself.filetype != typeSymlink || target.filetype != typeRegular || itself.size != 4 || target.size != 4 {
			t.Errorf("stat: %+v and %+v", itself, target)
		}
		g.want("unlink", g.unlink(root, "link"), Success)
		if got := g.content(root, "file"); got != "text" {
			t.Errorf("after its link has gone the file holds %q", got)
		}
	})
}

func TestAChainOfLinksHasALimit(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		g.create(root, "l0", "end")
		for i := 1; i <= SymbolicLinks+1; i++ {
			g.want("symlink", g.symlink(name("l", i-1), root, name("l", i)), Success)
		}
		_, errno := g.openAs(root, name("l", SymbolicLinks), how{follow: true})
		g.want("as many as allowed", errno, Success)
		_, errno = g.openAs(root, name("l", SymbolicLinks+1), how{follow: true})
		g.want("one more", errno, ELOOP)
	})
}

func TestLinks(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		g.create(root, "file", "text")
		g.want("mkdir", g.mkdir(root, "dir"), Success)
		dir := g.openDir(root, "dir")
		g.want("link in the same directory", g.link(root, "file", root, "link"), Success)
		g.want("link into another", g.link(root, "file", dir, "link"), Success)
		a, _ := g.statAt(root, "file", false)
		b, _ := g.statAt(dir, "link", false)
		if a != b || a.links != 3 {
			t.Errorf("the links differ: %+v and %+v", a, b)
		}
		fd, errno := g.open(root, "link", 0)
		g.want("open", errno, Success)
		g.write(fd, "TE")
		if got := g.content(dir, "link"); got != "TExt" {
			t.Errorf("written through a link, read through another: %q", got)
		}
		g.want("link onto a file", g.link(root, "file", root, "link"), EEXIST)
		g.want("link onto itself", g.link(root, "file", root, "file"), EEXIST)
		g.want("link onto a directory", g.link(root, "file", root, "dir"), EEXIST)
		g.want("link a directory", g.link(root, "dir", root, "dir2"), EPERM)
		g.want("link nothing", g.link(root, "missing", root, "x"), ENOENT)
		g.want("symlink", g.symlink("missing", root, "dangling"), Success)
		g.want("link a dangling link", g.link(root, "dangling", root, "dangling2"), Success)
		if st, _ := g.statAt(root, "dangling2", false); st.filetype != typeSymlink {
			t.Errorf("the link of a link is %+v", st)
		}
		g.want("link onto a dangling link", g.link(root, "file", root, "dangling"), EEXIST)
		p1, n1 := g.path("dangling")
		p2, n2 := g.path("x")
		g.want("follow", g.call("path_link", root, followLink, p1, n1, root, p2, n2), EINVAL)
	})
}

func TestRename(t *testing.T) {
	eachFileSystem(t, func(t *testing.T, g *guest) {
		g.create(root, "file", "1")
		g.create(root, "other", "2")
		for _, dir := range []string{"dir", "empty", "full", "full/below"} {
			g.want("mkdir", g.mkdir(root, dir), Success)
		}
		g.want("a directory over an empty one", g.rename(root, "dir", root, "empty"), Success)
		g.want("a directory over a full one", g.rename(root, "empty", root, "full"), ENOTEMPTY)
		g.want("a directory over a file", g.rename(root, "empty", root, "file"), ENOTDIR)
		g.want("a file over a directory", g.rename(root, "file", root, "empty"), EISDIR)
		g.want("a directory below itself", g.rename(root, "full", root, "full/below/x"), EINVAL)
		g.want("a directory onto one below itself", g.rename(root, "full", root, "full/below"), EINVAL)
		g.want("a directory onto the one it is in", g.rename(root, "full/below", root, "full"), ENOTEMPTY)
		g.want("onto itself", g.rename(root, "file", root, "file"), Success)
		g.want("a directory onto itself", g.rename(root, "empty", root, "empty"), Success)
		g.want("nothing", g.rename(root, "missing", root, "x"), ENOENT)
		g.want(".", g.rename(root, ".", root, "x"), EBUSY)
		g.want("to .", g.rename(root, "file", root, "."), EBUSY, EISDIR)
		g.want("a file over a file", g.rename(root, "file", root, "other"), Success)
		if got := g.content(root, "other"); got != "1" {
			t.Errorf("the file over the other holds %q", got)
		}
		full := g.openDir(root, "full")
		g.want("into another directory", g.rename(root, "other", full, "moved"), Success)
		g.want("a directory into another", g.rename(root, "empty", full, "empty"), Success)
		if got := g.content(full, "empty/../moved"); got != "1" {
			t.Errorf("the moved file holds %q", got)
		}
		_, errno := g.statAt(root, "other", false)
		g.want("the old name", errno, ENOENT)
	})
}

func TestRenameBetweenFileSystems(t *testing.T) {
	dir := newHostGuest(t).sys.config.Dirs
	g := newGuest(t, Config{TmpBytes: 1 << 20, Dirs: dir})
	g.create(3, "file", "x")
	g.create(4, "file", "x")
	g.want("rename", g.rename(3, "file", 4, "moved"), EXDEV)
	g.want("rename back", g.rename(4, "file", 3, "moved"), EXDEV)
	g.want("link", g.link(3, "file", 4, "linked"), EXDEV)
	g.want("link back", g.link(4, "file", 3, "linked"), EXDEV)
}
