package logs

import (
	"bytes"
	"context"
	"sync"
	"time"
)

// hurryBytes is when a batch is written without waiting for FlushEvery.
const hurryBytes = 256 << 10

// queue holds whole lines on their way to the disk. Any number of goroutines
// put, one takes and settles.
type queue struct {
	wake   chan struct{} // there is something to write
	hurry  chan struct{} // and it should not wait
	closed chan struct{}

	mu      sync.Mutex
	pending []byte
	spare   []byte // the other buffer, while it is not with the writer
	// stalled is set when someone waited for room in vain; until the writer
	// comes back nobody else waits.
	stalled bool
	// missing is what was dropped and not yet reported, dropped all of it.
	missing, dropped uint64
	// accepted and settled count bytes: in by put, out by settle.
	accepted, settled uint64
	// finished is set once the last batch is settled.
	finished bool
	// moved is closed and replaced whenever the writer took or settled a batch.
	moved chan struct{}
}

func newQueue() *queue {
	return &queue{
		wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1),
		closed: make(chan struct{}), moved: make(chan struct{}),
	}
}

// put copies a line into the queue. When there is no room it waits for some,
// at most WaitLimit, and then drops the line.
func (q *queue) put(line []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.pending)+len(line) > QueueBytes {
		q.waitForRoom(len(line))
	}
	if q.isClosed() {
		return ErrClosed
	}
	if len(q.pending)+len(line) > QueueBytes {
		q.missing++
		q.dropped++
		return nil
	}
	if len(q.pending) == 0 {
		signal(q.wake)
	}
	q.pending = append(q.pending, line...)
	q.accepted += uint64(len(line))
	if len(q.pending) >= hurryBytes {
		signal(q.hurry)
	}
	return nil
}

// waitForRoom gives up the lock while it waits.
func (q *queue) waitForRoom(n int) {
	timeout := time.NewTimer(WaitLimit)
	defer timeout.Stop()
	for len(q.pending)+n > QueueBytes && !q.stalled && !q.isClosed() {
		moved := q.moved
		q.mu.Unlock()
		select {
		case <-moved:
			q.mu.Lock()
		case <-timeout.C:
			q.mu.Lock()
			q.stalled = true
		}
	}
}

// take waits for something to write and for more to come with it, and hands the
// batch to the writer, with the number of records dropped since the last. It
// belongs to the writer until settle. open is false for the last batch.
func (q *queue) take() (batch []byte, missing uint64, open bool) {
	select {
	case <-q.wake:
	case <-q.closed:
	}
	gather := time.NewTimer(FlushEvery)
	defer gather.Stop()
	select {
	case <-gather.C:
	case <-q.hurry:
	case <-q.closed:
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	batch, q.pending, q.spare = q.pending, q.spare[:0], nil
	missing, q.missing = q.missing, 0
	q.stalled = false
	q.announce()
	return batch, missing, !q.isClosed()
}

// settle ends what take began: lost is the end of the batch that the disk
// refused. A batch that reports missing records ends with that report.
func (q *queue) settle(batch, lost []byte, reported uint64, last bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	records := uint64(bytes.Count(lost, []byte{'\n'}))
	if records > 0 && reported > 0 {
		records--
		q.missing += reported
	}
	q.missing += records
	q.dropped += records
	q.settled = q.accepted - uint64(len(q.pending))
	q.finished = last
	if cap(batch) <= 2*hurryBytes {
		q.spare = batch[:0]
	}
	q.announce()
}

// flush waits until everything accepted so far is settled.
func (q *queue) flush() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for target := q.accepted; q.settled < target; {
		signal(q.hurry)
		moved := q.moved
		q.mu.Unlock()
		<-moved
		q.mu.Lock()
	}
}

// watch returns a wait for the next batch to be on disk. It is called before
// reading, so that nothing falls between the reading and the wait. The wait
// reports false when nothing more will come.
func (q *queue) watch() (wait func(context.Context) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	seen := q.settled
	return func(ctx context.Context) bool { return q.wait(ctx, seen) }
}

func (q *queue) wait(ctx context.Context, seen uint64) bool {
	for {
		q.mu.Lock()
		settled, finished, moved := q.settled, q.finished, q.moved
		q.mu.Unlock()
		if settled != seen || finished {
			return settled != seen
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return false
		}
	}
}

func (q *queue) lost() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// close makes the writer take the last batch.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	close(q.closed)
}

func (q *queue) isClosed() bool {
	select {
	case <-q.closed:
		return true
	default:
		return false
	}
}

func (q *queue) announce() {
	close(q.moved)
	q.moved = make(chan struct{})
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
