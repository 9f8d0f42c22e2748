package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/ledger"
)

const (
	// tellEvery is how often the ledger is asked for ends to tell that nobody
	// signalled: jobs that expired, and those of the last process.
	tellEvery = 5 * time.Second
	// tellAtOnce is how many are read at a time.
	tellAtOnce = 32
	// GiveUpAfter is how long a destination may be missing or have no room.
	GiveUpAfter = 6 * time.Hour
)

// tell makes jobs of ends that somebody wants to know, until ctx ends. Each has a
// unique key, so that one end makes one job whatever happens in between.
func (d *Dispatcher) tell(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.ended:
		case <-timer.C:
		}
		if err := d.tellAll(ctx); err != nil && ctx.Err() == nil {
			d.config.Log.Error("ends of jobs cannot be told", "error", err.Error())
		}
		timer.Reset(tellEvery)
	}
}

func (d *Dispatcher) tellAll(ctx context.Context) error {
	for ctx.Err() == nil {
		events, err := d.queue.ledger.Events(ctx, tellAtOnce)
		if err != nil || len(events) == 0 {
			return err
		}
		if err := d.tellEach(ctx, events); err != nil {
			return err
		}
	}
	return nil
}

// tellEach makes the jobs of the functions that are to be told, and posts to
// addresses at the same time: those may be slow.
func (d *Dispatcher) tellEach(ctx context.Context, events []ledger.Event) error {
	var settled []ledger.Settled
	var posts sync.WaitGroup
	errs := make([]error, len(events))
	for i := range events {
		if !IsURL(events[i].Target) {
			settled = append(settled, d.tellOne(ctx, &events[i]))
			continue
		}
		posts.Go(func() { errs[i] = d.post(ctx, &events[i]) })
	}
	var err error
	if len(settled) > 0 {
		err = d.queue.ledger.Settle(context.WithoutCancel(ctx), settled)
	}
	posts.Wait()
	return errors.Join(err, errors.Join(errs...))
}

// tellOne makes the job of one end. One that cannot be told now is told later.
func (d *Dispatcher) tellOne(ctx context.Context, e *ledger.Event) ledger.Settled {
	done := ledger.Settled{Seq: e.Seq}
	err := d.enqueueOutcome(ctx, e)
	switch {
	case err == nil:
	case errors.Is(err, errNotToTell), time.Since(e.At) > GiveUpAfter:
		d.untold(e, err)
	default:
		done.Again, done.After = true, backoff(time.Since(e.At))
	}
	return done
}

// untold logs an end that is given up.
func (d *Dispatcher) untold(e *ledger.Event, err error) {
	d.config.Log.Error("end of a job not told", "job", e.Job.String(), "target", e.Target, "error", err.Error())
}

// errNotToTell is an end that nobody will ever be told.
var errNotToTell = errors.New("it cannot be told")

func (d *Dispatcher) enqueueOutcome(ctx context.Context, e *ledger.Event) error {
	job, body, err := d.news(ctx, e)
	if err != nil {
		return err
	}
	_, err = d.queue.Enqueue(ctx, Submission{
		Function: e.Target, Origin: OriginOutcome, UniqueKey: "outcome " + strconv.FormatInt(e.Seq, 10),
		Parent: e.Job, Depth: job.Depth + 1,
		Request: d.request(e.Target, body, abi.Field{Name: "user-agent", Value: "cloche"}),
	})
	return err
}

// news is what is to be told of an end, errNotToTell if nothing can be.
func (d *Dispatcher) news(ctx context.Context, e *ledger.Event) (job ledger.Detail, body []byte, err error) {
	job, err = d.queue.ledger.Get(ctx, e.Job)
	if errors.Is(err, ledger.ErrNotFound) {
		return job, nil, fmt.Errorf("%w: the job was purged", errNotToTell)
	}
	if err != nil {
		return job, nil, err
	}
	if job.Depth > abi.ChainDepth { // or its death would be told for ever
		return job, nil, fmt.Errorf("%w: it stands at the end of a chain of %d", errNotToTell, abi.ChainDepth)
	}
	if body, err = d.outcomeBody(ctx, &job, e); err != nil {
		err = fmt.Errorf("%w: %w", errNotToTell, err)
	}
	return job, body, err
}

// Outcome is the JSON body with which OnSuccess and OnFailure are called.
type Outcome struct {
	Job        string        `json:"job"`
	Function   string        `json:"function"`
	Status     ledger.Status `json:"status"`
	Reason     ledger.Reason `json:"reason,omitempty"`
	Error      string        `json:"error,omitempty"`
	Attempts   int           `json:"attempts"`
	CreatedAt  time.Time     `json:"created_at"`
	FinishedAt time.Time     `json:"finished_at"`
	// Request is what the job was called with, without headers; null if it is gone
	// or too large.
	Request *OutcomeRequest `json:"request"`
	// Response is what the function answered, in the shape of Netlify's responses
	// with multiValueHeaders only; null if the job is dead.
	Response json.RawMessage `json:"response"`
}

// OutcomeRequest is the request of a job in an Outcome.
type OutcomeRequest struct {
	Method          string `json:"httpMethod"`
	Path            string `json:"path"`
	RawQuery        string `json:"rawQuery"`
	Body            string `json:"body"`
	IsBase64Encoded bool   `json:"isBase64Encoded"`
}

// outcomeBody is the largest Outcome that fits into a job.
func (d *Dispatcher) outcomeBody(ctx context.Context, job *ledger.Detail, e *ledger.Event) ([]byte, error) {
	o := Outcome{
		Job: e.Job.String(), Function: job.Function, Status: e.Status, Reason: job.Reason, Error: job.Error,
		Attempts: job.Attempts, CreatedAt: job.CreatedAt, FinishedAt: job.FinishedAt, Response: e.Response,
	}
	if req, err := d.queue.ledger.Request(ctx, e.Job); err == nil {
		o.Request = &OutcomeRequest{Method: req.Method, Path: req.Path, RawQuery: req.RawQuery}
		o.Request.Body, o.Request.IsBase64Encoded = text(req.Body)
	}
	body, err := encode(o)
	if err == nil && len(body) > abi.BackgroundBodyBytes {
		o.Request = nil
		body, err = encode(o)
	}
	return body, err
}

// request is what the host calls a function with.
func (d *Dispatcher) request(function string, body []byte, fields ...abi.Field) *abi.Request {
	const host = "localhost"
	id := d.config.NewID()
	return &abi.Request{
		ID: id, Method: http.MethodPost, Proto: "HTTP/1.1", Scheme: "http", Host: host,
		Path: abi.FunctionPath + function, Body: body,
		Header: append(abi.Header{
			{Name: "host", Value: host},
			{Name: "content-type", Value: "application/json"},
			{Name: abi.HeaderRequestID, Value: id},
		}, fields...),
	}
}
