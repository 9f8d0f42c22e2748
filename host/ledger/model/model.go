// Package model is a ledger in memory, written to be read: the rules of package
// ledger as plainly as they can be said, one mutex, every question answered by
// looking at all jobs. It is what other ledgers are compared with, and what tests
// of the rooms above use. Nothing in it survives the process.
package model

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

// Store is what a Ledger keeps when it is closed, as a disk would.
type Store struct {
	jobs     []*record // in the order of their ids
	keys     map[key]holder
	events   []*event
	seq      int64
	paused   map[string]bool
	accepted int64
	pruned   int64
	latest   time.Time // the clock's high water
}

// record is a job and what belongs to it.
type record struct {
	ledger.Job
	token   int64
	request ledger.Request
	maxAge  time.Duration
	history []ledger.Attempt
}

// key is an idempotency or a unique key, and holder who has it.
type key struct {
	kind, function, value string
}

type holder struct {
	id      ledger.ID
	expires time.Time
}

type event struct {
	ledger.Event
	next time.Time
}

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{keys: make(map[key]holder), paused: make(map[string]bool)}
}

// Ledger is the model. It is open once at a time on a store.
type Ledger struct {
	wake chan struct{}

	mu     sync.Mutex // guards all below
	store  *Store
	clock  *ledger.Clock
	newID  func(time.Time) ledger.ID
	closed bool
	broken error
}

// New returns a ledger with a store of its own.
func New(options ledger.Options) *Ledger { return NewStore().Open(options) }

// Open opens the store. Jobs that ran are interrupted.
func (s *Store) Open(options ledger.Options) *Ledger {
	options = options.Filled(s.latestID())
	clock, _ := ledger.NewClock(options.Wall, s.latest)
	l := &Ledger{wake: make(chan struct{}, 1), store: s, clock: clock, newID: options.NewID}
	now := l.now()
	for _, r := range s.jobs {
		if r.Status == ledger.Running {
			s.interrupt(r, now)
		}
	}
	return l
}

func (s *Store) latestID() (latest ledger.ID) {
	if n := len(s.jobs); n > 0 {
		latest = s.jobs[n-1].ID
	}
	return latest
}

// Break makes every change fail with err, until it is nil again.
func (l *Ledger) Break(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = err
}

// Healthy returns what Break was given.
func (l *Ledger) Healthy() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ledger.ErrClosed
	}
	return l.broken
}

// Close lets go of the store.
func (l *Ledger) Close(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ledger.ErrClosed
	}
	l.closed = true
	return nil
}

// Wake receives when NextDue may have become shorter.
func (l *Ledger) Wake() <-chan struct{} { return l.wake }

func (l *Ledger) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// change lets f change the store, unless the ledger is closed or broken.
func (l *Ledger) change(ctx context.Context, f func(s *Store, now time.Time) error) error {
	return l.read(ctx, func(s *Store, now time.Time) error {
		if l.broken != nil {
			return l.broken
		}
		return f(s, now)
	})
}

// read lets f look at the store.
func (l *Ledger) read(ctx context.Context, f func(s *Store, now time.Time) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ledger.ErrClosed
	}
	return f(l.store, l.now())
}

func (l *Ledger) now() time.Time {
	l.store.latest = l.clock.Now()
	return l.store.latest
}

// find returns a job, or ErrNotFound.
func (s *Store) find(id ledger.ID) (*record, error) {
	for _, r := range s.jobs {
		if r.ID == id {
			return r, nil
		}
	}
	return nil, ledger.ErrNotFound
}

// line returns the jobs of function that wait, the next one first.
func (s *Store) line(function string) (line []*record) {
	for _, r := range s.jobs {
		if r.Function == function && r.Status.Waits() {
			line = append(line, r)
		}
	}
	slices.SortFunc(line, func(a, b *record) int {
		if c := a.RunAt.Compare(b.RunAt); c != 0 {
			return c
		}
		return bytes.Compare(a.ID[:], b.ID[:])
	})
	return line
}

// functions returns the functions of all jobs.
func (s *Store) functions() (names []string) {
	for _, r := range s.jobs {
		if !slices.Contains(names, r.Function) {
			names = append(names, r.Function)
		}
	}
	return names
}

// running returns how many jobs of function run.
func (s *Store) running(function string) (n int) {
	for _, r := range s.jobs {
		if r.Function == function && r.Status == ledger.Running {
			n++
		}
	}
	return n
}
