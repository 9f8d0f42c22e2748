package config

import (
	"fmt"
	"slices"
	"time"

	"github.com/cloche-run/cloche/host/cron"
)

// Bounds of what is said about a function's jobs.
const (
	// MaxRetries is how often a job may be tried again, MaxRetryWait how long each
	// wait may be.
	MaxRetries   = 20
	MaxRetryWait = 24 * time.Hour

	// DefaultMaxAge is how old a job may become before it must have succeeded.
	DefaultMaxAge = 6 * time.Hour
	MinMaxAge     = time.Second
	MaxMaxAge     = 30 * 24 * time.Hour

	// DefaultIdempotency is how long an Idempotency-Key is remembered.
	DefaultIdempotency = 24 * time.Hour
	MinIdempotency     = time.Second
	MaxIdempotency     = 30 * 24 * time.Hour

	// DefaultBacklog is the Queue of a function that runs as jobs: they wait on
	// disk.
	DefaultBacklog = 10_000
)

// Job is the settings of a function that runs as jobs: one in the background,
// one with a schedule, one that is told the outcome of others.
type Job struct {
	// Retries are the waits before a job that failed is tried again, each counted
	// from the end of the attempt before. The default is Netlify's:
	// https://docs.netlify.com/build/functions/background-functions/.
	Retries []time.Duration
	// RetryJitter is the part of a wait, 0 to 1, by which it may be longer at random.
	RetryJitter float64
	// MaxAge is how long after it was accepted a job may still be started.
	MaxAge time.Duration
	// Idempotency is how long an Idempotency-Key names the job that had it first.
	Idempotency time.Duration
	// Schedule starts the function by itself; the zero Schedule never does.
	Schedule cron.Schedule
	// OnSuccess and OnFailure are functions of the site, or URLs, that are told when
	// a job succeeded, or is dead; "" for none.
	OnSuccess, OnFailure string
}

// DefaultRetries are Netlify's: after one minute, and then after two.
func DefaultRetries() []time.Duration { return []time.Duration{time.Minute, 2 * time.Minute} }

func defaultJob() Job {
	return Job{Retries: DefaultRetries(), MaxAge: DefaultMaxAge, Idempotency: DefaultIdempotency}
}

// jobSettings is what one rule says about jobs; nil is "nothing".
type jobSettings struct {
	retries     []time.Duration
	retryJitter *float64
	maxAge      *time.Duration
	idempotency *time.Duration
	schedule    *cron.Schedule
	onSuccess   *string
	onFailure   *string
}

func (t table) jobSettings() jobSettings {
	return jobSettings{
		retries:     t.durations("retries", MaxRetries, 0, MaxRetryWait),
		retryJitter: t.fraction("retry_jitter"),
		maxAge:      t.duration("max_age", MinMaxAge, MaxMaxAge),
		idempotency: t.duration("idempotency", MinIdempotency, MaxIdempotency),
		schedule:    t.schedule("schedule"),
		onSuccess:   t.destination("on_success"),
		onFailure:   t.destination("on_failure"),
	}
}

// override lets the keys that o has win. A list of retries is one value: two are
// not joined.
func (s *jobSettings) override(o jobSettings) {
	if o.retries != nil {
		s.retries = o.retries
	}
	replace(&s.retryJitter, o.retryJitter)
	replace(&s.maxAge, o.maxAge)
	replace(&s.idempotency, o.idempotency)
	replace(&s.schedule, o.schedule)
	replace(&s.onSuccess, o.onSuccess)
	replace(&s.onFailure, o.onFailure)
}

// job fills in what s leaves open.
func (s jobSettings) job() Job {
	j := defaultJob()
	if s.retries != nil {
		j.Retries = slices.Clone(s.retries)
	}
	set(&j.RetryJitter, s.retryJitter)
	set(&j.MaxAge, s.maxAge)
	set(&j.Idempotency, s.idempotency)
	set(&j.Schedule, s.schedule)
	set(&j.OnSuccess, s.onSuccess)
	set(&j.OnFailure, s.onFailure)
	return j
}

// durations is an array of durations, as many as most; nil if key is absent.
func (t table) durations(key string, most int, low, high time.Duration) []time.Duration {
	v, ok := t.values[key]
	if !ok {
		return nil
	}
	remedy := fmt.Sprintf(`write it as ["1m", "2m"]: up to %d durations from "%s" to "%s", [] for none`,
		most, durationText(low), durationText(high))
	items, ok := v.([]any)
	if !ok {
		t.mistyped(key, "an array of durations", remedy)
		return nil
	}
	if len(items) > most {
		t.fail(key, fmt.Sprintf("has %d entries", len(items)), remedy)
		return nil
	}
	found := make([]time.Duration, len(items))
	for i, item := range items {
		if found[i], ok = parseDuration(item); !ok || found[i] < low || found[i] > high {
			t.fail(key, shown(item)+" is no duration in range", remedy)
			return nil
		}
	}
	return found
}

// fraction is a number from 0 to 1.
func (t table) fraction(key string) *float64 {
	v, ok := t.values[key]
	if !ok {
		return nil
	}
	n, ok := number(v)
	if !ok || n < 0 || n > 1 {
		t.fail(key, shown(v)+" is out of range", "write a number from 0 to 1, such as 0.5")
		return nil
	}
	return &n
}

// schedule is a cron expression.
func (t table) schedule(key string) *cron.Schedule {
	text, ok := t.text(key)
	if !ok {
		return nil
	}
	s, err := cron.Parse(text)
	if err != nil {
		t.fail(key, fmt.Sprintf("%s is no schedule: %s", quoted(text), printable(err.Error(), maxMessage)),
			`write five fields in UTC, such as "5 4 * * *", or a shortcut such as "@daily"`)
		return nil
	}
	return &s
}
