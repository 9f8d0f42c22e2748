package wasi

import (
	"bytes"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

func TestResetUndoesWhatAGuestDid(t *testing.T) {
	for what, do := range map[string]func(g *guest){
		"close stdout":      func(g *guest) { g.call("fd_close", 1) },
		"close a directory": func(g *guest) { g.call("fd_close", root) },
		"renumber":          func(g *guest) { g.call("fd_renumber", 2, 1) },
		"swap":              func(g *guest) { g.openDir(root, "."); g.call("fd_renumber", 1, 4) },
		"drop rights":       func(g *guest) { g.call("fd_fdstat_set_rights", 1, 0, 0) },
		"drop heirs":        func(g *guest) { g.call("fd_fdstat_set_rights", root, uint64(directoryRights), 0) },
		"set flags":         func(g *guest) { g.call("fd_fdstat_set_flags", 0, flagNonblock) },
		"leave a file open": func(g *guest) { g.create(root, "f", "x"); g.open(root, "f", 0) },
		"write a file":      func(g *guest) { g.create(root, "f", "x") },
		"unlink a file":     func(g *guest) { g.create(root, "f", "x"); g.unlink(root, "f") },
		"make a directory":  func(g *guest) { g.mkdir(root, "d") },
		"make a link":       func(g *guest) { g.symlink("x", root, "l") },
		"set times": func(g *guest) {
			p, n := g.path(".")
			g.call("path_filestat_set_times", root, 0, p, n, 1, 1, setAtim|setMtim)
		},
	} {
		g := newMemoryGuest(t)
		var out bytes.Buffer
		g.sys.Begin(Streams{Stdout: &out}, []string{"CALL=1"})
		if g.sys.Changed() {
			t.Errorf("%s: changed before", what)
		}
		do(g)
		if !g.sys.Changed() {
			t.Errorf("%s: not noticed", what)
		}
		g.sys.Reset()
		if g.sys.Changed() {
			t.Errorf("%s: still changed after a reset", what)
		}
		if got := g.names(root); !reflect.DeepEqual(got, []string{".", ".."}) {
			t.Errorf("%s: /tmp holds %q", what, got)
		}
		if got := g.texts("environ_sizes_get", "environ_get"); len(got) > 0 {
			t.Errorf("%s: environment %q", what, got)
		}
		g.write(1, "to nobody")
		g.sys.Begin(Streams{Stdin: strings.NewReader("in"), Stdout: &out}, nil)
		g.write(1, "out")
		if got := g.read(0, 9); got != "in" || out.String() != "out" {
			t.Errorf("%s: the next call reads %q and writes %q", what, got, &out)
		}
		g.used(0, 0)
	}
}

func TestWhatLeavesNothingBehindIsNoChange(t *testing.T) {
	g := newMemoryGuest(t)
	g.sys.Begin(Streams{}, nil)
	g.write(1, "x")
	g.want("close", g.call("fd_close", g.openDir(root, ".")), Success)
	g.names(root)
	g.want("renumber", g.call("fd_renumber", 1, 1), Success)
	if g.sys.Changed() {
		t.Error("changed")
	}
}

func TestResetKeepsHostDirectories(t *testing.T) {
	g := newHostGuest(t)
	g.create(root, "file", "x")
	g.want("close", g.call("fd_close", root), Success)
	g.sys.Reset()
	if got := g.content(root, "file"); got != "x" {
		t.Errorf("the file holds %q", got)
	}
}

func TestMemoryIsFreeAfterReset(t *testing.T) {
	g := newMemoryGuest(t)
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for i := range 6 {
		fd, _ := g.open(root, name("file", i), openCreate)
		g.write(fd, strings.Repeat("x", 8<<20))
	}
	if full := heap(); full-before < 48<<20 {
		t.Fatalf("only %d bytes are held: this test proves nothing", full-before)
	}
	g.sys.Reset()
	if after := heap(); after-before > 4<<20 {
		t.Errorf("%d bytes are still held", after-before)
	}
}

func TestTooManyDirectories(t *testing.T) {
	dir := newHostGuest(t).sys.config.Dirs[0]
	var dirs []Dir
	for range Descriptors {
		dirs = append(dirs, dir)
	}
	if _, err := New(Config{Dirs: dirs}); err == nil {
		t.Error("no error")
	}
}

func TestWithoutFileSystems(t *testing.T) {
	g := newGuest(t, Config{})
	g.want("no preopen", g.call("fd_prestat_get", 3, 8), EBADF)
	_, errno := g.open(3, "x", openCreate)
	g.want("nothing to open from", errno, EBADF)
}
