package jobs

import (
	"fmt"
	"sync"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/ledger"
)

// Limits of all functions' jobs together.
const (
	// MaxOpen is how many jobs may be open, which is not ended, at once.
	MaxOpen = 1_000_000
	// DefaultOpenBytes is what open jobs may take on disk together: 1 GiB.
	DefaultOpenBytes = 1 << 30
	// EnqueuingBytes is what requests may take in memory while they are made jobs.
	EnqueuingBytes = 64 << 20
)

// admission counts the jobs that are open, so that a flood is refused before it
// takes disk or memory.
type admission struct {
	maxBytes int64

	mu       sync.Mutex
	open     map[string]ledger.Count
	all      ledger.Count
	entering ledger.Count // counted above and not yet known to be written
	changes  uint64
	missed   int // corrections in a row that came at a bad moment
}

// retryAfter is told to whoever is refused: a job must end first.
const retryAfter = 5 * time.Second

// enter counts a job that is about to be written, or says why there is no room.
func (a *admission) enter(function string, limit int, bytes int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.open[function].Jobs >= int64(limit):
		return &abi.Error{
			What: abi.FaultFunctionBusy, RetryAfter: retryAfter,
			Message: fmt.Sprintf("function %s has %d jobs that have not ended", function, limit),
		}
	case a.all.Jobs >= MaxOpen:
		return busy("the host has %d jobs that have not ended", MaxOpen)
	case a.all.Bytes+bytes > a.maxBytes:
		return busy("jobs that have not ended take %d bytes", a.maxBytes)
	case a.entering.Bytes+bytes > EnqueuingBytes:
		return busy("%d bytes of jobs are being written", EnqueuingBytes)
	}
	a.entering.Jobs++
	a.entering.Bytes += bytes
	a.add(function, 1, bytes)
	return nil
}

func busy(format string, args ...any) error {
	return &abi.Error{What: abi.FaultHostBusy, Message: fmt.Sprintf(format, args...), RetryAfter: retryAfter}
}

// written ends what enter began: the job is open, or there is none.
func (a *admission) written(function string, bytes int64, isNew bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.changes++
	a.entering.Jobs--
	a.entering.Bytes -= bytes
	if !isNew {
		a.add(function, -1, -bytes)
	}
}

// ended counts a job out.
func (a *admission) ended(function string, bytes int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.add(function, -1, -bytes)
}

func (a *admission) add(function string, jobs, bytes int64) {
	if a.open == nil {
		a.open = map[string]ledger.Count{}
	}
	c := a.open[function]
	c.Jobs, c.Bytes = c.Jobs+jobs, c.Bytes+bytes
	a.open[function] = c
	if c.Jobs == 0 {
		delete(a.open, function)
	}
	a.all.Jobs += jobs
	a.all.Bytes += bytes
	a.changes++
}

// version is to be taken before the ledger is asked for what correct is told.
func (a *admission) version() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.changes
}

// maxMissed is how many corrections in a row may be put off.
const maxMissed = 10

// correct replaces the counts by what the ledger had at version: some jobs end
// without us, when they expire. While jobs come and go the ledger's counts are as
// old as they are exact, so then it is put off, though not for ever.
func (a *admission) correct(version uint64, open map[string]ledger.Count) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.changes != version || a.entering.Jobs > 0 {
		if a.missed++; a.missed < maxMissed {
			return
		}
	}
	a.missed = 0
	a.open, a.all = map[string]ledger.Count{}, ledger.Count{}
	for function, c := range open {
		if c.Jobs > 0 {
			a.add(function, c.Jobs, c.Bytes)
		}
	}
	a.all.Jobs += a.entering.Jobs
	a.all.Bytes += a.entering.Bytes
}

// count is how many jobs are open, and openOf how many of a function.
func (a *admission) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return int(a.all.Jobs)
}

func (a *admission) openOf(function string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return int(a.open[function].Jobs)
}
