package sqlite

import (
	"database/sql"
	"errors"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

// batch is one transaction of the writer.
type batch struct {
	w     *writer
	now   time.Time
	newID func(time.Time) ledger.ID

	// failed is the first error of SQLite's: the transaction is to be rolled back.
	failed error
	// counters are the changes to them that are not written yet.
	counters   map[counter]ledger.Count
	savesClock bool
	rows       int
}

type counter struct {
	function string
	status   int
}

// run runs changes one after the other.
func (b *batch) run(changes []*change) error {
	for _, c := range changes {
		if c.ctx != nil && c.ctx.Err() != nil {
			c.err = c.ctx.Err()
			continue
		}
		c.err = c.run(b)
		if b.failed != nil {
			return b.failed
		}
		if errors.Is(c.err, ledger.ErrBroken) {
			return c.err
		}
	}
	return b.flush()
}

// fail remembers an error of SQLite's.
func (b *batch) fail(err error) error {
	if b.failed == nil {
		b.failed = err
	}
	return err
}

func (b *batch) exec(query string, args ...any) error {
	b.rows++
	if err := b.w.exec(query, args...); err != nil {
		return b.fail(err)
	}
	return nil
}

// changed is exec, and how many rows it changed.
func (b *batch) changed(query string, args ...any) (int64, error) {
	b.rows++
	s, err := b.w.stmt(query)
	if err != nil {
		return 0, b.fail(err)
	}
	result, err := s.Exec(args...)
	if err != nil {
		return 0, b.fail(err)
	}
	n, err := result.RowsAffected()
	return n, err
}

// each calls scan for each row of a query.
func (b *batch) each(scan func(row scanner) error, query string, args ...any) error {
	s, err := b.w.stmt(query)
	if err != nil {
		return b.fail(err)
	}
	rows, err := s.Query(args...)
	if err != nil {
		return b.fail(err)
	}
	if err := eachRow(rows, scan); err != nil {
		return b.fail(err)
	}
	return nil
}

// scanner is a row.
type scanner interface{ Scan(into ...any) error }

func eachRow(rows *sql.Rows, scan func(row scanner) error) (err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// count adds to a counter.
func (b *batch) count(function string, status int, jobs, bytes int64) {
	if b.counters == nil {
		b.counters = make(map[counter]ledger.Count)
	}
	c := b.counters[counter{function, status}]
	b.counters[counter{function, status}] = ledger.Count{Jobs: c.Jobs + jobs, Bytes: c.Bytes + bytes}
}

// move counts a job that goes from one status to another.
func (b *batch) move(j *ledger.Job, from, to int) {
	b.count(j.Function, from, -1, -int64(j.RequestBytes))
	b.count(j.Function, to, 1, int64(j.RequestBytes))
}

// flush writes the counters, and the clock at most once a second.
func (b *batch) flush() error {
	if len(b.counters) == 0 {
		return nil
	}
	for c, n := range b.counters {
		if n == (ledger.Count{}) {
			continue
		}
		if err := b.exec(`INSERT INTO counters (fn, status, jobs, bytes) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET jobs = jobs + excluded.jobs, bytes = bytes + excluded.bytes`, c.function, c.status, n.Jobs, n.Bytes); err != nil {
			return err
		}
	}
	clear(b.counters)
	if b.savesClock || b.now.Sub(b.w.saved) < time.Second {
		return nil
	}
	b.savesClock = true
	return b.exec(`INSERT INTO counters (fn, status, jobs, bytes) VALUES ('', ?, ?, 0)
		ON CONFLICT DO UPDATE SET jobs = excluded.jobs`, totalClock, b.now.UnixMicro())
}
