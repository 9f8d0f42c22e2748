package host

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/cloche-run/cloche/abi"
)

// gate lets a number of invocations run at once and a number of others wait.
type gate struct {
	slots   chan struct{}
	queue   int64
	waiting atomic.Int64
	full    *abi.Error // what one over the queue is told
}

func newGate(concurrency, queue int, full *abi.Error) *gate {
	return &gate{slots: make(chan struct{}, concurrency), queue: int64(queue), full: full}
}

// enter waits for a slot, at most patience. Whoever got nil calls leave.
func (g *gate) enter(ctx context.Context, patience time.Duration) error {
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
	}
	if patience <= 0 {
		return g.full
	}
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) > g.queue {
		return g.full
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-timer.C:
		return g.full
	case <-ctx.Done():
		return &abi.Error{What: abi.FaultCanceled, Message: "the request was cancelled while it waited"}
	}
}

func (g *gate) leave() { <-g.slots }
