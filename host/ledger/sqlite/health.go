package sqlite

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cloche-run/cloche/host/ledger"
)

// health is whether jobs are accepted. A full disk is something to recover from:
// there is the reserve for what makes room. Any other error of the disk is final:
// after a failed sync nobody knows what is on the disk, and asking again may get
// a false yes (https://wiki.postgresql.org/wiki/Fsync_Errors). Another process
// reads what is really there.
type health struct {
	reserve reserve

	mu  sync.Mutex
	why error
}

func newHealth(r reserve) *health { return &health{reserve: r} }

func (h *health) err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.why
}

// refuses returns why a change is not even tried; growing is one that only
// makes the ledger larger.
func (h *health) refuses(growing bool) error {
	why := h.err()
	if errors.Is(why, ledger.ErrFull) && !growing {
		return nil
	}
	return why
}

// full records a full disk. What is worse stays.
func (h *health) full(cause error) {
	if !errors.Is(cause, ledger.ErrFull) {
		cause = fmt.Errorf("%w: %w", ledger.ErrFull, cause)
	}
	h.set(fmt.Errorf("%w: make room on its disk, or prune finished jobs", cause), nil, ledger.ErrFull)
}

// broke records that nothing may be written any more.
func (h *health) broke(cause error) {
	if !errors.Is(cause, ledger.ErrBroken) {
		cause = fmt.Errorf("%w: %w", ledger.ErrBroken, cause)
	}
	h.set(fmt.Errorf("%w: look at its disk, then restart cloche", cause), nil, ledger.ErrFull)
}

// recover ends a full disk's time.
func (h *health) recover() { h.set(nil, ledger.ErrFull) }

func (h *health) close() { h.set(ledger.ErrClosed, nil, ledger.ErrFull, ledger.ErrBroken) }

// set changes why if it is now one of those in from.
func (h *health) set(why error, from ...error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range from {
		if h.why == nil && f == nil || f != nil && errors.Is(h.why, f) {
			h.why = why
			return
		}
	}
}
