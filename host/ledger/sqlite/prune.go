package sqlite

import (
	"context"
	"fmt"
	"maps"

	"github.com/cloche-run/cloche/host/ledger"
)

const (
	// pruneJobs is how many are forgotten in one commit, so that no Enqueue waits
	// long behind it.
	pruneJobs = 500
	// shrinkPages is how much of the file is given back in one commit.
	shrinkPages = 1000
)

// Prune forgets jobs that ended and keys that expired, in several commits if
// they are many.
func (l *Ledger) Prune(ctx context.Context, retention ledger.Retention, budget int) (pruned ledger.Pruned, err error) {
	if err := retention.Validate(budget); err != nil {
		return pruned, err
	}
	retention.Keep = maps.Clone(retention.Keep)
	for more := true; more && !pruned.More; {
		step, err := submit(ctx, l, &change{}, func(b *batch) (ledger.Pruned, error) {
			return b.prune(&retention, min(pruneJobs, budget-pruned.Jobs-pruned.Keys))
		})
		if err != nil {
			return pruned, err
		}
		pruned.Jobs += step.Jobs
		pruned.Keys += step.Keys
		more = step.More
		pruned.More = pruned.Jobs+pruned.Keys == budget
	}
	return pruned, l.submit(ctx, &change{run: func(b *batch) error { return b.shrink() }})
}

// prune forgets up to budget jobs and keys.
func (b *batch) prune(retention *ledger.Retention, budget int) (pruned ledger.Pruned, err error) {
	if err := b.flush(); err != nil {
		return pruned, err
	}
	for _, status := range []ledger.Status{ledger.Succeeded, ledger.Canceled, ledger.Dead} {
		keep, ok := retention.Keep[status]
		if !ok {
			continue
		}
		n, err := b.pruneStatus(retention.Function, number(status), keep, budget-pruned.Jobs)
		if err != nil {
			return pruned, err
		}
		pruned.Jobs += n
	}
	pruned.Keys, err = b.pruneKeys(retention.Function, budget-pruned.Jobs)
	pruned.More = pruned.Jobs+pruned.Keys == budget
	return pruned, err
}

func (b *batch) pruneStatus(function string, status int, keep ledger.Keep, budget int) (n int, err error) {
	excess, err := b.excess(function, status, keep)
	if err != nil {
		return 0, err
	}
	var ended []stored
	err = b.each(func(row scanner) error {
		var s stored
		err := s.scan(row)
		ended = append(ended, s)
		return err
	}, "SELECT "+jobColumns+` FROM jobs INDEXED BY jobs_ended WHERE status = ? AND status >= 5 AND (? = '' OR fn = ?)
		ORDER BY finished_at, id LIMIT ?`, status, function, function, budget)
	for i := range ended {
		if err != nil || b.now.Sub(ended[i].FinishedAt) < keep.Age && int64(n) >= excess {
			return n, err
		}
		err = b.forget(&ended[i])
		n++
	}
	return n, err
}

// excess is how many jobs are more than are kept, whatever their age.
func (b *batch) excess(function string, status int, keep ledger.Keep) (n int64, err error) {
	if keep.Jobs == 0 {
		return 0, nil
	}
	err = b.each(func(row scanner) error { return row.Scan(&n) },
		"SELECT coalesce(sum(jobs), 0) FROM counters WHERE fn <> '' AND status = ? AND (? = '' OR fn = ?)", status, function, function)
	return n - keep.Jobs, err
}

func (b *batch) forget(s *stored) error {
	for _, query := range []string{
		"DELETE FROM jobs WHERE id = ?", "DELETE FROM requests WHERE job = ?", "DELETE FROM attempts WHERE job = ?",
	} {
		if err := b.exec(query, s.ID[:]); err != nil {
			return err
		}
	}
	b.count(s.Function, s.status, -1, -int64(s.RequestBytes))
	b.count("", totalPruned, 1, 0)
	return nil
}

func (b *batch) pruneKeys(function string, budget int) (int, error) {
	n, err := b.changed(`DELETE FROM keys WHERE (kind, fn, value) IN (
		SELECT kind, fn, value FROM keys WHERE expires_at <= ? AND (? = '' OR fn = ?) ORDER BY expires_at, kind, fn, value LIMIT ?)`,
		b.now.UnixMicro(), function, function, budget)
	if err != nil {
		return 0, err
	}
	return int(n), b.exec("DELETE FROM counters WHERE jobs = 0 AND bytes = 0 AND fn <> ''")
}

// shrink gives back pages if a quarter of the file is free.
func (b *batch) shrink() error {
	var pages, free int
	err := b.each(func(row scanner) error { return row.Scan(&pages, &free) },
		"SELECT page_count, freelist_count FROM pragma_page_count, pragma_freelist_count")
	if err != nil || free < pages/4 {
		return err
	}
	return b.each(func(scanner) error { return nil }, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", shrinkPages))
}
