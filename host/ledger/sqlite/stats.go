package sqlite

import (
	"context"
	"database/sql"
	"os"

	"github.com/cloche-run/cloche/host/ledger"
)

// Stats returns what there is, from counters that change together with the jobs.
func (l *Ledger) Stats(ctx context.Context) (stats ledger.Stats, err error) {
	stats = ledger.Stats{Counts: make(map[string]map[ledger.Status]ledger.Count), Bytes: l.diskBytes()}
	err = l.read(ctx, func(tx *sql.Tx) (err error) {
		if err := readCounters(ctx, tx, &stats); err != nil {
			return err
		}
		if stats.Paused, err = texts(ctx, tx, "SELECT fn FROM paused ORDER BY fn"); err != nil {
			return err
		}
		first, err := earliest(ctx, tx, func(string, int) bool { return true })
		if !first.IsZero() {
			stats.Due = max(0, l.clock.Now().Sub(first))
		}
		return err
	})
	return stats, err
}

func readCounters(ctx context.Context, tx *sql.Tx, stats *ledger.Stats) error {
	return rows(ctx, tx, func(row scanner) error {
		var c counter
		var n ledger.Count
		if err := row.Scan(&c.function, &c.status, &n.Jobs, &n.Bytes); err != nil {
			return err
		}
		switch {
		case c.function != "":
			if stats.Counts[c.function] == nil {
				stats.Counts[c.function] = make(map[ledger.Status]ledger.Count)
			}
			stats.Counts[c.function][statusOf(c.status)] = n
		case c.status == totalAccepted:
			stats.Accepted = n.Jobs
		case c.status == totalPruned:
			stats.Pruned = n.Jobs
		case c.status == totalEvents:
			stats.Events = n.Jobs
		}
		return nil
	}, "SELECT fn, status, jobs, bytes FROM counters WHERE jobs <> 0")
}

// diskBytes is the size of all files of the ledger.
func (l *Ledger) diskBytes() (bytes int64) {
	for _, suffix := range []string{"", "-wal", "-shm", ".reserve"} {
		if info, err := os.Stat(l.path + suffix); err == nil {
			bytes += info.Size()
		}
	}
	return bytes
}
