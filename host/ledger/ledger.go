// Package ledger is the durable record of background jobs: the interface, its
// types and its rules. A 202 is a promise, and this is where it is kept: a job
// is accepted when Enqueue returns, which it does once the job would survive a
// loss of power, and every accepted job reaches exactly one end.
//
//	Enqueue --> queued | scheduled --Claim--> running --Finish--> succeeded
//	                 retrying --Claim--^         |
//	                     ^--- error, timeout ----+--> dead (exhausted, timeout, ...)
//	                     ^--- interrupted -------+--> dead (crash_loop)
//	Cancel --> canceled: at once, or when the running attempt ends
//	Replay --> a new job; the old one never changes again
//
// The policy (how often, how long, how many at once) is the caller's. What must
// be atomic is the ledger's: tokens, interruptions, keys, pauses, limits of
// concurrency, expiry, counters, events.
//
// ledger/model keeps these rules in memory, ledger/sqlite on disk;
// ledger/ledgertest holds what both must do.
package ledger

import (
	"context"
	"errors"
	"time"
)

// Ledger is a record of jobs. Its methods may be called at the same time.
//
// An error means that nothing was changed, but for two: a change that waits when
// its ctx ends, and one that met an error of the disk (ErrBroken), may have
// happened. To be sure, repeat it: with an idempotency key, or the same token.
type Ledger interface {
	// Enqueue records jobs, all or none, and returns when they are durable. It
	// copies what it is given. A job whose key is taken is not recorded: its
	// Enqueued says which job has the key.
	Enqueue(ctx context.Context, jobs []NewJob) ([]Enqueued, error)

	// Claim hands out due jobs and returns when that is durable, so that a job
	// that kills the process is known by the next one. Functions with fewer jobs
	// running come first, then those due longer. A job whose turn comes too late
	// ends dead (expired) and is not handed out.
	Claim(ctx context.Context, limits Limits) ([]Claim, error)
	// NextDue returns in how long Claim has something to do: 0 if at once, false
	// if nothing waits that limits would let run. Wake says when to ask again.
	NextDue(ctx context.Context, limits Limits) (wait time.Duration, ok bool, err error)
	// Wake receives when NextDue may have become shorter by a change of a job; a
	// slot that a caller's limits free is the caller's to know. One receiver.
	Wake() <-chan struct{}

	// Finish records how claimed attempts ended, and returns for each whether it
	// was applied. It was not if the claim was lost: somebody else's token is the
	// current one, or the job has ended. Then the result is to be dropped.
	Finish(ctx context.Context, outcomes []Outcome) (applied []bool, err error)

	// Get returns a job with its attempts, or ErrNotFound.
	Get(ctx context.Context, id ID) (Detail, error)
	// Request returns what a job was enqueued with, or ErrNotFound.
	Request(ctx context.Context, id ID) (Request, error)
	// List returns jobs, the newest first. A bad cursor is ErrInvalid.
	List(ctx context.Context, query Query) (Page, error)
	// Stats returns what there is, from counters: its cost does not grow with the
	// number of jobs.
	Stats(ctx context.Context) (Stats, error)

	// Cancel ends a job that waits. Of one that runs it asks it: CancelRequested
	// is set and the attempt ends the job, as canceled unless it ends ok; to stop
	// the attempt is the caller's business. A job that has ended stays as it is.
	// The job is returned as it is then.
	Cancel(ctx context.Context, id ID) (Job, error)
	// Replay enqueues the request of a job that has ended once more, with a new
	// id, no key and all its attempts before it. ErrUnfinished if it has not ended.
	Replay(ctx context.Context, id ID) (ID, error)
	// SetPaused stops jobs of a function from being claimed, or lets them again.
	// It outlives the process; the function need not exist.
	SetPaused(ctx context.Context, function string, paused bool) error

	// Prune forgets jobs that ended, their requests and attempts, and keys that
	// have expired; at most budget of them in one call.
	Prune(ctx context.Context, retention Retention, budget int) (Pruned, error)

	// Events returns at most limit events that are to be delivered now, oldest
	// first. They are there again until Settle takes or delays them.
	Events(ctx context.Context, limit int) ([]Event, error)
	// Settle removes events that were delivered or given up, and delays others.
	// Unknown ones are ignored.
	Settle(ctx context.Context, settled []Settled) error

	// Healthy returns nil, or why the ledger accepts no jobs: an error that is
	// ErrFull (it recovers when there is room again) or ErrBroken (it does not).
	// Reading may still work.
	Healthy() error
	// Close ends the ledger when what was begun is done. Jobs that run are found
	// interrupted by who opens it next.
	Close(ctx context.Context) error
}

// Limits say what a Claim may hand out.
type Limits struct {
	// Max is how many jobs, at least 1.
	Max int
	// Running is how many jobs of a function may run at the same time, those that
	// run already included; 0 for none. Others is the same for functions not in it.
	Running map[string]int
	Others  int
}

// Of returns how many jobs of function may run at the same time.
func (l Limits) Of(function string) int {
	if n, ok := l.Running[function]; ok {
		return n
	}
	return l.Others
}

// Errors of a Ledger, to be tested with errors.Is.
var (
	ErrNotFound   = errors.New("no such job")
	ErrUnfinished = errors.New("the job has not ended: cancel it, or wait")
	// ErrInvalid is a call that breaks a limit of this package or makes no sense.
	ErrInvalid = errors.New("invalid")
	// ErrBusy is too much work waiting to be written: try again in a second.
	ErrBusy = errors.New("the ledger has too much to write: try again")
	// ErrFull is a full disk. Finished jobs can be pruned.
	ErrFull = errors.New("the ledger's disk is full")
	// ErrBroken is an I/O error or damage: nothing more is written until the
	// ledger is opened anew.
	ErrBroken = errors.New("the ledger is broken")
	// ErrClosed is a call after Close.
	ErrClosed = errors.New("the ledger is closed")
)
