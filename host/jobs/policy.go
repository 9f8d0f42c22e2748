package jobs

import (
	"time"

	"github.com/cloche-run/cloche/host/cron"
)

// Policy is how the jobs of one function are run.
type Policy struct {
	// Concurrency is how many attempts run at once, Backlog how many jobs more may
	// be open: waiting, or waiting to be tried again.
	Concurrency, Backlog int
	// Timeout is the limit of one attempt, counted from the call of the function.
	Timeout time.Duration
	// Retries are the waits between attempts, each from the end of the one before;
	// after as many retries a job that fails is dead.
	Retries []time.Duration
	// Jitter is the part of a wait, 0 to 1, by which it may be longer.
	Jitter float64
	// MaxAge is how long after it was accepted a job may still be started.
	MaxAge time.Duration
	// Idempotency is how long an Idempotency-Key is remembered.
	Idempotency time.Duration
	// Schedule starts jobs by itself; the zero Schedule never does.
	Schedule cron.Schedule
	// OnSuccess and OnFailure are functions, or URLs, that are told how a job ended.
	OnSuccess, OnFailure string
}

// wait is the time from the end of an attempt, counted from 1, to the next one;
// false if it was the last. random is in [0, 1): it makes a wait longer, never
// shorter.
func (p Policy) wait(attempt int, random float64) (wait time.Duration, again bool) {
	if attempt > len(p.Retries) {
		return 0, false
	}
	wait = p.Retries[attempt-1]
	return wait + time.Duration(float64(wait)*p.Jitter*random), true
}
