// Package logs keeps the log of a data directory: one JSON record a line, in
// segments under DATA/logs/, bounded by size. Requests hardly wait for the disk:
// records are queued and written in batches, and what had to be dropped is
// counted and said so in the log itself.
//
// A record survives a crash of the process once it is written, at most
// FlushEvery after it was made; nothing is synced, so a power cut may take the
// last seconds. Readers skip what they cannot read: a torn last line loses that
// line and no other.
package logs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/cloche-run/cloche/abi"
)

// Limits of a log. Lengths of strings are counted as they are stored, escaped.
const (
	// DefaultBytes bounds the segments of a log together: 64 MiB.
	DefaultBytes = 64 << 20
	// MinBytes is the smallest bound Open takes: every segment holds a line.
	MinBytes = segments * LineBytes
	// MessageBytes caps a message, mark included: 16 KiB.
	MessageBytes = 16 << 10
	// AttrBytes caps the attributes of a record together: 16 KiB.
	AttrBytes = 16 << 10
	// NameBytes caps a function, a request id and the key of an attribute.
	NameBytes = 256
	// LineBytes caps a line; readers skip a longer one, which is none of ours.
	LineBytes = 64 << 10
	// QueueBytes is what may wait for the disk: 4 MiB.
	QueueBytes = 4 << 20

	// FlushEvery is the longest a record waits before it is written.
	FlushEvery = 200 * time.Millisecond
	// WaitLimit is the longest a record waits for room in the queue.
	WaitLimit = 100 * time.Millisecond
	// PollEvery is how often Follow looks at a log that another process writes.
	PollEvery = 250 * time.Millisecond
)

// Mark ends a string that was cut.
const Mark = abi.CutMark

// ErrClosed is what a handler returns once its Store is closed.
var ErrClosed = errors.New("logs: closed")

// Store writes the log of one data directory, and reads it. A directory has one
// Store at a time; any number of processes may read it.
type Store struct {
	dir   string
	queue *queue
	sink  *sink
	done  sync.WaitGroup
	once  sync.Once
}

// Open makes or continues the log of the data directory data, in data/logs,
// bounded by maxBytes in all (0 means DefaultBytes, the least is MinBytes). The
// caller closes the Store.
func Open(data string, maxBytes int64) (*Store, error) {
	if maxBytes == 0 {
		maxBytes = DefaultBytes
	}
	if maxBytes < MinBytes {
		return nil, fmt.Errorf("logs: %d bytes cannot hold a log: give it at least %d", maxBytes, MinBytes)
	}
	file := &segmented{dir: directory(data), maxBytes: maxBytes, segmentBytes: maxBytes / segments}
	if err := file.open(); err != nil {
		return nil, fmt.Errorf("logs: open: %w", err)
	}
	s := &Store{dir: file.dir, queue: newQueue()}
	s.sink = &sink{write: s.queue.put}
	s.done.Go(func() { s.write(file) })
	return s, nil
}

// directory is where the log of a data directory is kept.
func directory(data string) string { return filepath.Join(data, "logs") }

// Handler returns a handler that takes every level and is safe for concurrent
// use. Attributes called "function" and "request" outside of groups become the
// fields of that name; a group's name is put before its keys ("group.key").
func (s *Store) Handler() slog.Handler { return &handler{sink: s.sink} }

// Dropped is how many records were lost since Open, for want of room or because
// the disk refused them.
func (s *Store) Dropped() uint64 { return s.queue.lost() }

// Flush returns when every record handed over before is written or dropped.
func (s *Store) Flush() { s.queue.flush() }

// Close writes what is queued and ends every Follow. It is safe to call twice.
func (s *Store) Close() error {
	s.once.Do(s.queue.close)
	s.done.Wait()
	return nil
}

// write is the Store's one goroutine: it moves batches from the queue to the
// disk until the queue is closed and empty.
func (s *Store) write(file *segmented) {
	defer file.close()
	for {
		batch, missing, open := s.queue.take()
		if missing > 0 {
			batch = dropRecord(missing).appendLine(batch)
		}
		s.queue.settle(batch, file.write(batch), missing, !open)
		if !open {
			return
		}
	}
}

// dropRecord says that n records are missing from the log.
func dropRecord(n uint64) Record {
	return Record{
		Time: time.Now(), Level: slog.LevelWarn, Message: "log records dropped",
		Attrs: []slog.Attr{slog.Uint64("count", n)},
	}
}

// Query returns the records that q asks for, oldest first, those logged just
// before included. The sequence ends after its first error.
func (s *Store) Query(q Query) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		s.Flush()
		read(s.dir, q, yield)
	}
}

// Follow is Query that goes on with what is logged from then on, across
// rotation, until ctx or the Store ends; neither is an error. A follower that
// is slower than the log misses what was rotated away under it.
func (s *Store) Follow(ctx context.Context, q Query) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		s.Flush()
		follow(ctx, s.dir, q, s.queue.watch, yield)
	}
}
