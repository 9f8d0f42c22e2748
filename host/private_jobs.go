package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/admin"
	"github.com/cloche-run/cloche/host/ledger"
)

// Jobs implements admin.Jobs.
func (p private) Jobs(ctx context.Context, q admin.JobQuery) (admin.JobPage, error) {
	page, err := p.queue.List(ctx, ledger.Query{
		Function: q.Function, Status: ledger.Status(q.Status), Limit: q.Limit, Cursor: q.Cursor,
	})
	shown := admin.JobPage{Jobs: make([]admin.Job, len(page.Jobs)), NextCursor: page.Next}
	for i := range page.Jobs {
		shown.Jobs[i] = showJob(&page.Jobs[i])
	}
	return shown, jobError(err)
}

// Job implements admin.Jobs.
func (p private) Job(ctx context.Context, id string) (shown admin.JobDetail, err error) {
	parsed, err := ledger.ParseID(id)
	if err != nil {
		return shown, jobError(err)
	}
	job, err := p.queue.Get(ctx, parsed)
	shown.Job = showJob(&job.Job)
	for _, a := range job.History {
		shown.Attempts = append(shown.Attempts, admin.JobAttempt{
			N: a.N, StartedAt: a.StartedAt, EndedAt: a.EndedAt, Outcome: string(a.Result), Error: a.Error,
			RunTime: admin.Millis(a.RunTime), Fuel: a.Fuel, Log: string(a.Log),
		})
	}
	return shown, jobError(err)
}

// Cancel implements admin.Jobs.
func (p private) Cancel(ctx context.Context, id string) (admin.Job, error) {
	parsed, err := ledger.ParseID(id)
	if err != nil {
		return admin.Job{}, jobError(err)
	}
	job, err := p.queue.Cancel(ctx, parsed)
	if err == nil {
		p.log.Info("job cancelled", "function", job.Function, "job", id, "status", string(job.Status))
	}
	return showJob(&job), jobError(err)
}

// Replay implements admin.Jobs.
func (p private) Replay(ctx context.Context, id string) (string, error) {
	parsed, err := ledger.ParseID(id)
	if err != nil {
		return "", jobError(err)
	}
	next, err := p.queue.Replay(ctx, parsed)
	if err == nil {
		p.log.Info("job replayed", "job", next.String(), "replay_of", id)
	}
	return next.String(), jobError(err)
}

// Purge implements admin.Jobs.
func (p private) Purge(ctx context.Context, purge admin.JobPurge) (int, error) {
	var statuses []ledger.Status
	for _, status := range purge.Statuses {
		statuses = append(statuses, ledger.Status(status))
	}
	n, err := p.queue.Purge(ctx, purge.Function, statuses...)
	p.log.Info("jobs purged", "function", purge.Function, "jobs", n)
	return n, jobError(err)
}

// SetPaused implements admin.Jobs.
func (p private) SetPaused(ctx context.Context, function string, paused bool) error {
	err := p.queue.SetPaused(ctx, function, paused)
	if err == nil {
		p.log.Info("function paused or resumed", "function", function, "paused", paused)
	}
	return jobError(err)
}

// Counts implements admin.Jobs.
func (p private) Counts(ctx context.Context) (jobs map[string]int64, paused []string, err error) {
	stats, _, err := p.queue.Stats(ctx)
	return countJobs(&stats), stats.Paused, jobError(err)
}

func countJobs(stats *ledger.Stats) map[string]int64 {
	jobs := map[string]int64{}
	total := stats.Total()
	for _, status := range ledger.Statuses() {
		jobs[string(status)] = total[status].Jobs
	}
	return jobs
}

// gauges is what a scrape asks for.
func (p private) gauges(ctx context.Context) (admin.JobGauges, error) {
	g := admin.JobGauges{Healthy: p.queue.Healthy() == nil}
	stats, drift, err := p.queue.Stats(ctx)
	if err != nil {
		return g, err
	}
	g.Jobs, g.Due, g.Drift, g.Pending, g.Bytes = countJobs(&stats), stats.Due, drift, stats.Events, stats.Bytes
	return g, nil
}

func showJob(j *ledger.Job) admin.Job {
	return admin.Job{
		ID: j.ID.String(), Function: j.Function, Status: string(j.Status), Reason: string(j.Reason),
		Attempt: j.Attempt(), Origin: j.Origin, Error: j.Error, CancelRequested: j.CancelRequested,
		CreatedAt: j.CreatedAt, RunAt: j.RunAt, StartedAt: j.StartedAt, FinishedAt: j.FinishedAt, ExpiresAt: j.ExpiresAt,
		Interrupts: j.Interrupts, ReplayOf: j.ReplayOf.String(), Parent: j.Parent.String(), Depth: j.Depth,
		RequestBytes: j.RequestBytes,
	}
}

// jobError says in the words of the admin API what went wrong.
func jobError(err error) error {
	var known *abi.Error
	kind := error(nil)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ledger.ErrNotFound), errors.As(err, &known) && known.What == abi.FaultUnknownFunction:
		kind = admin.ErrNoJob
	case errors.Is(err, ledger.ErrUnfinished):
		kind = admin.ErrState
	case errors.Is(err, ledger.ErrInvalid):
		kind = admin.ErrQuery
	case errors.As(err, &known), errors.Is(err, ledger.ErrBusy), errors.Is(err, ledger.ErrFull), errors.Is(err, ledger.ErrBroken):
		kind = admin.ErrNoRoom
	default:
		return err
	}
	return fmt.Errorf("%w: %w", kind, err)
}
