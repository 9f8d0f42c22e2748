package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/ledger"
)

// Queue accepts jobs and answers for them. Everything that opens or ends a job of
// its ledger goes through it and its Dispatcher.
type Queue struct {
	ledger    ledger.Ledger
	functions Functions
	meter     Meter
	admission admission
	running   running
}

// NewQueue makes the queue of a ledger, whose open jobs it counts. openBytes is
// what open jobs may take on disk, 0 for DefaultOpenBytes.
func NewQueue(ctx context.Context, l ledger.Ledger, functions Functions, meter Meter, openBytes int64) (*Queue, error) {
	if openBytes <= 0 {
		openBytes = DefaultOpenBytes
	}
	q := &Queue{ledger: l, functions: functions, meter: meter}
	q.admission.maxBytes = openBytes
	stats, err := l.Stats(ctx)
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	q.admission.correct(q.admission.version(), openJobs(&stats))
	return q, nil
}

// Submission is a request that is to become a job.
type Submission struct {
	Function string
	// Request is only read during Enqueue.
	Request *abi.Request
	Origin  string
	// IdempotencyKey is the sender's, UniqueKey the host's own.
	IdempotencyKey, UniqueKey string
	// RunAt is when to run it; the zero time is now.
	RunAt time.Time
	// Parent is the job that this one follows from, Depth how long the chain is.
	Parent ledger.ID
	Depth  int
}

// Receipt is the job of a Submission.
type Receipt struct {
	ID ledger.ID
	// Existing says that the key was another submission's, whose job it is.
	Existing bool
}

// Enqueue makes a request a job. It copies the request and returns when the job
// would survive a loss of power, even if ctx ends before. An error is an
// *abi.Error, and there is no job then.
func (q *Queue) Enqueue(ctx context.Context, s Submission) (Receipt, error) {
	policy, known := q.functions.Policies()[s.Function]
	if !known {
		return Receipt{}, &abi.Error{What: abi.FaultUnknownFunction, Message: "Function not found..."}
	}
	if err := s.check(); err != nil { // before anything is copied
		return Receipt{}, err
	}
	job := s.job(policy)
	bytes := sizeOf(&job.Request)
	if err := q.admission.enter(s.Function, policy.Concurrency+policy.Backlog, bytes); err != nil {
		return Receipt{}, err
	}
	began := time.Now()
	done, err := q.ledger.Enqueue(context.WithoutCancel(ctx), []ledger.NewJob{job})
	isNew := err == nil && !done[0].Existing
	q.admission.written(s.Function, bytes, isNew)
	if err != nil {
		return Receipt{}, unavailable(err)
	}
	if isNew {
		q.meter.Accepted(s.Function, time.Since(began))
	}
	return Receipt{done[0].ID, done[0].Existing}, nil
}

func (s *Submission) check() error {
	switch {
	case len(s.Request.Body) > abi.BackgroundBodyBytes:
		return &abi.Error{
			What:    abi.FaultBodyTooLarge,
			Message: fmt.Sprintf("the body of a background request is limited to %d bytes", abi.BackgroundBodyBytes),
		}
	case len(s.IdempotencyKey) > KeyBytes:
		return &abi.Error{What: abi.FaultBadRequest, Message: fmt.Sprintf("Idempotency-Key is limited to %d bytes", KeyBytes)}
	case s.Depth > abi.ChainDepth && s.Origin != OriginOutcome: // that one ends dead, to be seen
		return &abi.Error{What: abi.FaultChainTooDeep, Message: fmt.Sprintf("a chain of calls may be %d deep", abi.ChainDepth)}
	}
	return nil
}

func (s *Submission) job(p Policy) ledger.NewJob {
	return ledger.NewJob{
		Function: s.Function, Origin: s.Origin, Request: ledger.FromABI(s.Request),
		RunAt: s.RunAt, MaxAge: p.MaxAge,
		IdempotencyKey: s.IdempotencyKey, KeyAge: p.Idempotency, UniqueKey: s.UniqueKey,
		Parent: s.Parent, Depth: s.Depth,
		OnSuccess: p.OnSuccess, OnFailure: p.OnFailure,
	}
}

// unavailable is what the sender of a job is told when the ledger refused it.
func unavailable(err error) error {
	message := "the job could not be recorded"
	switch {
	case errors.Is(err, ledger.ErrInvalid):
		return &abi.Error{What: abi.FaultHeadersTooLarge, Message: "the request does not fit into a job", Detail: err.Error()}
	case errors.Is(err, ledger.ErrFull):
		message += ": the disk is full"
	}
	return &abi.Error{What: abi.FaultLedger, Message: message, Detail: err.Error(), RetryAfter: retryAfter}
}

// Get returns a job with its attempts, or ledger.ErrNotFound.
func (q *Queue) Get(ctx context.Context, id ledger.ID) (ledger.Detail, error) {
	return q.ledger.Get(ctx, id)
}

// List returns jobs, the newest first.
func (q *Queue) List(ctx context.Context, query ledger.Query) (ledger.Page, error) {
	return q.ledger.List(ctx, query)
}

// Stats returns what the ledger holds, and by how much the queue's own count of
// open jobs differs from it: 0 but for jobs that open or end at this moment, and
// for a second after some have expired.
func (q *Queue) Stats(ctx context.Context) (stats ledger.Stats, drift int, err error) {
	if stats, err = q.ledger.Stats(ctx); err != nil {
		return stats, 0, err
	}
	for _, c := range openJobs(&stats) {
		drift -= int(c.Jobs)
	}
	return stats, drift + q.admission.count(), nil
}

// Healthy returns nil, or why no jobs are accepted.
func (q *Queue) Healthy() error { return q.ledger.Healthy() }

// Cancel ends a job that waits, and stops one that runs: that ends soon after.
// The job is returned as it stands then; one that has ended stays as it is.
func (q *Queue) Cancel(ctx context.Context, id ledger.ID) (ledger.Job, error) {
	job, err := q.ledger.Cancel(context.WithoutCancel(ctx), id)
	if err == nil && job.Status == ledger.Running {
		q.running.cancel(id)
	}
	if err == nil {
		err = q.recount(ctx)
	}
	return job, err
}

// Replay makes a new job of one that has ended.
func (q *Queue) Replay(ctx context.Context, id ledger.ID) (ledger.ID, error) {
	old, err := q.ledger.Get(ctx, id)
	if err != nil {
		return ledger.ID{}, err
	}
	bytes := int64(old.RequestBytes) + rowBytes
	policy, known := q.functions.Policies()[old.Function]
	if !known {
		return ledger.ID{}, &abi.Error{What: abi.FaultUnknownFunction, Message: "function " + old.Function + " is gone"}
	}
	if err := q.admission.enter(old.Function, policy.Concurrency+policy.Backlog, bytes); err != nil {
		return ledger.ID{}, err
	}
	next, err := q.ledger.Replay(context.WithoutCancel(ctx), id)
	q.admission.written(old.Function, bytes, err == nil)
	return next, err
}

// SetPaused stops a function's jobs from being started, or lets them go on. It
// outlives a restart.
func (q *Queue) SetPaused(ctx context.Context, function string, paused bool) error {
	return q.ledger.SetPaused(context.WithoutCancel(ctx), function, paused)
}

// Purge forgets jobs of a function ("" for all) that ended in one of statuses and
// returns how many.
func (q *Queue) Purge(ctx context.Context, function string, statuses ...ledger.Status) (n int, err error) {
	keep := map[ledger.Status]ledger.Keep{}
	for _, status := range statuses {
		keep[status] = ledger.Keep{}
	}
	for {
		pruned, err := q.ledger.Prune(ctx, ledger.Retention{Function: function, Keep: keep}, pruneBudget)
		n += pruned.Jobs
		if err != nil || !pruned.More {
			return n, err
		}
	}
}

// recount corrects the count of open jobs by the ledger's.
func (q *Queue) recount(ctx context.Context) error {
	version := q.admission.version()
	stats, err := q.ledger.Stats(ctx)
	if err != nil {
		return err
	}
	q.admission.correct(version, openJobs(&stats))
	return nil
}

// openJobs is what has not ended, by function.
func openJobs(stats *ledger.Stats) map[string]ledger.Count {
	open := map[string]ledger.Count{}
	for function, counts := range stats.Counts {
		var sum ledger.Count
		for status, c := range counts {
			if !status.Ended() {
				sum.Jobs += c.Jobs
				sum.Bytes += c.Bytes + c.Jobs*rowBytes
			}
		}
		open[function] = sum
	}
	return open
}

// sizeOf is what a job takes, in the store and while it is written in memory.
func sizeOf(req *ledger.Request) int64 {
	return int64(len(req.AppendHead(nil))+len(req.Body)) + rowBytes
}

// rowBytes is what a job takes besides its request, about.
const rowBytes = 1 << 10
