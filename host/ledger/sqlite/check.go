package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cloche-run/cloche/host/ledger"
)

// smallBytes is up to which size a file is read through at start: 8 MiB. Larger
// ones are looked at in places, as a start must not take a minute.
const smallBytes = 8 << 20

// checkFile looks for damage before anything is changed.
func (l *Ledger) checkFile(ctx context.Context) error {
	var pages, pageBytes int64
	if err := l.writer.conn.QueryRowContext(ctx, "SELECT page_count, page_size FROM pragma_page_count, pragma_page_size").Scan(&pages, &pageBytes); err != nil {
		return err
	}
	info, err := os.Stat(l.path)
	if err != nil {
		return err
	}
	if size := pages * pageBytes; info.Size() < size {
		return fmt.Errorf("%w: the file has %d bytes and should have %d: it was cut short", ledger.ErrBroken, info.Size(), size)
	}
	if info.Size() > smallBytes {
		return l.touch(ctx)
	}
	return l.verdict(ctx, "PRAGMA quick_check(10)")
}

// touch reads the beginning and the end of every table and index.
func (l *Ledger) touch(ctx context.Context) error {
	for _, query := range touches() {
		if _, err := texts(ctx, l.writer.conn, query); err != nil {
			return err
		}
	}
	return nil
}

func touches() (queries []string) {
	for _, order := range []string{
		"fn FROM counters ORDER BY fn",
		"id FROM jobs ORDER BY id",
		"fn FROM jobs INDEXED BY jobs_waiting WHERE status <= 3 ORDER BY fn",
		"fn FROM jobs INDEXED BY jobs_listed ORDER BY fn",
		"status FROM jobs INDEXED BY jobs_ended WHERE status >= 5 ORDER BY status",
		"job FROM requests ORDER BY job",
		"job FROM attempts ORDER BY job",
		"kind FROM keys ORDER BY kind",
		"expires_at FROM keys INDEXED BY keys_expiring ORDER BY expires_at",
		"seq FROM events ORDER BY seq",
		"fn FROM paused ORDER BY fn",
	} {
		queries = append(queries, "SELECT "+order+" LIMIT 1", "SELECT "+order+" DESC LIMIT 1")
	}
	return queries
}

// verdict runs a check of SQLite's, which returns "ok" or what is wrong.
func (l *Ledger) verdict(ctx context.Context, pragma string) error {
	found, err := texts(ctx, l.writer.conn, pragma)
	if err != nil {
		return err
	}
	if len(found) == 1 && found[0] == "ok" {
		return nil
	}
	return fmt.Errorf("%w: the file is damaged: %s", ledger.ErrBroken, strings.Join(found, "; "))
}

// Check reads the whole file and returns what is wrong with it: damage, counters
// that are not the numbers of jobs, parts of jobs without a job. It holds up
// writing while it runs. For tests and for operators who doubt.
func (l *Ledger) Check(ctx context.Context) error {
	return l.submit(ctx, &change{run: func(b *batch) error {
		if err := l.verdict(ctx, "PRAGMA integrity_check(10)"); err != nil {
			return err
		}
		var wrong []error
		for what, query := range map[string]string{
			"counters": `SELECT (SELECT count(*) FROM (SELECT fn, status, count(*), sum(request_bytes) FROM jobs GROUP BY fn, status
				EXCEPT SELECT fn, status, jobs, bytes FROM counters))
				+ (SELECT count(*) FROM (SELECT fn, status, jobs, bytes FROM counters WHERE fn <> '' AND (jobs <> 0 OR bytes <> 0)
				EXCEPT SELECT fn, status, count(*), sum(request_bytes) FROM jobs GROUP BY fn, status))`,
			"totals":   "SELECT coalesce(sum(jobs * (status = 1)), 0) - coalesce(sum(jobs * (status = 2)), 0) - (SELECT count(*) FROM jobs) FROM counters WHERE fn = ''",
			"events":   "SELECT coalesce(sum(jobs), 0) - (SELECT count(*) FROM events) FROM counters WHERE fn = '' AND status = 3",
			"requests": "SELECT count(*) FROM (SELECT id FROM jobs EXCEPT SELECT job FROM requests UNION ALL SELECT job FROM requests EXCEPT SELECT id FROM jobs)",
			"attempts": "SELECT count(*) FROM attempts WHERE job NOT IN (SELECT id FROM jobs)",
			"ends":     "SELECT count(*) FROM jobs WHERE (status >= 5) <> (finished_at IS NOT NULL) OR (status = 6) <> (reason IS NOT NULL)",
		} {
			var n int64
			if err := b.w.conn.QueryRowContext(ctx, query).Scan(&n); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			if n != 0 {
				wrong = append(wrong, fmt.Errorf("%w: %s are wrong by %d", ledger.ErrBroken, what, n))
			}
		}
		return errors.Join(wrong...)
	}})
}
