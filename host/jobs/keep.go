package jobs

import (
	"context"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

const (
	// NoFunctionGrace is how long a job waits for its function to come back, as
	// one does that is being deployed. Then it is dead.
	NoFunctionGrace = time.Minute
	// countEvery and pruneEvery are how often the ledger's counts are read, and
	// old jobs forgotten.
	countEvery = time.Second
	pruneEvery = time.Minute
	// pruneBudget is how many jobs one transaction forgets.
	pruneBudget = 1000
)

// DefaultRetention is how long ended jobs are kept: those that succeeded or were
// cancelled for a week, dead ones for a month, and never more than so many.
func DefaultRetention() map[ledger.Status]ledger.Keep {
	const day = 24 * time.Hour
	return map[ledger.Status]ledger.Keep{
		ledger.Succeeded: {Age: 7 * day, Jobs: 100_000},
		ledger.Canceled:  {Age: 7 * day, Jobs: 10_000},
		ledger.Dead:      {Age: 30 * day, Jobs: 10_000},
	}
}

// keep keeps the counts right and the ledger small, until ctx ends.
func (d *Dispatcher) keep(ctx context.Context) {
	count, prune := time.NewTicker(countEvery), time.NewTicker(pruneEvery)
	defer count.Stop()
	defer prune.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-count.C:
			d.count(ctx)
		case <-prune.C:
			d.prune(ctx)
		}
	}
}

// count corrects the count of open jobs and looks for functions that are gone.
func (d *Dispatcher) count(ctx context.Context) {
	d.queue.running.forget()
	version := d.queue.admission.version()
	stats, err := d.queue.ledger.Stats(ctx)
	if err != nil {
		return // whoever claims says so
	}
	open := openJobs(&stats)
	d.queue.admission.correct(version, open)
	if d.miss(open, d.queue.functions.Policies()) {
		signal(d.freed)
	}
}

// miss notes since when functions with open jobs are not on the site, and reports
// whether one has been away for long enough.
func (d *Dispatcher) miss(open map[string]ledger.Count, policies map[string]Policy) (gone bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if policies == nil {
		return false
	}
	for name := range d.missing {
		if _, known := policies[name]; known || open[name].Jobs == 0 {
			delete(d.missing, name)
		}
	}
	for name, c := range open {
		if _, known := policies[name]; known || c.Jobs == 0 {
			continue
		}
		if _, noted := d.missing[name]; !noted {
			d.missing[name] = time.Now()
		}
		gone = gone || time.Since(d.missing[name]) >= NoFunctionGrace
	}
	return gone
}

func (d *Dispatcher) prune(ctx context.Context) {
	for ctx.Err() == nil {
		pruned, err := d.queue.ledger.Prune(ctx, ledger.Retention{Keep: d.config.Retention}, pruneBudget)
		if err != nil && ctx.Err() == nil {
			d.config.Log.Warn("old jobs not forgotten", "error", err.Error())
		}
		if err != nil || !pruned.More {
			return
		}
	}
}
