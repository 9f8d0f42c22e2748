package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

// openReaders opens connections that cannot write.
func openReaders(ctx context.Context, path string, e engine) (*sql.DB, error) {
	db, err := e.open(path, "busy_timeout(5000)", "query_only(1)", "mmap_size(0)", "cell_size_check(1)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(readers)
	db.SetMaxIdleConns(readers)
	return db, db.PingContext(ctx)
}

// read lets f read what was true at one moment. Transactions are short: the log
// cannot start over while one is open.
func (l *Ledger) read(ctx context.Context, f func(*sql.Tx) error) error {
	if err := l.health.err(); errors.Is(err, ledger.ErrClosed) {
		return err
	}
	tx, err := l.reader.BeginTx(ctx, nil)
	if err == nil {
		err = f(tx)
		_ = tx.Rollback()
	}
	switch {
	case err == nil, errors.Is(err, ledger.ErrNotFound), errors.Is(err, errDamaged):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(l.health.err(), ledger.ErrClosed):
		return ledger.ErrClosed
	}
	if err = l.engine.classify(err); errors.Is(err, ledger.ErrBroken) {
		l.log.Error("ledger is broken: nothing is written any more", "path", l.path, "error", err)
		l.health.broke(err)
	}
	return err
}

// rows calls scan for each row of a query.
func rows(ctx context.Context, a asks, scan func(row scanner) error, query string, args ...any) error {
	found, err := a.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	return eachRow(found, scan)
}

// Get returns a job with its attempts.
func (l *Ledger) Get(ctx context.Context, id ledger.ID) (detail ledger.Detail, err error) {
	err = l.read(ctx, func(tx *sql.Tx) error {
		jobs, err := jobsOf(ctx, tx, []ledger.ID{id})
		if err != nil || len(jobs) == 0 {
			return cmp.Or(err, ledger.ErrNotFound)
		}
		detail.Job = jobs[0]
		return rows(ctx, tx, func(row scanner) error {
			a, err := scanAttempt(row)
			detail.History = append(detail.History, a)
			return err
		}, "SELECT n, started_at, ended_at, result, error, log, run_time, fuel FROM attempts WHERE job = ? ORDER BY token", id[:])
	})
	if err != nil {
		return ledger.Detail{}, err
	}
	return detail, nil
}

func scanAttempt(row scanner) (a ledger.Attempt, err error) {
	var started, ended, fuel int64
	err = row.Scan(&a.N, &started, &ended, &a.Result, &a.Error, &a.Log, &a.RunTime, &fuel)
	a.StartedAt, a.EndedAt, a.Fuel = toTime(started), toTime(ended), uint64(fuel)
	return a, err
}

// jobsOf returns those of the jobs that are there, in the order of ids.
func jobsOf(ctx context.Context, tx *sql.Tx, ids []ledger.ID) (jobs []ledger.Job, err error) {
	for _, id := range ids {
		err := rows(ctx, tx, func(row scanner) error {
			var s stored
			err := s.scan(row, &s.Error)
			jobs = append(jobs, s.Job)
			return err
		}, "SELECT "+jobColumns+", "+lastError+" FROM jobs WHERE id = ?", id[:])
		if err != nil {
			return nil, err
		}
	}
	return jobs, nil
}

// Request returns what a job was enqueued with.
func (l *Ledger) Request(ctx context.Context, id ledger.ID) (found ledger.Request, err error) {
	err = l.read(ctx, func(tx *sql.Tx) error {
		var r request
		err := r.scan(tx.QueryRowContext(ctx, "SELECT "+requestColumns+" FROM requests WHERE job = ?", id[:]))
		if errors.Is(err, sql.ErrNoRows) {
			return ledger.ErrNotFound
		}
		if err == nil {
			found, err = r.decode()
		}
		return err
	})
	return found, err
}

// List returns jobs, the newest first.
func (l *Ledger) List(ctx context.Context, query ledger.Query) (page ledger.Page, err error) {
	limit, before, err := query.Bounds()
	if err != nil {
		return page, err
	}
	if before.IsZero() {
		before = ledger.ID(bytes.Repeat([]byte{0xff}, len(before)))
	}
	err = l.read(ctx, func(tx *sql.Tx) error {
		ids, err := idsOf(ctx, tx, query, before, limit+1)
		if err != nil {
			return err
		}
		page.Jobs, err = jobsOf(ctx, tx, ids[:min(limit, len(ids))])
		if err == nil && len(ids) > limit {
			page.Next = ids[limit-1].String()
		}
		return err
	})
	return page, err
}

// idsOf returns the newest ids before one. Each function and status has a sorted
// list, the index; the beginnings of those that are asked for are merged.
func idsOf(ctx context.Context, tx *sql.Tx, query ledger.Query, before ledger.ID, limit int) (ids []ledger.ID, err error) {
	add := func(row scanner) error {
		var id []byte
		err := row.Scan(&id)
		ids = append(ids, toID(id))
		return err
	}
	if query.Function == "" && query.Status == "" {
		err := rows(ctx, tx, add, "SELECT id FROM jobs WHERE id < ? ORDER BY id DESC LIMIT ?", before[:], limit)
		return ids, err
	}
	var lists []counter
	err = rows(ctx, tx, func(row scanner) error {
		var c counter
		err := row.Scan(&c.function, &c.status)
		lists = append(lists, c)
		return err
	}, "SELECT fn, status FROM counters WHERE fn <> '' AND jobs > 0 AND (? = '' OR fn = ?) AND (? = 0 OR status = ?)",
		query.Function, query.Function, number(query.Status), number(query.Status))
	for _, c := range lists {
		if err == nil {
			err = rows(ctx, tx, add, "SELECT id FROM jobs WHERE fn = ? AND status = ? AND id < ? ORDER BY id DESC LIMIT ?",
				c.function, c.status, before[:], limit)
		}
	}
	slices.SortFunc(ids, func(a, b ledger.ID) int { return bytes.Compare(b[:], a[:]) })
	return ids[:min(limit, len(ids))], err
}

// Events returns what is to be delivered.
func (l *Ledger) Events(ctx context.Context, limit int) (events []ledger.Event, err error) {
	if limit < 1 {
		return nil, ledger.ErrInvalid
	}
	err = l.read(ctx, func(tx *sql.Tx) error {
		return rows(ctx, tx, func(row scanner) error {
			var e ledger.Event
			var job []byte
			var status int
			var at int64
			err := row.Scan(&e.Seq, &job, &status, &e.Target, &e.Response, &at, &e.Tries)
			e.Job, e.Status, e.At = toID(job), statusOf(status), toTime(at)
			events = append(events, e)
			return err
		}, "SELECT seq, job, status, target, response, at, tries FROM events WHERE next_at <= ? ORDER BY seq LIMIT ?",
			l.clock.Now().UnixMicro(), limit)
	})
	return events, err
}

// NextDue returns in how long Claim has something to do.
func (l *Ledger) NextDue(ctx context.Context, limits ledger.Limits) (wait time.Duration, ok bool, err error) {
	if err := limits.Validate(); err != nil {
		return 0, false, err
	}
	err = l.read(ctx, func(tx *sql.Tx) error {
		at, err := earliest(ctx, tx, func(function string, running int) bool { return running < limits.Of(function) })
		if err == nil && !at.IsZero() {
			wait, ok = max(0, at.Sub(l.clock.Now())), true
		}
		return err
	})
	return wait, ok, err
}

// earliest returns when the first job is due of functions that may run, the zero
// time if there is none.
func earliest(ctx context.Context, tx *sql.Tx, mayRun func(function string, running int) bool) (first time.Time, err error) {
	var functions []string
	err = rows(ctx, tx, func(row scanner) error {
		var function string
		var running int
		var isPaused bool
		err := row.Scan(&function, &running, &isPaused)
		if !isPaused && mayRun(function, running) {
			functions = append(functions, function)
		}
		return err
	}, waitingFunctions)
	for _, function := range functions {
		var at int64
		if err == nil {
			err = tx.QueryRowContext(ctx, "SELECT run_at FROM jobs INDEXED BY jobs_waiting WHERE fn = ? AND status <= 3 ORDER BY run_at, id LIMIT 1", function).Scan(&at)
		}
		if t := toTime(at); first.IsZero() || t.Before(first) {
			first = t
		}
	}
	return first, err
}
