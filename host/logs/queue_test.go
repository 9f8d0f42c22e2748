package logs

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestAFullQueueWaitsOnceAndThenDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		line := make([]byte, LineBytes)
		for range QueueBytes / LineBytes {
			q.put(line)
		}
		start := time.Now()
		for range 3 {
			q.put(line) // nobody takes: the disk hangs
		}
		if got := time.Since(start); got != WaitLimit {
			t.Errorf("three records waited %v together, want %v", got, WaitLimit)
		}
		if got := q.lost(); got != 3 {
			t.Errorf("dropped %d, want 3", got)
		}
		batch, missing, open := q.take()
		if len(batch) != QueueBytes || missing != 3 || !open {
			t.Errorf("took %d bytes, %d missing, open %v", len(batch), missing, open)
		}
		q.settle(batch, nil, missing, false)
		q.put(line)
		if got := q.lost(); got != 3 {
			t.Errorf("dropped %d after there was room, want 3", got)
		}
	})
}

func TestRoomMadeInTimeDropsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		line := make([]byte, LineBytes)
		for range QueueBytes / LineBytes {
			q.put(line)
		}
		go func() {
			time.Sleep(WaitLimit / 2)
			batch, _, _ := q.take()
			q.settle(batch, nil, 0, false)
		}()
		q.put(line)
		if got := q.lost(); got != 0 {
			t.Errorf("dropped %d, want 0", got)
		}
		synctest.Wait()
	})
}

func TestARecordWaitsForItsBatchOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(t.TempDir(), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		slog.New(s.Handler()).Info("hello")
		wait := s.queue.watch()
		start := time.Now()
		if !wait(context.Background()) {
			t.Fatal("the log ended")
		}
		if got := time.Since(start); got != FlushEvery {
			t.Errorf("written after %v, want %v", got, FlushEvery)
		}
	})
}

func TestWhatTheDiskRefusesIsCountedAndSaid(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	data := t.TempDir()
	file := &segmented{dir: directory(data), maxBytes: DefaultBytes, segmentBytes: DefaultBytes / segments}
	if err := file.open(); err != nil {
		t.Fatal(err)
	}
	file.file.Close()
	file.file = full
	s := &Store{dir: file.dir, queue: newQueue()}
	s.sink = &sink{write: s.queue.put}
	s.done.Go(func() { s.write(file) })
	log := slog.New(s.Handler())
	for i := range 3 {
		log.Info(fmt.Sprint("lost ", i))
	}
	s.Flush()
	if got := s.Dropped(); got != 3 {
		t.Errorf("dropped %d, want 3", got)
	}
	log.Info("kept")
	s.Close()

	records := collect(t, Read(data, Query{}))
	if got, want := messages(records), []string{"kept", "log records dropped"}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	if got := records[1].Attr("count").Int64(); got != 3 {
		t.Errorf("count %d, want 3", got)
	}
}

func TestALostReportIsMadeAgain(t *testing.T) {
	q := newQueue()
	q.put([]byte("a\n"))
	signal(q.hurry)
	batch, _, _ := q.take()
	batch = append(batch, "report of 5\n"...)
	q.settle(batch, batch, 5, false) // the line and the report were refused
	if q.missing != 6 || q.dropped != 1 {
		t.Errorf("missing %d, dropped %d; want 6 and 1", q.missing, q.dropped)
	}
}
