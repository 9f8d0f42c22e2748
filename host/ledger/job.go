package ledger

import (
	"strings"
	"time"
)

// Status is where a job stands.
type Status string

// A job that waits is Queued if it was to run at once, Scheduled if it was to
// run later, Retrying if an attempt of it has begun before. It keeps that status
// until it is claimed, also when its time has come and no slot is free.
const (
	Queued    Status = "queued"
	Scheduled Status = "scheduled"
	Retrying  Status = "retrying"
	Running   Status = "running"
	Succeeded Status = "succeeded"
	Dead      Status = "dead"
	Canceled  Status = "canceled"
)

// Statuses lists all, in the order of a job's life.
func Statuses() []Status {
	return []Status{Queued, Scheduled, Retrying, Running, Succeeded, Dead, Canceled}
}

// Waits reports whether a job in this status is yet to be claimed.
func (s Status) Waits() bool { return s == Queued || s == Scheduled || s == Retrying }

// Ended reports whether a job in this status will never change again.
func (s Status) Ended() bool { return s == Succeeded || s == Dead || s == Canceled }

// Reason is why a job is dead.
type Reason string

const (
	// Exhausted: every attempt failed, the last one by an error.
	Exhausted Reason = "exhausted"
	// TimedOut: every attempt failed, the last one by its deadline.
	TimedOut Reason = "timeout"
	// CrashLoop: the host died MaxInterrupts times while the job ran.
	CrashLoop Reason = "crash_loop"
	// Expired: its turn came later than MaxAge after it was enqueued.
	Expired Reason = "expired"
	// Damaged: what it was enqueued with could not be read back.
	Damaged Reason = "damaged"
	// NoFunction: the function is gone.
	NoFunction Reason = "no_function"
	// ChainDepth: it stands at the end of too long a chain of calls.
	ChainDepth Reason = "chain_depth"
)

// Result is how an attempt ended.
type Result string

const (
	OK      Result = "ok"
	Error   Result = "error"
	Timeout Result = "timeout"
	// Stopped is an attempt that was canceled.
	Stopped Result = "canceled"
	// Interrupted is an attempt that the host ended, or that ended with the host.
	// It does not count as an attempt.
	Interrupted Result = "interrupted"
)

// Counts reports whether an attempt that ended so uses up one of the job's.
func (r Result) Counts() bool { return r == OK || r == Error || r == Timeout }

// NewJob is a job to be enqueued.
type NewJob struct {
	// Function is whom to call: 1 to NameBytes bytes.
	Function string
	// Origin is the caller's word for where the job came from, at most NameBytes.
	Origin  string
	Request Request
	// RunAt is when to start it, by the wall clock; the zero time is at once.
	RunAt time.Time
	// MaxAge is how long after it is enqueued it may still be started; 0 for ever.
	MaxAge time.Duration
	// IdempotencyKey makes this job the only one of its function with the key for
	// KeyAge (0: DefaultKeyAge). At most KeyBytes; "" for none.
	IdempotencyKey string
	KeyAge         time.Duration
	// UniqueKey is the same for keys that the host makes (a tick of a schedule):
	// the two kinds never meet. It lasts UniqueAge (0: DefaultUniqueAge).
	UniqueKey string
	UniqueAge time.Duration
	// Parent is the job that enqueued this one, if a job did, and Depth how many
	// calls are above it.
	Parent ID
	Depth  int
	// OnSuccess and OnFailure are where an Event goes when the job has succeeded
	// or is dead: the caller's words, at most TargetBytes; "" for none.
	OnSuccess, OnFailure string
}

// Clone returns a copy that shares no memory with j.
func (j *NewJob) Clone() NewJob {
	c := *j
	for _, s := range []*string{&c.Function, &c.Origin, &c.IdempotencyKey, &c.UniqueKey, &c.OnSuccess, &c.OnFailure} {
		*s = strings.Clone(*s)
	}
	c.Request = j.Request.Clone()
	return c
}

// Enqueued is what became of a NewJob.
type Enqueued struct {
	// ID is the job's, or that of the job that has its key, which may have been
	// pruned meanwhile.
	ID       ID
	Existing bool
}

// Job is a job without its request. Times are UTC; the zero time is "not yet" or
// "never".
type Job struct {
	ID       ID
	Function string
	Origin   string
	Status   Status
	// Reason is why it is dead, "" otherwise.
	Reason Reason
	// Attempts is how many attempts have ended and count.
	Attempts int
	// Interrupts is how often the host died while it ran: dead at MaxInterrupts.
	Interrupts int
	// CancelRequested is set when a running job is to end.
	CancelRequested bool
	// Error is that of the last attempt that ended, "" if it ended ok.
	Error string

	CreatedAt time.Time
	// RunAt is when it is or was due.
	RunAt time.Time
	// StartedAt is when the latest attempt was claimed.
	StartedAt  time.Time
	FinishedAt time.Time
	ExpiresAt  time.Time

	IdempotencyKey, UniqueKey string
	// ReplayOf is the job that this one repeats.
	ReplayOf ID
	Parent   ID
	Depth    int

	OnSuccess, OnFailure string
	// RequestBytes is how much of the store its request takes.
	RequestBytes int
}

// Attempt returns the number of the attempt that runs, or of the last one; 0 if
// there was none. An attempt that was interrupted is made again under its number.
func (j *Job) Attempt() int {
	if j.Status == Running {
		return j.Attempts + 1
	}
	return j.Attempts
}

// Claim is a job that the caller now runs, and must Finish.
type Claim struct {
	Job Job // Status is Running; Attempt the number of this attempt
	// Token proves the claim. It is greater than that of any claim of the job before.
	Token   int64
	Request Request // belongs to the caller
}

// Detail is a job with the history of its attempts, oldest first; the one that
// runs is not among them. Of more than MaxAttempts the oldest are forgotten.
type Detail struct {
	Job
	History []Attempt
}

// Attempt is one run of a job that has ended.
type Attempt struct {
	// N is the number of the attempt, starting at 1. An attempt that did not count
	// is followed by one with the same number.
	N         int
	StartedAt time.Time
	EndedAt   time.Time
	Result    Result
	// Error is at most ErrorBytes.
	Error string
	// Log is the end of what it wrote, at most LogBytes.
	Log []byte
	// RunTime is the time in the guest.
	RunTime time.Duration
	Fuel    uint64
}

// Outcome is how a claimed attempt ended and what follows.
type Outcome struct {
	ID     ID
	Token  int64
	Result Result
	// Error is why; cut at ErrorBytes. Log is cut to its last LogBytes.
	Error   string
	Log     []byte
	RunTime time.Duration
	Fuel    uint64
	// Dead ends the job, and "" tries it again after RetryAfter, at least 0. Both
	// are ignored after OK and Stopped. Interrupted and Dead is the end of a job
	// that could not run: NoFunction, ChainDepth.
	Dead       Reason
	RetryAfter time.Duration
	// Blame counts an interruption as one that the job caused. Those that the host
	// decided (it shuts down, it has no memory left) are not to be blamed on it.
	Blame bool
	// Response goes into the event of a job that succeeded; at most ResponseBytes.
	Response []byte
}

// Next returns what becomes of a job, with this outcome counted, by the rules of
// every ledger: Retrying, or its end.
func (o *Outcome) Next(j *Job) (Status, Reason) {
	switch {
	case o.Result == OK:
		return Succeeded, ""
	case o.Result == Stopped || j.CancelRequested:
		return Canceled, ""
	case o.Dead != "":
		return Dead, o.Dead
	case o.Result == Interrupted && j.Interrupts >= MaxInterrupts:
		return Dead, CrashLoop
	}
	return Retrying, ""
}

// HostDied is the error of an attempt that ended with the host.
const HostDied = "the host ended while the function ran"
