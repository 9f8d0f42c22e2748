package sqlite

import (
	"context"
	"sync"

	"github.com/cloche-run/cloche/host/ledger"
)

const (
	// queueChanges and queueBytes bound what waits to be written: ErrBusy beyond.
	queueChanges = 8192
	queueBytes   = 64 << 20
	// batchChanges and batchBytes bound what is committed together.
	batchChanges = 512
	batchBytes   = 1 << 20
)

// change is something to be written.
type change struct {
	ctx   context.Context //nolint:containedctx // the change travels to the committer
	run   func(*batch) error
	bytes int
	grows bool // it only makes the ledger larger

	err  error
	done chan struct{}
}

// queue holds changes until the committer takes them.
type queue struct {
	ready chan struct{}

	mu     sync.Mutex
	waits  []*change
	bytes  int
	closed bool
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

func (q *queue) put(c *change) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return ledger.ErrClosed
	case len(q.waits) >= queueChanges || q.bytes+c.bytes > queueBytes:
		return ledger.ErrBusy
	}
	q.waits = append(q.waits, c)
	q.bytes += c.bytes
	q.signal()
	return nil
}

func (q *queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take returns what is to be committed together, nothing if nothing waits. It
// never waits for more to come: while one batch is synced the next one gathers.
func (q *queue) take() (batch []*change, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, bytes := 0, 0
	for n < len(q.waits) && n < batchChanges && (n == 0 || bytes+q.waits[n].bytes <= batchBytes) {
		bytes += q.waits[n].bytes
		n++
	}
	batch = q.waits[:n:n]
	if q.waits = q.waits[n:]; len(q.waits) == 0 {
		q.waits = nil
	}
	q.bytes -= bytes
	return batch, q.closed
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}
