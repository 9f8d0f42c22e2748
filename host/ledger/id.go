package ledger

import (
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// ID names a job: a ULID, 26 characters as text. The zero ID is none.
// IDs of one ledger increase.
type ID [16]byte

// String returns the ID as text, "" if it is zero.
func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	return ulid.ULID(id).String()
}

// IsZero reports whether id is none.
func (id ID) IsZero() bool { return id == ID{} }

// ParseID reads what String wrote; case does not matter. What it cannot read is
// ErrNotFound, as it names no job.
func ParseID(s string) (ID, error) {
	id, err := ulid.ParseStrict(s)
	if err != nil || ID(id).IsZero() {
		return ID{}, fmt.Errorf("%.64q is no job id: %w", s, ErrNotFound)
	}
	return ID(id), nil
}

// IDs makes ids that increase, also within a millisecond.
type IDs struct {
	mu      sync.Mutex
	entropy *ulid.MonotonicEntropy
	last    uint64 // milliseconds
}

// NewIDs returns a maker of ids with random bits of the system's, all greater
// than latest, which may be zero.
func NewIDs(latest ID) *IDs {
	ids := &IDs{entropy: ulid.Monotonic(rand.Reader, 0)}
	if !latest.IsZero() {
		ids.last = ulid.ULID(latest).Time() + 1
	}
	return ids
}

// Time returns when id was made, to the millisecond.
func (id ID) Time() time.Time { return time.UnixMilli(int64(ulid.ULID(id).Time())).UTC() }

// New returns an id with the time now, or the latest one before it.
func (m *IDs) New(now time.Time) ID {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.last = max(m.last, ulid.Timestamp(now)); ; m.last++ {
		id, err := ulid.New(m.last, m.entropy)
		if err == nil {
			return ID(id)
		}
		if !errors.Is(err, ulid.ErrMonotonicOverflow) {
			panic(err) // the year is 10889, or there is no randomness
		}
	}
}
