package jobs

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

// Why an attempt is stopped before its deadline.
var (
	errCanceled = errors.New("the job was cancelled")
	errShutdown = errors.New("the host shuts down")
)

// running knows the attempts that run in this process, so that one can be stopped.
type running struct {
	mu       sync.Mutex
	attempts map[ledger.ID]context.CancelCauseFunc
	// early holds jobs that were cancelled after their claim and before their
	// attempt was here.
	early map[ledger.ID]time.Time
}

// begin makes the context of an attempt; the caller ends it.
func (r *running) begin(ctx context.Context, id ledger.ID) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.attempts == nil {
		r.attempts = map[ledger.ID]context.CancelCauseFunc{}
	}
	r.attempts[id] = cancel
	if _, ok := r.early[id]; ok {
		cancel(errCanceled)
	}
	return ctx, cancel
}

func (r *running) end(id ledger.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.attempts, id)
	delete(r.early, id)
}

// cancel stops the attempt of a job, now or when it begins.
func (r *running) cancel(id ledger.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if cancel, ok := r.attempts[id]; ok {
		cancel(errCanceled)
		return
	}
	if r.early == nil {
		r.early = map[ledger.ID]time.Time{}
	}
	r.early[id] = time.Now()
}

// forget drops what was cancelled early and ended meanwhile.
func (r *running) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, at := range r.early {
		if time.Since(at) > time.Minute {
			delete(r.early, id)
		}
	}
}
