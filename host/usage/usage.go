// Package usage counts what each function took: invocations, errors, run time
// and fuel, by month in UTC, across restarts. Counting happens in memory; the
// file DATA/usage.json is replaced every few seconds, so a crash of the process
// forgets at most FlushEvery of counts and never what was written before.
package usage

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/bits"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	// MaxFunctions is how many names a month holds; what comes after is counted
	// under Other.
	MaxFunctions = 10_000
	// MaxMonths is how many months are kept: this one and a year before it.
	MaxMonths = 13
	// NameBytes is the longest name counted under its own.
	NameBytes = 256
	// FlushEvery is how often Run writes what has changed.
	FlushEvery = 5 * time.Second
)

// Other is where functions beyond MaxFunctions are counted together. It cannot
// be the name of a function.
const Other = "(other)"

// Counters is what one function took, in a month or in one invocation. Sums stop
// at the largest number instead of starting over.
type Counters struct {
	Invocations uint64
	// Errors is how many of the invocations ended in a fault.
	Errors uint64
	// RunTime is the time in the guest.
	RunTime time.Duration
	Fuel    uint64
}

// Plus returns the sum of c and d.
func (c Counters) Plus(d Counters) Counters {
	return Counters{
		Invocations: add(c.Invocations, d.Invocations),
		Errors:      add(c.Errors, d.Errors),
		RunTime:     time.Duration(min(add(uint64(c.RunTime), uint64(d.RunTime)), math.MaxInt64)),
		Fuel:        add(c.Fuel, d.Fuel),
	}
}

func add(a, b uint64) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	if carry != 0 {
		return math.MaxUint64
	}
	return sum
}

// Store holds the counters of one data directory, which has one Store at a time.
type Store struct {
	path string
	log  *slog.Logger
	// writing is held while the file is replaced.
	writing sync.Mutex

	mu      sync.Mutex
	months  map[Month]map[string]*Counters
	changed bool
}

// Open reads DATA/usage.json of the data directory data, or begins anew. A file
// that is damaged is set aside beside it, which is logged; one that a newer
// version wrote is an error. A nil log says nothing.
func Open(data string, log *slog.Logger) (*Store, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Store{path: filepath.Join(data, fileName), log: log}
	months, err := s.load()
	if err != nil {
		return nil, fmt.Errorf("usage: %w", err)
	}
	s.months = months
	return s, nil
}

// Add counts what an invocation of function took, in the month that it is now.
// It is safe for concurrent use and never waits for the disk.
func (s *Store) Add(function string, took Counters) {
	now := MonthOf(time.Now())
	if took.RunTime < 0 {
		took.RunTime = 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = true
	month := s.month(now)
	counters := month[function]
	if counters == nil {
		counters = enter(month, function)
	}
	*counters = counters.Plus(took)
}

// month returns the functions of now. Beginning a month may end the oldest; when
// the clock is behind every month kept, the oldest stands in for it.
func (s *Store) month(now Month) map[string]*Counters {
	if month := s.months[now]; month != nil {
		return month
	}
	if len(s.months) >= MaxMonths {
		oldest := oldest(s.months)
		if now < oldest {
			return s.months[oldest]
		}
		delete(s.months, oldest)
	}
	month := make(map[string]*Counters)
	s.months[now] = month
	return month
}

// enter makes the counters of a function that has none in a month.
func enter(month map[string]*Counters, function string) *Counters {
	if len(month) >= MaxFunctions || len(function) > NameBytes {
		function = Other
	}
	counters := month[function]
	if counters == nil {
		counters = new(Counters)
		month[strings.Clone(function)] = counters // the caller's may be borrowed
	}
	return counters
}

// Snapshot is a copy of the counters at one moment.
type Snapshot struct {
	// Now is the month that Add counts in.
	Now    Month
	Months map[Month]map[string]Counters
}

// Snapshot returns every month kept.
func (s *Store) Snapshot() Snapshot {
	snapshot := Snapshot{Now: MonthOf(time.Now()), Months: make(map[Month]map[string]Counters)}
	s.mu.Lock()
	defer s.mu.Unlock()
	for month, functions := range s.months {
		copied := make(map[string]Counters, len(functions))
		for name, counters := range functions {
			copied[name] = *counters
		}
		snapshot.Months[month] = copied
	}
	return snapshot
}

// ThisMonth returns what function took this month.
func (s Snapshot) ThisMonth(function string) Counters {
	return s.Months[s.Now][function]
}

// Run writes what has changed every FlushEvery, and once more when ctx ends. A
// disk that refuses is logged and tried again.
func (s *Store) Run(ctx context.Context) error {
	ticker := time.NewTicker(FlushEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := s.Flush(); err != nil {
				s.log.Warn("cannot write the usage counters", "error", err)
			}
		case <-ctx.Done():
			return s.Flush()
		}
	}
}

// Flush writes the counters if they have changed since they were last written.
// When it returns nil they survive a power cut.
func (s *Store) Flush() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	changed := s.changed
	s.changed = false
	s.mu.Unlock()
	if !changed {
		return nil
	}
	if err := s.save(s.Snapshot()); err != nil {
		s.mu.Lock()
		s.changed = true
		s.mu.Unlock()
		return fmt.Errorf("usage: %w", err)
	}
	return nil
}

// Close writes the counters one last time. It does not end Run.
func (s *Store) Close() error { return s.Flush() }
