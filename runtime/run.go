package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero/sys"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/guest"
	"github.com/cloche-run/cloche/runtime/limits"
	"github.com/cloche-run/cloche/runtime/memory"
	"github.com/cloche-run/cloche/runtime/wasi"
)

// run is a guest at work: getting ready, or serving a request. It is for one
// goroutine; cancel ends it.
type run struct {
	ctx     context.Context // by which host functions find the run
	cancel  context.CancelFunc
	call    guest.Call
	log     guest.LogWriter
	meter   *meter
	account *memory.Account
	limits  Limits
	stopped *limits.Trap // why the host ended the guest, if it did
}

// start begins a run under l; a Timeout of 0 is none. It gives the guest of i to the host functions
// that it calls with r.ctx.
func (r *run) start(ctx context.Context, l Limits, i *instance) {
	r.account = i.account
	r.log.Limit = l.LogBytes
	r.call.Log, r.call.Stop = &r.log, r.abort
	r.meter = newMeter(i.account, &i.stack)
	i.stack.begin(l.StackBytes)
	i.fuel.Set(0)
	r.limit(ctx, l, i)
}

// limit has l hold from now on. The guest is not running.
func (r *run) limit(ctx context.Context, l Limits, i *instance) {
	if r.cancel != nil {
		r.cancel()
	}
	r.limits = l
	r.ctx, r.cancel = within(ctx, l.Timeout)
	r.meter.until(r.ctx)
	r.meter.limit(l.Fuel)
	r.ctx = wasi.With(metered{guest.WithCall(r.ctx, &r.call), r.meter}, i.system)
}

// within derives one context: one that is not cancelled stays in its parent, which
// lives as long as a connection.
func within(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout > 0 {
		return context.WithTimeout(ctx, timeout)
	}
	return context.WithCancel(ctx)
}

// stop frees what the run holds.
func (r *run) stop() {
	r.cancel()
	r.call.End()
}

// abort ends the guest at once; the first reason counts.
func (r *run) abort(why *limits.Trap) {
	if r.stopped == nil {
		r.stopped = why
		r.cancel()
	}
}

// outcome ends the log and returns the run's error, by what the host itself saw happen: a guest
// chooses its exit code and can choose one that looks like a deadline.
func (r *run) outcome(err error) error {
	r.log.Flush()
	var known abi.Faulter
	var exit *sys.ExitError
	switch {
	case err == nil && r.ctx.Err() == nil: // a guest that was woken at its deadline may still return
		return nil
	case r.stopped != nil:
		return r.stopped
	case r.meter.late, errors.Is(r.ctx.Err(), context.DeadlineExceeded):
		return r.deadline()
	case r.ctx.Err() != nil:
		return limits.Trapf(abi.FaultCanceled, "the invocation was cancelled")
	case errors.As(err, &known):
		return known
	case r.account.Short():
		return errNoMemory
	case errors.As(err, &exit):
		return &Trap{What: abi.FaultExit, ExitCode: exit.ExitCode(), Message: r.name() + fmt.Sprintf("Error: Runtime exited with error: exit status %d", exit.ExitCode())}
	}
	return guestTrap("the function trapped: ", err)
}

// name begins the message of what a client may look for in the logs.
func (r *run) name() string {
	if r.call.Request == nil {
		return ""
	}
	return "RequestId: " + r.call.Request.ID + " "
}

// deadline words a timeout as Netlify does.
func (r *run) deadline() *Trap {
	if r.call.Request == nil {
		return limits.Trapf(abi.FaultDeadline, "it takes longer than %v", r.limits.Timeout)
	}
	return limits.Trapf(abi.FaultDeadline, "%s %s Task timed out after %.2f seconds",
		time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), r.call.Request.ID, r.limits.Timeout.Seconds())
}
