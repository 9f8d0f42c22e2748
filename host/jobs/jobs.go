// Package jobs turns requests into jobs and jobs into attempts. A Queue accepts:
// it returns when the ledger has the job on disk. A Dispatcher starts what is due,
// tries again what failed, and fires schedules. Both know functions only by name:
// how one is called is the Invoker's, how a job is recorded the ledger's business.
//
// A job runs at least once. It may run twice when the host dies at the wrong
// moment; its id stays the same, in x-cloche-job, so that a function can tell.
package jobs

import (
	"context"
	"strings"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/ledger"
)

// Functions are those of the site that is served now.
type Functions interface {
	// Policies returns the policy of every function by its name; nil while there
	// is no site. The map must not change.
	Policies() map[string]Policy
}

// Invoker calls functions.
type Invoker interface {
	// Attempt calls a function once, now or not at all: it does not wait for a
	// slot. ctx ends at the attempt's deadline, and when it is to stop. An error is
	// an abi.Faulter; the usage is that of an attempt that failed, too.
	Attempt(ctx context.Context, a *Attempt) (Usage, error)
}

// Attempt is one call of a job's function.
type Attempt struct {
	Function string
	Request  *abi.Request
	// Response takes what the function answers, which only OnSuccess is told.
	Response *abi.Response
	// Log takes what it logs, a line at a time; the line may be overwritten after.
	Log func(line []byte)
}

// Messenger reaches destinations that are no functions of the site.
type Messenger interface {
	// Deliver posts m, once. nil says that it has arrived.
	Deliver(ctx context.Context, m Message) error
}

// Message tells an address how a job of a function ended.
type Message struct {
	Function string
	// Depth is how long the chain is that led to the job.
	Depth  int
	URL    string
	Header abi.Header
	Body   []byte
}

// IsURL reports whether a destination is an address and no function's name.
func IsURL(destination string) bool { return strings.Contains(destination, "://") }

// Usage is what an attempt took.
type Usage struct {
	RunTime time.Duration
	Fuel    uint64
}

// Meter counts. All of it may be called at the same time.
type Meter interface {
	// Accepted counts a job, and how long its sender waited until it was on disk.
	Accepted(function string, took time.Duration)
	// Attempted counts an attempt that has ended: ok, error, timeout, canceled or
	// interrupted.
	Attempted(function string, result ledger.Result)
	// Died counts a job that is dead.
	Died(function string, reason ledger.Reason)
	// Skipped counts a tick of a schedule for which no job was made.
	Skipped(function string)
}

// Origins of jobs.
const (
	OriginHTTP     = "http"
	OriginAdmin    = "admin"
	OriginSchedule = "schedule"
	// OriginOutcome is a job that tells how another one ended.
	OriginOutcome = "outcome"
)

// KeyBytes is the longest Idempotency-Key.
const KeyBytes = 255
