package model

import (
	"context"
	"slices"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

// Finish records how attempts ended.
func (l *Ledger) Finish(ctx context.Context, outcomes []ledger.Outcome) (applied []bool, err error) {
	err = l.change(ctx, func(s *Store, now time.Time) error {
		if err := ledger.ValidateOutcomes(outcomes); err != nil {
			return err
		}
		for i := range outcomes {
			o := &outcomes[i]
			r, err := s.find(o.ID)
			ours := err == nil && r.Status == ledger.Running && r.token == o.Token
			if ours {
				s.finish(r, o, now)
			}
			applied = append(applied, ours)
		}
		l.rouse()
		return nil
	})
	return applied, err
}

func (s *Store) finish(r *record, o *ledger.Outcome, now time.Time) {
	r.record(ledger.Attempt{
		N: r.Attempts + 1, StartedAt: r.StartedAt, EndedAt: now, Result: o.Result, Error: ledger.CutError(o.Error),
		Log: ledger.CutLog(slices.Clone(o.Log)), RunTime: o.RunTime, Fuel: o.Fuel,
	})
	if o.Result == ledger.Interrupted && o.Blame {
		r.Interrupts++
	}
	switch status, reason := o.Next(&r.Job); {
	case status.Ended():
		s.end(r, status, reason, o.Response, now)
	default:
		r.Status, r.RunAt = status, after(now, o.RetryAfter)
	}
}

// record adds an attempt to the history of a job.
func (r *record) record(a ledger.Attempt) {
	if a.Result.Counts() {
		r.Attempts++
	}
	r.Error = a.Error
	r.history = append(r.history, a)
	r.history = r.history[max(0, len(r.history)-ledger.MaxAttempts):]
}

// interrupt is what happens to a job that runs when the host dies.
func (s *Store) interrupt(r *record, now time.Time) {
	s.finish(r, &ledger.Outcome{
		Result: ledger.Interrupted, Error: ledger.HostDied, Blame: true, RetryAfter: ledger.Backoff(r.Interrupts + 1),
	}, now)
}

// end is the end of a job.
func (s *Store) end(r *record, status ledger.Status, reason ledger.Reason, response []byte, now time.Time) {
	r.Status, r.Reason, r.FinishedAt = status, reason, now
	target := map[ledger.Status]string{ledger.Succeeded: r.OnSuccess, ledger.Dead: r.OnFailure}[status]
	if target == "" {
		return
	}
	if status != ledger.Succeeded {
		response = nil
	}
	s.seq++
	s.events = append(s.events, &event{
		Event: ledger.Event{Seq: s.seq, Job: r.ID, Status: status, Target: target, Response: slices.Clone(response), At: now},
		next:  now,
	})
}

// Cancel ends a job, or asks it to end.
func (l *Ledger) Cancel(ctx context.Context, id ledger.ID) (job ledger.Job, err error) {
	err = l.change(ctx, func(s *Store, now time.Time) error {
		r, err := s.find(id)
		if err != nil {
			return err
		}
		switch {
		case r.Status.Waits():
			s.end(r, ledger.Canceled, "", nil, now)
		case r.Status == ledger.Running:
			r.CancelRequested = true
		}
		job = r.Job
		return nil
	})
	return job, err
}
