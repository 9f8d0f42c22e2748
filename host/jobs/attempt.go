package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/ledger"
)

// Waits after an attempt that the host could not make. They grow with the job's
// age and use up none of its attempts; MaxAge ends them.
const (
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
)

// backoff is the wait of a job of that age.
func backoff(age time.Duration) time.Duration { return max(minBackoff, min(age/4, maxBackoff)) }

// attempt runs a claimed job and records what came of it.
func (d *Dispatcher) attempt(ctx context.Context, c *ledger.Claim) {
	began := time.Now()
	policy, known := d.queue.functions.Policies()[c.Job.Function]
	o, cause := d.outcome(ctx, c, policy, known)
	o.ID, o.Token = c.Job.ID, c.Token
	applied, err := d.finish(ctx, o)
	d.queue.running.end(c.Job.ID)
	d.log(c, &o, time.Since(began), applied, err)
	if !applied {
		return
	}
	d.queue.meter.Attempted(c.Job.Function, o.Result)
	d.settled(c, &o, cause)
}

// settled counts a job out if it has ended by o.
func (d *Dispatcher) settled(c *ledger.Claim, o *ledger.Outcome, cause error) {
	job := c.Job
	job.CancelRequested = job.CancelRequested || errors.Is(cause, errCanceled)
	if o.Blame {
		job.Interrupts++
	}
	status, reason := o.Next(&job)
	if !status.Ended() {
		return
	}
	d.queue.admission.ended(job.Function, int64(job.RequestBytes)+rowBytes)
	if status == ledger.Dead {
		d.queue.meter.Died(job.Function, reason)
	}
	signal(d.ended)
}

// outcome runs the job, unless it cannot be run or must not, and says how that
// ended. cause is why it was stopped, if it was.
func (d *Dispatcher) outcome(ctx context.Context, c *ledger.Claim, p Policy, known bool) (o ledger.Outcome, cause error) {
	switch {
	case !known:
		return d.gone(c), nil
	case c.Job.Depth > abi.ChainDepth:
		return ledger.Outcome{
			Result: ledger.Interrupted, Dead: ledger.ChainDepth,
			Error: fmt.Sprintf("a chain of calls and jobs may be %d deep", abi.ChainDepth),
		}, nil
	}
	ctx, cancel := d.queue.running.begin(ctx, c.Job.ID)
	defer cancel(nil)
	ctx, stop := context.WithTimeout(ctx, p.Timeout)
	defer stop()
	return d.run(ctx, c, p), context.Cause(ctx)
}

// gone is the outcome of a job whose function the site does not have: it waits
// for it to come back, and is dead when it has been away for NoFunctionGrace.
func (d *Dispatcher) gone(c *ledger.Claim) ledger.Outcome {
	o := ledger.Outcome{
		Result: ledger.Interrupted, Error: "the site has no function " + c.Job.Function,
		RetryAfter: minBackoff,
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if since, ok := d.missing[c.Job.Function]; ok && time.Since(since) >= NoFunctionGrace {
		o.Dead = ledger.NoFunction
	}
	return o
}

// run calls the function.
func (d *Dispatcher) run(ctx context.Context, c *ledger.Claim, p Policy) ledger.Outcome {
	var logged tail
	answer := &answer{}
	a := &Attempt{Function: c.Job.Function, Request: requestOf(c), Log: logged.add, Response: &abi.Response{Body: answer}}
	answer.kept.Limit = 0
	if c.Job.OnSuccess != "" {
		answer.kept.Limit = AnswerBytes
	}
	usage, err := d.invoke(ctx, a)
	o := ledger.Outcome{RunTime: usage.RunTime, Fuel: usage.Fuel, Log: logged.end()}
	d.judge(ctx, &o, c, p, err)
	if o.Result == ledger.OK && c.Job.OnSuccess != "" {
		o.Response = answer.encode(a.Response)
	}
	return o
}

// requestOf is the request with what tells the function which job it is.
func requestOf(c *ledger.Claim) *abi.Request {
	req := c.Request.ABI(c.Job.Function)
	req.Header.Set(abi.HeaderJob, c.Job.ID.String())
	req.Header.Set(abi.HeaderAttempt, strconv.Itoa(c.Job.Attempt()))
	req.Header.Set(abi.HeaderDepth, strconv.Itoa(c.Job.Depth))
	return req
}

// panicked is a bug of ours that a job has found.
type panicked struct{ error }

// invoke calls the Invoker and survives its panics.
func (d *Dispatcher) invoke(ctx context.Context, a *Attempt) (usage Usage, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicked{fmt.Errorf("jobs: invoker panicked: %v\n%s", v, debug.Stack())}
		}
	}()
	return d.config.Invoker.Attempt(ctx, a)
}

// judge says what an attempt that ended in err counts as and what follows. What
// the function did wrong uses up an attempt, what the host did not.
func (d *Dispatcher) judge(ctx context.Context, o *ledger.Outcome, c *ledger.Claim, p Policy, err error) {
	var fault abi.Faulter
	var bug panicked
	what := abi.FaultInternal
	if errors.As(err, &fault) {
		what = fault.Fault()
	}
	if err != nil {
		o.Error = describe(err)
	}
	o.RetryAfter = backoff(time.Since(c.Job.CreatedAt))
	cause := context.Cause(ctx)
	switch what {
	case abi.FaultBadResponse, abi.FaultResponseTooLarge: // nobody waits for it
		err = nil
	}
	switch {
	case err == nil:
		*o = ledger.Outcome{Result: ledger.OK, RunTime: o.RunTime, Fuel: o.Fuel, Log: o.Log}
	case errors.As(err, &bug):
		o.Result, o.Blame = ledger.Interrupted, true
	case what == abi.FaultDeadline:
		o.Result = ledger.Timeout
		d.retry(o, c, p, ledger.TimedOut)
	case what == abi.FaultTrap, what == abi.FaultExit, what == abi.FaultFuel:
		o.Result = ledger.Error
		d.retry(o, c, p, ledger.Exhausted)
	case errors.Is(cause, errCanceled):
		o.Result, o.Error = ledger.Stopped, errCanceled.Error()
	case errors.Is(cause, errShutdown):
		o.Result, o.Error, o.RetryAfter = ledger.Interrupted, errShutdown.Error(), 0
	default:
		o.Result = ledger.Interrupted
	}
}

// retry has a failed job tried again, or dead if that was its last attempt.
func (d *Dispatcher) retry(o *ledger.Outcome, c *ledger.Claim, p Policy, reason ledger.Reason) {
	wait, again := p.wait(c.Job.Attempt(), rand.Float64())
	o.RetryAfter = time.Duration(float64(wait) / d.config.TimeScale)
	if !again {
		o.Dead = reason
	}
}

// describe is an error with its stack, as the job's reader may see it.
func describe(err error) string {
	var fault abi.Faulter
	if errors.As(err, &fault) && fault.Trace() != "" {
		return fault.Error() + "\n" + strings.TrimRight(fault.Trace(), "\n")
	}
	return err.Error()
}

// finish records an outcome, for as long as that may help. While the disk is full
// it may; a broken ledger will find the attempt interrupted when it is opened anew.
func (d *Dispatcher) finish(ctx context.Context, o ledger.Outcome) (applied bool, err error) {
	for {
		done, err := d.queue.ledger.Finish(context.WithoutCancel(ctx), []ledger.Outcome{o})
		switch {
		case err == nil:
			return done[0], nil
		case errors.Is(err, ledger.ErrBusy), errors.Is(err, ledger.ErrFull):
		default:
			return false, err
		}
		select {
		case <-time.After(troubleWait):
		case <-ctx.Done(): // the host has to end
			return false, err
		}
	}
}

// log writes the line of an attempt.
func (d *Dispatcher) log(c *ledger.Claim, o *ledger.Outcome, took time.Duration, applied bool, err error) {
	level, attrs := slog.LevelInfo, []slog.Attr{
		slog.String("function", c.Job.Function), slog.String("request", c.Request.ID),
		slog.String("job", c.Job.ID.String()), slog.Int("attempt", c.Job.Attempt()),
		slog.String("outcome", string(o.Result)), slog.Duration("duration", took), slog.Uint64("fuel", o.Fuel),
	}
	switch {
	case err != nil:
		level, attrs = slog.LevelError, append(attrs, slog.String("ledger", err.Error()))
	case !applied:
		level, attrs = slog.LevelWarn, append(attrs, slog.String("ledger", "the claim was lost, the outcome is dropped"))
	case o.Dead != "":
		level, attrs = slog.LevelError, append(attrs, slog.String("dead", string(o.Dead)))
	case o.Result != ledger.OK && o.Result != ledger.Stopped:
		level, attrs = slog.LevelWarn, append(attrs, slog.Duration("again", o.RetryAfter))
	}
	if o.Error != "" {
		attrs = append(attrs, slog.String("error", o.Error))
	}
	d.config.Log.LogAttrs(context.Background(), level, "attempt", attrs...)
}
