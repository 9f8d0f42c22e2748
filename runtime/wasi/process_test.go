package wasi

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tetratelabs/wazero/sys"
)

// texts reads arguments or the environment as C does.
func (g *guest) texts(sizes, get string) (list []string) {
	g.t.Helper()
	out := g.room(8)
	g.want(sizes, g.call(sizes, out, out+4), Success)
	n, size := int(g.u32(out)), int(g.u32(out+4))
	pointers, buf := g.room(4*n), g.room(size)
	g.want(get, g.call(get, pointers, buf), Success)
	for i := range n {
		text := g.bytes(uint64(g.u32(pointers+4*uint64(i))), 4096)
		list = append(list, string(text[:bytes.IndexByte(text, 0)]))
	}
	return list
}

func TestArgumentsAndEnvironment(t *testing.T) {
	for name, test := range map[string]struct{ args, env, call []string }{
		"none":     {},
		"several":  {[]string{"prog", "first", `the "second" arg`, "3", ""}, []string{"a=text", `b=escap " ing`, "c=new\nline"}, nil},
		"of calls": {[]string{"prog"}, []string{"A=1"}, []string{"B=2", "C="}},
	} {
		g := newGuest(t, Config{Args: test.args, Env: test.env})
		g.sys.Begin(Streams{}, test.call)
		if got := g.texts("args_sizes_get", "args_get"); !equal(got, test.args) {
			t.Errorf("%s: arguments %q", name, got)
		}
		if got := g.texts("environ_sizes_get", "environ_get"); !equal(got, append(test.env, test.call...)) {
			t.Errorf("%s: environment %q", name, got)
		}
		end := uint64(memoryPages * 65536)
		for _, at := range []uint64{end, end - 1, 0xffffffff} {
			if g.want("sizes", g.call("args_sizes_get", at, 8), EFAULT); len(test.args) > 0 {
				g.want("pointers", g.call("args_get", at, 8), EFAULT)
				g.want("texts", g.call("args_get", 8, at), EFAULT)
			}
		}
	}
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestClocks(t *testing.T) {
	g := newGuest(t, Config{Epoch: time.Now().Add(-time.Hour)})
	for id := range uint64(4) {
		g.want("resolution", g.call("clock_res_get", id, 8), Success)
		if got := g.u64(8); got != 100_000 {
			t.Errorf("resolution of clock %d: %d", id, got)
		}
		var last uint64
		for range 1000 {
			g.want("time", g.call("clock_time_get", id, 1, 8), Success)
			now := g.u64(8)
			if now%100_000 != 0 || now < last || now < uint64(time.Hour) {
				t.Fatalf("clock %d shows %d after %d", id, now, last)
			}
			last = now
		}
	}
	g.want("time", g.call("clock_time_get", clockRealtime, 0, 8), Success)
	if d := time.Since(time.Unix(0, int64(g.u64(8)))); d < 0 || d > time.Minute {
		t.Errorf("the wall clock is %v behind", d)
	}
	for _, id := range []uint64{4, 1<<32 - 1} {
		g.want("unknown", g.call("clock_time_get", id, 0, 8), EINVAL)
		g.want("unknown", g.call("clock_res_get", id, 8), EINVAL)
	}
	g.want("beyond memory", g.call("clock_time_get", 0, 0, 0xfffffff9), EFAULT)
}

func TestRandom(t *testing.T) {
	g := newGuest(t, Config{})
	const n = 3*randomBytes + 5
	g.want("random", g.call("random_get", 64, n), Success)
	a := g.bytes(64, n)
	g.want("random", g.call("random_get", 64, n), Success)
	b := g.bytes(64, n)
	for at := 0; at < n; at += n / 8 {
		end := min(at+16, n)
		if bytes.Equal(a[at:end], b[at:end]) && end-at == 16 {
			t.Errorf("the same bytes at %d", at)
		}
	}
	if after := g.bytes(64+n, 16); !bytes.Equal(after, make([]byte, 16)) {
		t.Error("written behind the end")
	}
	g.want("nothing", g.call("random_get", 0xffffffff, 0), Success)
	g.want("beyond memory", g.call("random_get", memoryPages*65536-1, 2), EFAULT)
}

func TestExit(t *testing.T) {
	g := newGuest(t, Config{})
	for _, code := range []uint32{0, 1, 33, sys.ExitCodeContextCanceled, sys.ExitCodeDeadlineExceeded} {
		var exit *sys.ExitError
		if why := g.ended(func() { g.call("proc_exit", uint64(code)) }); !errors.As(why.(error), &exit) || exit.ExitCode() != code {
			t.Errorf("exit %d: %v", code, why)
		}
	}
	g.want("raise", g.call("proc_raise", 6), ENOSYS)
	g.want("yield", g.call("sched_yield"), Success)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g.ctx = ctx
	g.ended(func() { g.call("sched_yield") })
}
