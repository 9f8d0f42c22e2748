package jobs

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/ledger"
)

// PostTimeout is how long an address may take to answer.
const PostTimeout = 10 * time.Second

// post tells an address how a job ended. What does not arrive is posted again
// after the waits of the job's function, as its attempts are made again, and then
// given up; the job's own record stays. What a shutdown breaks off does not count.
func (d *Dispatcher) post(ctx context.Context, e *ledger.Event) error {
	job, body, err := d.news(ctx, e)
	if err == nil {
		err = d.deliver(ctx, e, &job, body)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	done := ledger.Settled{Seq: e.Seq}
	if err != nil {
		done.After, done.Again = d.postAgain(e, job.Function, err)
	}
	if err != nil && !done.Again {
		d.untold(e, err)
	}
	return d.queue.ledger.Settle(context.WithoutCancel(ctx), []ledger.Settled{done})
}

func (d *Dispatcher) deliver(ctx context.Context, e *ledger.Event, job *ledger.Detail, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, PostTimeout)
	defer cancel()
	return d.config.Messenger.Deliver(ctx, Message{
		Function: job.Function, Depth: job.Depth, URL: e.Target, Body: body,
		Header: abi.Header{
			{Name: "content-type", Value: "application/json"},
			{Name: "idempotency-key", Value: e.Job.String() + "-" + strconv.FormatInt(e.Seq, 10)},
		},
	})
}

// postAgain says whether and when to post again. While the function is gone, whose
// policy it is, the ledger's own patience counts.
func (d *Dispatcher) postAgain(e *ledger.Event, function string, err error) (wait time.Duration, again bool) {
	if errors.Is(err, errNotToTell) {
		return 0, false
	}
	policy, known := d.queue.functions.Policies()[function]
	if !known {
		return backoff(time.Since(e.At)), time.Since(e.At) <= GiveUpAfter
	}
	wait, again = policy.wait(e.Tries+1, 0)
	return time.Duration(float64(wait) / d.config.TimeScale), again
}
