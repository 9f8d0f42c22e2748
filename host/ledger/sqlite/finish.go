package sqlite

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

// Finish records how attempts ended.
func (l *Ledger) Finish(ctx context.Context, outcomes []ledger.Outcome) ([]bool, error) {
	if err := ledger.ValidateOutcomes(outcomes); err != nil {
		return nil, err
	}
	copies, bytes := copyOutcomes(outcomes)
	applied, err := submit(ctx, l, &change{bytes: bytes}, func(b *batch) (applied []bool, err error) {
		for i := range copies {
			ours, err := b.finishClaim(&copies[i])
			if err != nil {
				return nil, err
			}
			applied = append(applied, ours)
		}
		return applied, nil
	})
	if err == nil {
		l.rouse()
	}
	return applied, err
}

func copyOutcomes(outcomes []ledger.Outcome) (copies []ledger.Outcome, bytes int) {
	for _, o := range outcomes {
		o.Error = ledger.CutError(o.Error)
		o.Log = slices.Clone(ledger.CutLog(o.Log))
		o.Response = slices.Clone(o.Response)
		bytes += len(o.Error) + len(o.Log) + len(o.Response) + rowBytes
		copies = append(copies, o)
	}
	return copies, bytes
}

// finishClaim applies an outcome, unless the claim was lost.
func (b *batch) finishClaim(o *ledger.Outcome) (applied bool, err error) {
	s, ok := b.w.running[o.ID]
	if !ok {
		if s, err = b.find(o.ID); errors.Is(err, ledger.ErrNotFound) {
			return false, nil
		}
	}
	if err != nil || s.status != running || s.token != o.Token {
		return false, err
	}
	delete(b.w.running, o.ID)
	return true, b.finish(&s, o)
}

// finish ends an attempt of a job that runs.
func (b *batch) finish(s *stored, o *ledger.Outcome) error {
	if err := b.record(s, o); err != nil {
		return err
	}
	if o.Result.Counts() {
		s.Attempts++
	}
	if o.Result == ledger.Interrupted && o.Blame {
		s.Interrupts++
	}
	status, reason := o.Next(&s.Job)
	if status.Ended() {
		return b.end(s, number(status), reason, o.Response)
	}
	b.move(&s.Job, s.status, retrying)
	return b.exec("UPDATE jobs SET status = ?, run_at = ?, attempts = ?, interrupts = ? WHERE id = ?",
		retrying, b.now.Add(o.RetryAfter).UnixMicro(), s.Attempts, s.Interrupts, s.ID[:])
}

// record adds an attempt to the history of a job. Each has a token of its own.
func (b *batch) record(s *stored, o *ledger.Outcome) error {
	if s.token > ledger.MaxAttempts {
		if err := b.exec("DELETE FROM attempts WHERE job = ? AND token <= ?", s.ID[:], s.token-ledger.MaxAttempts); err != nil {
			return err
		}
	}
	return b.exec(`INSERT INTO attempts (job, token, n, started_at, ended_at, result, error, run_time, fuel, log)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, s.ID[:], s.token, s.Attempts+1, s.StartedAt.UnixMicro(), b.now.UnixMicro(),
		string(o.Result), o.Error, int64(o.RunTime), int64(o.Fuel), bytesOf(o.Log))
}

// end is the end of a job, and of its event the beginning.
func (b *batch) end(s *stored, status int, reason ledger.Reason, response []byte) error {
	b.move(&s.Job, s.status, status)
	err := b.exec("UPDATE jobs SET status = ?, reason = ?, finished_at = ?, attempts = ?, interrupts = ? WHERE id = ?",
		status, orNull(string(reason)), b.now.UnixMicro(), s.Attempts, s.Interrupts, s.ID[:])
	if err != nil {
		return err
	}
	s.status, s.Status, s.Reason, s.FinishedAt = status, statusOf(status), reason, b.now
	switch {
	case status == succeeded && s.OnSuccess != "":
		return b.event(s, s.OnSuccess, response)
	case status == dead && s.OnFailure != "":
		return b.event(s, s.OnFailure, nil)
	}
	return nil
}

func (b *batch) event(s *stored, target string, response []byte) error {
	b.count("", totalEvents, 1, 0)
	return b.exec("INSERT INTO events (job, status, target, at, next_at, response) VALUES (?, ?, ?, ?, ?, ?)",
		s.ID[:], s.status, target, b.now.UnixMicro(), b.now.UnixMicro(), response)
}

// interruptAll ends the attempts that the process before left running, and
// returns how many there were.
func (b *batch) interruptAll() (n int, err error) {
	var left []stored
	err = b.each(func(row scanner) error {
		var s stored
		err := s.scan(row)
		left = append(left, s)
		return err
	}, orphans)
	for i := range left {
		if err == nil {
			err = b.finish(&left[i], &ledger.Outcome{
				Result: ledger.Interrupted, Error: ledger.HostDied, Blame: true,
				RetryAfter: ledger.Backoff(left[i].Interrupts + 1),
			})
		}
	}
	return len(left), err
}

// orphans are the jobs that run.
const orphans = "SELECT " + jobColumns + " FROM jobs WHERE fn IN (SELECT fn FROM counters WHERE status = 4 AND jobs > 0) AND status = 4"

// Cancel ends a job that waits, and asks one that runs to end.
func (l *Ledger) Cancel(ctx context.Context, id ledger.ID) (ledger.Job, error) {
	return submit(ctx, l, &change{}, func(b *batch) (ledger.Job, error) {
		s, err := b.find(id)
		switch {
		case err != nil:
		case s.Status.Waits():
			err = b.end(&s, canceled, "", nil)
		case s.Status == ledger.Running:
			s.CancelRequested = true
			delete(b.w.running, id)
			err = b.exec("UPDATE jobs SET cancel_requested = 1 WHERE id = ?", id[:])
		}
		if err == nil {
			s.Error, err = b.lastError(id)
		}
		return s.Job, err
	})
}

func (b *batch) lastError(id ledger.ID) (text string, err error) {
	err = b.each(func(row scanner) error { return row.Scan(&text) },
		"SELECT error FROM attempts WHERE job = ? ORDER BY token DESC LIMIT 1", id[:])
	return text, err
}

// Settle removes events that are done with, and delays others.
func (l *Ledger) Settle(ctx context.Context, settled []ledger.Settled) error {
	if err := ledger.ValidateSettled(settled); err != nil {
		return err
	}
	settled = slices.Clone(settled)
	return l.submit(ctx, &change{run: func(b *batch) error {
		for _, s := range settled {
			if err := b.settle(s); err != nil {
				return err
			}
		}
		return nil
	}})
}

func (b *batch) settle(s ledger.Settled) error {
	if s.Again {
		return b.exec("UPDATE events SET tries = tries + 1, next_at = ? WHERE seq = ?", b.now.Add(s.After).Truncate(time.Microsecond).UnixMicro(), s.Seq)
	}
	n, err := b.changed("DELETE FROM events WHERE seq = ?", s.Seq)
	b.count("", totalEvents, -n, 0)
	return err
}
