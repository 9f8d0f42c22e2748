package jobs

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

// Defaults and limits of a Dispatcher.
const (
	// DefaultConcurrency is how many attempts run at once.
	DefaultConcurrency = 64
	// DefaultDrain is how long attempts may go on at the end.
	DefaultDrain = 10 * time.Second
	// claimAtOnce is how many jobs are claimed in one transaction.
	claimAtOnce = 64
	// maxEmpty is how many claims in a row may come to nothing, as when jobs have
	// expired, before there is a pause.
	maxEmpty = 16
	// pollEvery is how often the ledger is asked for due jobs, whatever it says.
	pollEvery = 30 * time.Second
	// troubleWait is the pause after the ledger failed to answer.
	troubleWait = time.Second
)

// Config is what a Dispatcher needs. Invoker, Messenger, NewID and Log are required.
type Config struct {
	Invoker   Invoker
	Messenger Messenger
	// NewID makes an id for the requests that schedules and outcomes make.
	NewID func() string
	Log   *slog.Logger
	// Concurrency is how many attempts run at once, of all functions together.
	Concurrency int
	// Drain is how long running attempts may take once Run has to end; those left
	// are interrupted, and run again at the next start. Negative is not at all.
	Drain time.Duration
	// TimeScale divides the waits between attempts; 0 is 1.
	TimeScale float64
	// Retention says how long jobs are kept that have ended; nil is the default.
	Retention map[ledger.Status]ledger.Keep
}

// Dispatcher starts the jobs of one Queue.
type Dispatcher struct {
	queue  *Queue
	config Config
	freed  chan struct{} // a slot was freed, or the site has changed
	site   chan struct{} // the site has changed
	ended  chan struct{} // a job whose end is to be told

	mu       sync.Mutex
	attempts int                  // that run
	missing  map[string]time.Time // functions with jobs that the site does not have, since when
}

// NewDispatcher makes the dispatcher of a queue, which has one.
func NewDispatcher(q *Queue, config Config) *Dispatcher {
	if config.Concurrency <= 0 {
		config.Concurrency = DefaultConcurrency
	}
	if config.Drain == 0 {
		config.Drain = DefaultDrain
	}
	if config.TimeScale <= 0 {
		config.TimeScale = 1
	}
	if config.Retention == nil {
		config.Retention = DefaultRetention()
	}
	return &Dispatcher{
		queue: q, config: config, missing: map[string]time.Time{},
		freed: make(chan struct{}, 1), site: make(chan struct{}, 1), ended: make(chan struct{}, 1),
	}
}

// Changed tells that the policies are other ones now.
func (d *Dispatcher) Changed() {
	signal(d.freed)
	signal(d.site)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run starts jobs until ctx ends. Then it starts no more, gives those that run
// Config.Drain, interrupts the rest and returns when the last is recorded. A
// ledger in trouble does not end it: it waits, and says so in the log.
func (d *Dispatcher) Run(ctx context.Context) error {
	var helpers sync.WaitGroup
	for _, run := range []func(context.Context){d.schedule, d.tell, d.keep} {
		helpers.Go(func() { run(ctx) })
	}
	attempts, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	var group sync.WaitGroup
	d.dispatch(ctx, attempts, &group)
	helpers.Wait()
	return d.drain(stop, &group)
}

// drain waits for the attempts that run, and when its time is over stops them.
func (d *Dispatcher) drain(stop context.CancelCauseFunc, group *sync.WaitGroup) error {
	left := time.AfterFunc(max(d.config.Drain, 0), func() { stop(errShutdown) })
	defer left.Stop()
	group.Wait()
	return nil
}

// dispatch starts due jobs until ctx ends.
func (d *Dispatcher) dispatch(ctx, attempts context.Context, group *sync.WaitGroup) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	trouble := false
	for ctx.Err() == nil {
		wait, err := d.start(ctx, attempts, group)
		if err != nil && ctx.Err() == nil {
			if !trouble {
				d.config.Log.Error("no jobs can be started", "error", err.Error())
			}
			wait = troubleWait
		}
		trouble = err != nil
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-d.queue.ledger.Wake():
		case <-d.freed:
		case <-timer.C:
		}
	}
}

// start claims what is due and there are slots for, and returns how long there is
// nothing to do.
func (d *Dispatcher) start(ctx, attempts context.Context, group *sync.WaitGroup) (wait time.Duration, err error) {
	for empty := 0; ctx.Err() == nil; {
		if empty >= maxEmpty {
			return troubleWait, nil
		}
		limits := d.limits()
		if limits.Max <= 0 {
			return pollEvery, nil
		}
		wait, due, err := d.queue.ledger.NextDue(ctx, limits)
		if err != nil || !due || wait > 0 {
			if !due || wait > pollEvery {
				wait = pollEvery
			}
			return wait, err
		}
		// Were it given up halfway, jobs would be claimed that nobody runs.
		claims, err := d.queue.ledger.Claim(context.WithoutCancel(ctx), limits)
		if err != nil {
			return 0, err
		}
		if empty++; len(claims) > 0 {
			empty = 0
		}
		for i := range claims {
			d.occupy(1)
			group.Go(func() {
				d.attempt(attempts, &claims[i])
				d.occupy(-1)
				signal(d.freed)
			})
		}
	}
	return pollEvery, nil
}

func (d *Dispatcher) occupy(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.attempts += n
}

// limits says what may be claimed now: jobs of the site's functions, and those of
// functions that are gone for good, to end them.
func (d *Dispatcher) limits() ledger.Limits {
	policies := d.queue.functions.Policies()
	d.mu.Lock()
	defer d.mu.Unlock()
	limits := ledger.Limits{
		Max:     min(d.config.Concurrency-d.attempts, claimAtOnce),
		Running: make(map[string]int, len(policies)),
	}
	for name, p := range policies {
		limits.Running[name] = p.Concurrency
	}
	for name, since := range d.missing {
		if _, known := policies[name]; !known && time.Since(since) >= NoFunctionGrace {
			limits.Running[name] = d.config.Concurrency
		}
	}
	return limits
}
