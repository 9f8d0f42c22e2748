package sqlite

import (
	"slices"

	"github.com/cloche-run/cloche/host/ledger"
)

// Numbers of statuses in the file. Indexes rely on those up to retrying being
// the ones that wait, and those from succeeded on the ones that have ended.
const (
	queued = 1 + iota
	scheduled
	retrying
	running
	succeeded
	dead
	canceled
)

// number returns the number of a status; statusOf the status of a number.
func number(s ledger.Status) int { return slices.Index(ledger.Statuses(), s) + 1 }

func statusOf(n int) ledger.Status {
	if all := ledger.Statuses(); n >= 1 && n <= len(all) {
		return all[n-1]
	}
	return ""
}

// Totals: rows of counters without a function.
const (
	totalAccepted = 1 + iota
	totalPruned
	totalEvents
	totalClock // the latest time known, in microseconds
)
