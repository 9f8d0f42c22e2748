package wasi

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestIncludedFilesAreOnlyRead(t *testing.T) {
	g := newGuest(t, Config{Files: fstest.MapFS{
		"data/one.txt": {Data: []byte("one"), ModTime: time.Unix(7, 0)},
		"data/two.txt": {Data: []byte("two")},
		"link":         {Data: []byte("data/one.txt"), Mode: fs.ModeSymlink},
	}})
	if got := g.content(root, "data/../data/one.txt") + g.content(root, "link"); got != "oneone" {
		t.Errorf("read %q", got)
	}
	if got := g.names(g.openDir(root, "data")); !reflect.DeepEqual(got, []string{".", "..", "one.txt", "two.txt"}) {
		t.Errorf("entries %q", got)
	}
	st, _ := g.statAt(root, "data/one.txt", false)
	if st.size != 3 || st.filetype != typeRegular || st.mtim != 7e9 {
		t.Errorf("%+v", st)
	}
	fd, errno := g.openAs(root, "data/one.txt", how{base: allRights &^ rightWrite, inheriting: allRights})
	g.want("open for all but writing", errno, Success)
	if got, _ := g.pread(fd, 9, 1); got != "ne" {
		t.Errorf("pread %q", got)
	}
	g.want("set_size", g.call("fd_filestat_set_size", fd, 0), EROFS)
	g.want("set times", g.call("fd_filestat_set_times", fd, 0, 0, setMtimNow), EROFS)
	_, errno = g.open(root, "data/one.txt", 0)
	g.want("open to write", errno, EROFS)
	_, errno = g.openAs(root, "new", how{flags: openCreate})
	g.want("create", errno, EROFS)
	_, errno = g.openAs(root, "data/one.txt", how{flags: openTruncate})
	g.want("truncate", errno, EROFS)
	for name, errno := range map[string]Errno{
		"mkdir": g.mkdir(root, "x"), "rmdir": g.rmdir(root, "data"), "unlink": g.unlink(root, "link"),
		"symlink": g.symlink("x", root, "y"), "link": g.link(root, "link", root, "x"), "rename": g.rename(root, "link", root, "x"),
	} {
		g.want(name, errno, EROFS)
	}
	p, n := g.path("data/one.txt")
	g.want("set times", g.call("path_filestat_set_times", root, 0, p, n, 0, 0, setMtimNow), EROFS)
}

// plainFS has files that can only be read in one go, as those of archives.
type plainFS struct{ fs.FS }

type plainFile struct{ fs.File }

func (p plainFS) Open(name string) (fs.File, error) {
	f, err := p.FS.Open(name)
	if st, statErr := f.Stat(); err == nil && statErr == nil && st.IsDir() {
		return f, nil
	}
	return plainFile{f}, err
}

func TestIncludedFilesWithoutRandomAccess(t *testing.T) {
	g := newGuest(t, Config{Files: plainFS{fstest.MapFS{"file": {Data: []byte("0123456789")}}}, FilesAt: "/var/task"})
	fd, errno := g.openAs(root, "file", how{base: rightRead | rightSeek})
	g.want("open", errno, Success)
	if got, _ := g.pread(fd, 3, 4); got != "456" {
		t.Errorf("pread %q", got)
	}
	if got := g.sys.initial[root].preopen; got != "/var/task" {
		t.Errorf("mounted at %q", got)
	}
}

// A link that the host made must not lead out, however it is used.
func TestHostLinksAreNotFollowedOut(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := newHostGuest(t)
	inside := g.sys.config.Dirs[0].Root.Name()
	for name, text := range map[string]string{
		"absolute": filepath.Join(outside, "secret"), "dir": outside,
		"relative": "../" + filepath.Base(outside) + "/secret", "parent": "..",
	} {
		if err := os.Symlink(text, filepath.Join(inside, name)); err != nil {
			t.Fatal(err)
		}
	}
	g.want("mkdir", g.mkdir(root, "sub"), Success)
	for _, path := range []string{"absolute", "relative", "dir/secret", "dir/", "parent/", "parent/" + filepath.Base(outside), "sub/../parent/x"} {
		_, errno := g.openAs(root, path, how{follow: true, base: rightRead})
		g.want("open "+path, errno, ENOTCAPABLE)
		_, errno = g.openAs(root, path, how{follow: true, flags: openCreate, base: rightWrite})
		g.want("create "+path, errno, ENOTCAPABLE)
		_, errno = g.statAt(root, path, true)
		g.want("stat "+path, errno, ENOTCAPABLE)
	}
	for _, path := range []string{"dir/secret", "parent/x"} {
		g.want("unlink "+path, g.unlink(root, path), ENOTCAPABLE)
		g.want("mkdir "+path, g.mkdir(root, path), ENOTCAPABLE)
		g.want("rename to "+path, g.rename(root, "sub", root, path), ENOTCAPABLE)
	}
	if p, err := os.ReadFile(filepath.Join(outside, "secret")); err != nil || string(p) != "secret" {
		t.Errorf("outside: %q, %v", p, err)
	}
}

func TestADeepPathInAHostDirectory(t *testing.T) {
	g := newHostGuest(t)
	path := strings.Repeat("d/", pathDepth-1)
	for i := 2; i <= len(path); i += 2 {
		g.want("mkdir", g.mkdir(root, path[:i]), Success)
	}
	within(t, 5*time.Second, func() {
		_, errno := g.openAs(root, path, how{})
		g.want("open", errno, Success)
	})
}
