package ledger

import (
	"fmt"
	"slices"
	"time"
)

// What drivers check before they write; each error is ErrInvalid.

// ValidateJobs checks what Enqueue is given.
func ValidateJobs(jobs []NewJob, now time.Time) error {
	if len(jobs) > BatchJobs {
		return invalid("%d jobs at once: at most %d", len(jobs), BatchJobs)
	}
	for i := range jobs {
		if err := jobs[i].Validate(now); err != nil {
			return err
		}
	}
	return nil
}

// Validate returns why no ledger takes the job now, an ErrInvalid, or nil.
func (j *NewJob) Validate(now time.Time) error {
	if err := ValidateFunction(j.Function); err != nil {
		return err
	}
	switch {
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

// ValidateFunction checks the name of a function.
func ValidateFunction(name string) error {
	if name == "" || len(name) > NameBytes {
		return invalid("function name of %d bytes: 1 to %d", len(name), NameBytes)
	}
	return nil
}

// Validate checks l.
func (l Limits) Validate() error {
	if l.Max < 1 {
		return invalid("claim of %d jobs: at least 1", l.Max)
	}
	return nil
}

// ValidateOutcomes checks what Finish is given.
func ValidateOutcomes(outcomes []Outcome) error {
	if len(outcomes) > BatchOutcomes {
		return invalid("%d outcomes at once: at most %d", len(outcomes), BatchOutcomes)
	}
	for i := range outcomes {
		if err := outcomes[i].Validate(); err != nil {
			return err
		}
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
	case "", Exhausted, TimedOut, CrashLoop, Expired, Damaged, NoFunction, ChainDepth:
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

// Bounds checks q and returns how many jobs to list, and before which id; the
// zero ID is from the newest on.
func (q *Query) Bounds() (limit int, before ID, err error) {
	limit = q.Limit
	if limit == 0 {
		limit = DefaultPage
	}
	if limit < 0 || limit > MaxPage {
		return 0, ID{}, invalid("page of %d jobs: at most %d", limit, MaxPage)
	}
	if q.Status != "" && !slices.Contains(Statuses(), q.Status) {
		return 0, ID{}, invalid("status %.32q: one of %v", q.Status, Statuses())
	}
	if q.Cursor != "" {
		if before, err = ParseID(q.Cursor); err != nil {
			return 0, ID{}, invalid("cursor %.64q: take it from the page before", q.Cursor)
		}
	}
	return limit, before, nil
}

// Validate checks r and the budget of a Prune.
func (r *Retention) Validate(budget int) error {
	if budget < 1 {
		return invalid("budget of %d jobs: at least 1", budget)
	}
	for status, keep := range r.Keep {
		if !status.Ended() {
			return invalid("only jobs that ended can be pruned, not %.32q", status)
		}
		if keep.Age < 0 || keep.Age > MaxWait || keep.Jobs < 0 {
			return invalid("keep %v, %d jobs", keep.Age, keep.Jobs)
		}
	}
	return nil
}

// ValidateSettled checks what Settle is given.
func ValidateSettled(settled []Settled) error {
	for _, s := range settled {
		if s.After < 0 || s.After > MaxWait {
			return invalid("event again after %v: 0 to %v", s.After, MaxWait)
		}
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}
