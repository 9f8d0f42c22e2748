package ledger

import (
	"fmt"
	"time"

	"github.com/cloche-run/cloche/abi"
)

// Limits of what a ledger takes. What breaks one is ErrInvalid, before anything
// is written.
const (
	// BodyBytes is the largest body of a request: 262,144 bytes.
	BodyBytes = abi.BackgroundBodyBytes
	// HeadBytes is the largest request without its body, as it is stored: 128 KiB.
	HeadBytes = 128 << 10
	// NameBytes is the longest name of a function or an origin.
	NameBytes = 256
	// KeyBytes is the longest key.
	KeyBytes = 512
	// TargetBytes is the longest destination.
	TargetBytes = 2048
	// ResponseBytes is the largest response that an event carries: 256 KiB.
	ResponseBytes = 256 << 10
	// BatchJobs is how many jobs one Enqueue takes, and BatchOutcomes how many
	// outcomes one Finish.
	BatchJobs     = 1000
	BatchOutcomes = 1000
	// MaxPage is the longest page of a list, DefaultPage the usual one.
	MaxPage     = 1000
	DefaultPage = 50
)

// Limits of what is kept. What is longer is cut.
const (
	// ErrorBytes is how much of an attempt's error: its beginning, 4 KiB.
	ErrorBytes = 4 << 10
	// LogBytes is how much of an attempt's log: its end, 16 KiB.
	LogBytes = 16 << 10
	// MaxAttempts is how many attempts of a job, the latest: 100.
	MaxAttempts = 100
)

const (
	// MaxInterrupts is how many deaths of the host end a job, as CrashLoop.
	MaxInterrupts = 5
	// DefaultKeyAge is how long an idempotency key holds, and DefaultUniqueAge a
	// unique key.
	DefaultKeyAge    = 24 * time.Hour
	DefaultUniqueAge = 7 * 24 * time.Hour
	// MaxWait bounds every duration and RunAt: ten years from now.
	MaxWait = 10 * 365 * 24 * time.Hour
)

// Backoff is how long a job waits after the host died for the nth time while it
// ran: 1 s, 4 s, 16 s, 64 s, never more than 5 minutes.
func Backoff(interrupts int) time.Duration {
	wait := time.Second
	for n := 1; n < interrupts && wait < 5*time.Minute; n++ {
		wait *= 4
	}
	return min(wait, 5*time.Minute)
}

// Validate returns why no ledger takes the job now, an ErrInvalid, or nil.
func (j *NewJob) Validate(now time.Time) error {
	switch {
	case j.Function == "" || len(j.Function) > NameBytes:
		return invalid("function name of %d bytes: 1 to %d", len(j.Function), NameBytes)
	case len(j.Origin) > NameBytes:
		return invalid("origin of %d bytes: at most %d", len(j.Origin), NameBytes)
	case len(j.Request.Body) > BodyBytes:
		return invalid("body of %d bytes: at most %d", len(j.Request.Body), BodyBytes)
	case j.Request.headBytes() > HeadBytes:
		return invalid("request head of %d bytes: at most %d", j.Request.headBytes(), HeadBytes)
	case len(j.IdempotencyKey) > KeyBytes || len(j.UniqueKey) > KeyBytes:
		return invalid("key of %d bytes: at most %d", max(len(j.IdempotencyKey), len(j.UniqueKey)), KeyBytes)
	case len(j.OnSuccess) > TargetBytes || len(j.OnFailure) > TargetBytes:
		return invalid("destination of %d bytes: at most %d", max(len(j.OnSuccess), len(j.OnFailure)), TargetBytes)
	case j.Depth < 0 || j.Depth > maxDepth:
		return invalid("depth %d: 0 to %d", j.Depth, maxDepth)
	}
	return validateTimes(now, j)
}

// maxDepth is only what a store can count; the limit of chains is the caller's.
const maxDepth = 1 << 30

func validateTimes(now time.Time, j *NewJob) error {
	for _, d := range []time.Duration{j.MaxAge, j.KeyAge, j.UniqueAge} {
		if d < 0 || d > MaxWait {
			return invalid("duration %v: 0 to %v", d, MaxWait)
		}
	}
	if !j.RunAt.IsZero() && (j.RunAt.Before(now.Add(-MaxWait)) || j.RunAt.After(now.Add(MaxWait))) {
		return invalid("run at %v: within %v of now", j.RunAt, MaxWait)
	}
	return nil
}

// Validate returns why no ledger takes the outcome, an ErrInvalid, or nil.
func (o *Outcome) Validate() error {
	switch o.Result {
	case OK, Error, Timeout, Stopped, Interrupted:
	default:
		return invalid("result %.32q", o.Result)
	}
	switch o.Dead {
	case "", Exhausted, TimedOut, CrashLoop, Expired, NoFunction, ChainDepth:
	default:
		return invalid("reason %.32q", o.Dead)
	}
	switch {
	case o.RetryAfter < 0 || o.RetryAfter > MaxWait:
		return invalid("retry after %v: 0 to %v", o.RetryAfter, MaxWait)
	case o.RunTime < 0:
		return invalid("run time %v", o.RunTime)
	case len(o.Response) > ResponseBytes:
		return invalid("response of %d bytes: at most %d", len(o.Response), ResponseBytes)
	}
	return nil
}

// CutError and CutLog return what is kept of an error and of a log.
func CutError(s string) string { return s[:min(len(s), ErrorBytes)] }

// CutLog returns the end of a log, not more than is kept.
func CutLog(b []byte) []byte { return b[max(0, len(b)-LogBytes):] }

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}
