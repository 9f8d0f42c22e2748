package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

// jobColumns are what scanJob reads.
const jobColumns = `id, fn, coalesce(origin, ''), status, coalesce(reason, ''), attempts, interrupts, cancel_requested, token,
	created_at, run_at, started_at, finished_at, expires_at, coalesce(idempotency_key, ''), coalesce(unique_key, ''),
	replay_of, parent, depth, coalesce(on_success, ''), coalesce(on_failure, ''), request_bytes`

// lastError is the error of a job's last attempt.
const lastError = `coalesce((SELECT error FROM attempts WHERE job = jobs.id ORDER BY attempts.token DESC LIMIT 1), '')`

// stored is a job and what the ledger knows of it.
type stored struct {
	ledger.Job
	status int
	token  int64
}

func (s *stored) scan(row scanner, more ...any) error {
	var id, replayOf, parent []byte
	var created, run int64
	var started, finished, expires sql.NullInt64
	err := row.Scan(append([]any{
		&id, &s.Function, &s.Origin, &s.status, &s.Reason, &s.Attempts, &s.Interrupts, &s.CancelRequested, &s.token,
		&created, &run, &started, &finished, &expires, &s.IdempotencyKey, &s.UniqueKey,
		&replayOf, &parent, &s.Depth, &s.OnSuccess, &s.OnFailure, &s.RequestBytes,
	}, more...)...)
	s.Status = statusOf(s.status)
	s.ID, s.ReplayOf, s.Parent = toID(id), toID(replayOf), toID(parent)
	s.CreatedAt, s.RunAt = toTime(created), toTime(run)
	s.StartedAt, s.FinishedAt, s.ExpiresAt = nullTime(started), nullTime(finished), nullTime(expires)
	return err
}

func toID(b []byte) (id ledger.ID) {
	copy(id[:], b)
	return id
}

func toTime(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

func nullTime(micros sql.NullInt64) time.Time {
	if !micros.Valid {
		return time.Time{}
	}
	return toTime(micros.Int64)
}

// What is not set is NULL.

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func idOrNull(id ledger.ID) any {
	if id.IsZero() {
		return nil
	}
	return id[:]
}

func timeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// bytesOf is b, and not NULL if it is empty.
func bytesOf(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// asks is a connection or a transaction.
type asks interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// texts returns a column.
func texts(ctx context.Context, a asks, query string, args ...any) (found []string, err error) {
	rows, err := a.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(row scanner) error {
		var s string
		err := row.Scan(&s)
		found = append(found, s)
		return err
	})
	return found, err
}
