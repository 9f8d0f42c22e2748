package model

import (
	"context"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

const (
	idempotent = "idempotency"
	unique     = "unique"
)

// Enqueue records jobs.
func (l *Ledger) Enqueue(ctx context.Context, jobs []ledger.NewJob) (enqueued []ledger.Enqueued, err error) {
	err = l.change(ctx, func(s *Store, now time.Time) error {
		if err := ledger.ValidateJobs(jobs, now); err != nil {
			return err
		}
		for i := range jobs {
			j := jobs[i].Clone()
			enqueued = append(enqueued, l.enqueue(&j, now))
		}
		return nil
	})
	return enqueued, err
}

func (l *Ledger) enqueue(j *ledger.NewJob, now time.Time) ledger.Enqueued {
	byIdempotency := key{idempotent, j.Function, j.IdempotencyKey}
	byUnique := key{unique, j.Function, j.UniqueKey}
	for _, k := range []key{byIdempotency, byUnique} {
		if h, ok := l.store.keys[k]; ok && k.value != "" && h.expires.After(now) {
			return ledger.Enqueued{ID: h.id, Existing: true}
		}
	}
	r := newRecord(j, now)
	r.ID = l.newID(now)
	l.store.add(r)
	l.rouse()
	if j.IdempotencyKey != "" {
		l.store.keys[byIdempotency] = holder{r.ID, after(now, or(j.KeyAge, ledger.DefaultKeyAge))}
	}
	if j.UniqueKey != "" {
		l.store.keys[byUnique] = holder{r.ID, after(now, or(j.UniqueAge, ledger.DefaultUniqueAge))}
	}
	return ledger.Enqueued{ID: r.ID}
}

func newRecord(j *ledger.NewJob, now time.Time) *record {
	r := &record{request: j.Request.Clone(), maxAge: j.MaxAge}
	r.Job = ledger.Job{
		Function: j.Function, Origin: j.Origin, Status: ledger.Queued, CreatedAt: now, RunAt: now,
		IdempotencyKey: j.IdempotencyKey, UniqueKey: j.UniqueKey, Parent: j.Parent, Depth: j.Depth,
		OnSuccess: j.OnSuccess, OnFailure: j.OnFailure, RequestBytes: r.request.Bytes(),
	}
	if at := micros(j.RunAt); at.After(now) {
		r.RunAt, r.Status = at, ledger.Scheduled
	}
	if j.MaxAge > 0 {
		r.ExpiresAt = after(now, j.MaxAge)
	}
	return r
}

func (s *Store) add(r *record) {
	s.jobs = append(s.jobs, r)
	s.accepted++
}

// Replay enqueues a job once more.
func (l *Ledger) Replay(ctx context.Context, id ledger.ID) (replay ledger.ID, err error) {
	err = l.change(ctx, func(s *Store, now time.Time) error {
		old, err := s.find(id)
		if err != nil {
			return err
		}
		if !old.Status.Ended() {
			return ledger.ErrUnfinished
		}
		r := newRecord(&ledger.NewJob{
			Function: old.Function, Origin: old.Origin, Request: old.request, MaxAge: old.maxAge,
			Parent: old.Parent, Depth: old.Depth, OnSuccess: old.OnSuccess, OnFailure: old.OnFailure,
		}, now)
		r.ID, r.ReplayOf = l.newID(now), old.ID
		s.add(r)
		l.rouse()
		replay = r.ID
		return nil
	})
	return replay, err
}

// micros is t as a ledger keeps it.
func micros(t time.Time) time.Time { return t.UTC().Round(0).Truncate(time.Microsecond) }

func after(t time.Time, d time.Duration) time.Time { return micros(t.Add(d)) }

func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
