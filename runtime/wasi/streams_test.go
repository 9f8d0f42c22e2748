package wasi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestStreams(t *testing.T) {
	g := newGuest(t, Config{})
	var out, log bytes.Buffer
	g.sys.Begin(Streams{Stdin: strings.NewReader("input"), Stdout: &out, Stderr: &log}, nil)
	g.write(1, "hello ")
	if n, errno := g.tryWrite(1, "wor", "ld"); n != 5 || errno != Success {
		t.Errorf("two buffers: %d, %v", n, errno)
	}
	g.write(2, "log")
	if out.String() != "hello world" || log.String() != "log" {
		t.Errorf("stdout %q, stderr %q", &out, &log)
	}
	if got := g.read(0, 3) + g.read(0, 9) + g.read(0, 9); got != "input" {
		t.Errorf("stdin %q", got)
	}
	g.sys.Begin(Streams{}, nil)
	if got := g.read(0, 9); got != "" {
		t.Errorf("no stdin reads %q", got)
	}
	g.write(1, "discarded")
}

// brokenWriter takes some bytes, then fails.
type brokenWriter struct {
	room int
	err  error
}

func (w *brokenWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.room)
	w.room -= n
	if n < len(p) {
		return n, w.err
	}
	return n, nil
}

func TestAWriterThatFails(t *testing.T) {
	g := newGuest(t, Config{})
	g.sys.Begin(Streams{Stdout: &brokenWriter{5, syscall.EPIPE}, Stderr: &brokenWriter{0, io.ErrShortWrite}}, nil)
	if n, errno := g.tryWrite(1, "abc", "def"); n != 5 || errno != Success {
		t.Errorf("a short write: %d, %v", n, errno)
	}
	_, errno := g.tryWrite(1, "x")
	g.want("a broken pipe", errno, EPIPE)
	_, errno = g.tryWrite(2, "x")
	g.want("any other failure", errno, EIO)

	ctx, cancel := context.WithCancel(t.Context())
	g.ctx = ctx
	cancel() // as a writer does that stops the invocation
	if why := g.ended(func() { g.tryWrite(2, "x") }); !errors.Is(why.(error), context.Canceled) {
		t.Errorf("ended by %v", why)
	}
}

func TestInterruptibleStdin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, in := io.Pipe()
		stdin := NewInterruptible(r)
		g := newGuest(t, Config{})
		g.sys.Begin(Streams{Stdin: stdin}, nil)
		go func() {
			time.Sleep(time.Second)
			_, _ = io.WriteString(in, "one")
			time.Sleep(time.Second)
			_, _ = io.WriteString(in, "two")
			_ = in.Close()
		}()
		g.want("not blocking", g.call("fd_fdstat_set_flags", 0, flagNonblock), Success)
		_, errno := g.tryRead(0, 9)
		g.want("nothing there", errno, EAGAIN)
		g.want("blocking", g.call("fd_fdstat_set_flags", 0, 0), Success)

		start := time.Now()
		if events := g.poll(subscribeRead(1, 0), subscribeClock(2, clockMonotonic, time.Minute)); len(events) != 1 || events[0].available != 3 {
			t.Errorf("events %+v", events)
		}
		if time.Since(start) != time.Second {
			t.Errorf("poll took %v", time.Since(start))
		}
		if got := g.read(0, 2) + g.read(0, 9); got != "one" {
			t.Errorf("read %q", got)
		}
		if events := g.poll(subscribeRead(1, 0), subscribeClock(2, clockMonotonic, time.Millisecond)); len(events) != 1 || events[0].userdata != 2 {
			t.Errorf("events %+v", events)
		}
		if got := g.read(0, 9) + g.read(0, 9); got != "two" {
			t.Errorf("read %q", got)
		}
		if events := g.poll(subscribeRead(1, 0)); len(events) != 1 || events[0].available != 0 {
			t.Errorf("events at the end %+v", events)
		}
		stdin.Close()
	})
}

func TestAReadThatWaitsEndsWithTheInvocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, in := io.Pipe()
		stdin := NewInterruptible(r)
		g := newGuest(t, Config{})
		g.sys.Begin(Streams{Stdin: stdin}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		g.ctx = ctx
		start := time.Now()
		g.ended(func() { g.tryRead(0, 9) })
		g.ended(func() { g.poll(subscribeRead(1, 0)) })
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v", took)
		}
		_ = in.Close()
		stdin.Close()
	})
}
