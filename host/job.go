package host

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/config"
	"github.com/cloche-run/cloche/host/front"
	"github.com/cloche-run/cloche/host/jobs"
	"github.com/cloche-run/cloche/host/ledger"
)

// accept makes a job of a request and answers 202. A function that could not be
// loaded gets none: its sender can still be told.
func (h *Host) accept(ctx context.Context, f *function, req *abi.Request, resp *abi.Response, origin string) error {
	req.Function = f.name
	r := record{host: h, function: f, request: req, response: resp, began: time.Now()}
	err := r.enqueue(ctx, origin)
	r.done(ctx, err)
	return err
}

func (r *record) enqueue(ctx context.Context, origin string) error {
	if err := r.function.ready(); err != nil {
		return err
	}
	receipt, err := r.host.queue.Enqueue(ctx, jobs.Submission{
		Function: r.function.name, Request: r.request, Origin: origin,
		IdempotencyKey: r.request.Header.Get("idempotency-key"), Depth: depthOf(r.request),
	})
	if err != nil {
		return err
	}
	r.job = receipt.ID.String()
	r.response.Status = http.StatusAccepted
	r.response.Header.Add("X-Cloche-Job", r.job)
	return nil
}

// depthOf is how many calls and jobs led to the request. Only the host sets the
// header: clients' own x-cloche-* are dropped at the edge.
func depthOf(req *abi.Request) int {
	depth, err := strconv.Atoi(req.Header.Get(abi.HeaderDepth))
	if err != nil || depth < 0 {
		return 0
	}
	return depth
}

// errTooDeep is the end of a chain of calls.
var errTooDeep = &abi.Error{
	What:    abi.FaultChainTooDeep,
	Message: fmt.Sprintf("a chain of calls may be %d deep", abi.ChainDepth),
}

// byURL answers a client that calls a function with a schedule: in production it
// may not; in dev it sees what the schedule would do now.
func (h *Host) byURL(ctx context.Context, f *function, req *abi.Request, resp *abi.Response) error {
	if !h.options.Dev {
		err := &abi.Error{
			What:    abi.FaultForbidden,
			Message: "function " + f.name + " runs on a schedule and cannot be called by its URL",
			Detail:  "to run it now: cloche invoke " + f.name + " --scheduled",
		}
		h.refused(req, err)
		return err
	}
	_, err := h.run(ctx, f, jobs.ScheduledRequest(req, f.settings.Job.Schedule, time.Now()), resp)
	return err
}

// policyOf is how the jobs of a function are run. Every function has one: any may
// be told the end of a job.
func policyOf(c config.Function) jobs.Policy {
	return jobs.Policy{
		Concurrency: c.Concurrency, Backlog: c.Queue, Timeout: c.Timeout,
		Retries: c.Job.Retries, Jitter: c.Job.RetryJitter, MaxAge: c.Job.MaxAge, Idempotency: c.Job.Idempotency,
		Schedule: c.Job.Schedule, OnSuccess: c.Job.OnSuccess, OnFailure: c.Job.OnFailure,
	}
}

// worker is the host as host/jobs sees it.
type worker struct{ *Host }

// Policies implements jobs.Functions.
func (w worker) Policies() map[string]jobs.Policy {
	if s := w.site.Load(); s != nil {
		return s.policies
	}
	return nil
}

// Attempt implements jobs.Invoker. Jobs have slots of their own, the dispatcher's:
// neither they nor requests can keep the others from running.
func (w worker) Attempt(ctx context.Context, a *jobs.Attempt) (jobs.Usage, error) {
	s, err := w.acquire()
	if err != nil {
		return jobs.Usage{}, err
	}
	defer s.release()
	f := s.functions[a.Function]
	if f == nil {
		return jobs.Usage{}, &abi.Error{What: abi.FaultFunctionNotReady, Message: "the site has no function " + a.Function}
	}
	if err := f.ready(); err != nil {
		return jobs.Usage{}, err
	}
	w.attempts.Store(a.Request, a)
	defer w.attempts.Delete(a.Request)
	f.metrics.Running(1)
	defer f.metrics.Running(-1)
	r := record{host: w.Host, function: f, request: a.Request, response: a.Response, began: time.Now(), ran: true}
	r.usage, err = f.loaded.Invoke(ctx, a.Request, a.Response)
	r.count(err)
	return jobs.Usage{RunTime: r.usage.Exec, Fuel: r.usage.Fuel}, err
}

// meter is the metrics as host/jobs sees them.
type meter struct{ *Host }

func (m meter) Accepted(function string, took time.Duration) { m.jobMetrics.Accepted(function, took) }

func (m meter) Attempted(function string, result ledger.Result) {
	m.jobMetrics.Attempted(function, string(result))
}

func (m meter) Died(function string, reason ledger.Reason) {
	m.jobMetrics.Died(function, string(reason))
}
func (m meter) Skipped(function string) { m.jobMetrics.Skipped(function) }

// openJobs opens the ledger and what stands on it.
func (h *Host) openJobs(ctx context.Context) (err error) {
	o := &h.options
	if h.ledger, err = h.openLedger(ctx); err != nil {
		return err
	}
	h.jobMetrics = h.metrics.Jobs(private{h}.gauges)
	if h.queue, err = jobs.NewQueue(ctx, h.ledger, worker{h}, meter{h}, o.JobBytes); err != nil {
		return err
	}
	h.dispatcher = jobs.NewDispatcher(h.queue, jobs.Config{
		Invoker: worker{h}, Messenger: worker{h}, NewID: front.NewID, Log: h.log,
		Concurrency: o.JobConcurrency, Drain: o.Drain, TimeScale: o.TimeScale,
	})
	return nil
}
