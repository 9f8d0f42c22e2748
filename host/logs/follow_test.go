package logs

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestFollowGoesOnAcrossRotation(t *testing.T) {
	data := t.TempDir()
	s := openStore(t, data, MinBytes)
	log := slog.New(s.Handler())
	log.Info("old", "i", 0)
	log.Info("first", "i", 1)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	next, stop := iter.Pull2(s.Follow(ctx, Query{Limit: 1}))
	defer stop()
	wantNext := func(i int) {
		t.Helper()
		r, err, ok := next()
		if !ok || err != nil || r.Attr("i").Int64() != int64(i) {
			t.Fatalf("got record %v, %v, %v; want %d", r.Attr("i"), err, ok, i)
		}
	}
	wantNext(1)
	message := strings.Repeat("x", 10000)
	for i := 2; i < 300; i++ { // three times the bound, never a segment behind
		log.Info(message, "i", i)
		s.Flush()
		wantNext(i)
	}
	cancel()
	if r, err, ok := next(); ok {
		t.Errorf("after the end: %v, %v", r, err)
	}
}

func TestFollowEndsWithItsStoreAndMissesNothing(t *testing.T) {
	s := openStore(t, t.TempDir(), 0)
	log := slog.New(s.Handler())
	log.Info("one")
	next, stop := iter.Pull2(s.Follow(context.Background(), Query{}))
	defer stop()
	if r, _, _ := next(); r.Message != "one" {
		t.Fatalf("got %q", r.Message)
	}
	log.Info("two")
	go s.Close()
	if r, _, _ := next(); r.Message != "two" {
		t.Errorf("got %q, want two", r.Message)
	}
	if _, _, ok := next(); ok {
		t.Error("the sequence goes on after Close")
	}
}

func TestFollowOfAnotherProcess(t *testing.T) {
	data := t.TempDir()
	s := openStore(t, data, 0)
	log := slog.New(s.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	started := make(chan struct{})
	got := make(chan string, 10)
	go func() {
		defer close(got)
		for r, err := range Follow(ctx, data, Query{Level: "warn"}) {
			if err != nil {
				t.Errorf("Follow: %v", err)
				return
			}
			if got <- r.Message; r.Message == "a" {
				close(started)
			}
		}
	}()
	log.Warn("a")
	<-started
	log.Info("quiet")
	log.Warn("b")
	for _, want := range []string{"a", "b"} {
		if text := <-got; text != want {
			t.Errorf("got %q, want %q", text, want)
		}
	}
	cancel()
	if text, ok := <-got; ok {
		t.Errorf("got %q after the end", text)
	}
}

func TestFollowJumpsOverWhatWasRotatedAway(t *testing.T) {
	dir := directory(t.TempDir())
	os.MkdirAll(dir, 0o700)
	for _, n := range []uint64{1, 2, 5} {
		os.WriteFile(path(dir, n), lineOf(int(n)), 0o600)
	}
	filter, _ := Query{}.filter()
	c := &cursor{dir: dir, number: 1, filter: filter}
	defer c.close()
	var got []string
	c.drain(func(r Record, err error) bool {
		got = append(got, fmt.Sprint(r.Attr("i"), err))
		if len(got) == 1 {
			os.Remove(path(dir, 1))
			os.Remove(path(dir, 2))
		}
		return true
	})
	if want := []string{"1 <nil>", "5 <nil>"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestACursorWhoseSegmentIsGoneGoesToTheNext(t *testing.T) {
	dir := directory(t.TempDir())
	os.MkdirAll(dir, 0o700)
	filter, _ := Query{}.filter()
	c := &cursor{dir: dir, number: 3, skip: 1, filter: filter} // one record to skip, but in 3
	defer c.close()
	var got []int64
	read := func(r Record, err error) bool {
		got = append(got, r.Attr("i").Int64())
		return err == nil
	}
	if !c.drain(read) || got != nil {
		t.Fatalf("an empty log: got %v", got)
	}
	for _, n := range []uint64{2, 5} {
		os.WriteFile(path(dir, n), lineOf(int(n)), 0o600)
	}
	if !c.drain(read) || !slices.Equal(got, []int64{5}) {
		t.Errorf("got %v, want only 5", got)
	}
}
