package jobs_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/jobs"
	"github.com/cloche-run/cloche/host/ledger"
	"github.com/cloche-run/cloche/host/ledger/model"
)

// netlifys is the policy of a background function about which nothing is said.
func netlifys() jobs.Policy {
	return jobs.Policy{
		Concurrency: 64, Backlog: 10_000, Timeout: 15 * time.Minute,
		Retries: []time.Duration{time.Minute, 2 * time.Minute}, MaxAge: 6 * time.Hour, Idempotency: 24 * time.Hour,
	}
}

// call is one attempt that the invoker was asked for.
type call struct {
	function, job, attempt, body string
	header                       abi.Header
	began                        time.Duration // since the world began
}

// world is a site, a queue and its dispatcher, over a store that outlives them. It
// is the Functions, the Invoker and the Meter of both.
type world struct {
	t     *testing.T
	store *model.Store
	began time.Time

	ledger     *model.Ledger
	queue      *jobs.Queue
	dispatcher *jobs.Dispatcher
	end        func() // of the dispatcher

	config jobs.Config // of the next dispatcher

	mu       sync.Mutex
	function func(ctx context.Context, a *jobs.Attempt) error // what every function does
	site     map[string]jobs.Policy
	calls    []call
	counts   map[string]int
	log      strings.Builder
}

// inWorld runs a test in a world of its own, where time passes when all wait.
func inWorld(t *testing.T, site map[string]jobs.Policy, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, store: model.NewStore(), began: time.Now(), counts: map[string]int{}, site: site}
		w.does(func(context.Context, *jobs.Attempt) error { return nil })
		w.config.Log = slog.New(slog.NewTextHandler(&w.log, nil))
		w.open()
		w.start()
		defer func() {
			w.stop()
			if t.Failed() {
				t.Log(w.log.String())
			}
		}()
		test(t, w)
	})
}

// open opens the store, as the host does that serves it next.
func (w *world) open() {
	w.t.Helper()
	w.ledger = w.store.Open(ledger.Options{})
	var err error
	if w.queue, err = jobs.NewQueue(w.t.Context(), w.ledger, w, w, w.openBytes()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) openBytes() int64 { return 1 << 20 }

func (w *world) start() {
	w.config.Invoker = w
	ids := 0
	w.config.NewID = func() string { ids++; return fmt.Sprintf("request-%d", ids) }
	w.dispatcher = jobs.NewDispatcher(w.queue, w.config)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.dispatcher.Run(ctx) }()
	w.end = func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	}
}

// stop is a shutdown in order; restart one with a start behind it.
func (w *world) stop() {
	w.end()
	w.end = func() {}
}

func (w *world) restart() {
	w.stop()
	_ = w.ledger.Close(context.Background())
	w.open()
	w.start()
}

// Policies implements jobs.Functions.
func (w *world) Policies() map[string]jobs.Policy {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.site
}

func (w *world) reload(site map[string]jobs.Policy) {
	w.mu.Lock()
	w.site = site
	w.mu.Unlock()
	w.dispatcher.Changed()
}

// Attempt implements jobs.Invoker.
func (w *world) Attempt(ctx context.Context, a *jobs.Attempt) (jobs.Usage, error) {
	w.mu.Lock()
	h, function := a.Request.Header, w.function
	w.calls = append(w.calls, call{
		a.Function, h.Get("x-cloche-job"), h.Get("x-cloche-attempt"), string(a.Request.Body), h, time.Since(w.began),
	})
	w.mu.Unlock()
	err := function(ctx, a)
	return jobs.Usage{RunTime: time.Second, Fuel: 7}, err
}

func (w *world) does(function func(ctx context.Context, a *jobs.Attempt) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.function = function
}

func (w *world) count(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[fmt.Sprintf(format, args...)]++
}

func (w *world) counted(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts[what]
}

func (w *world) Accepted(function string, took time.Duration) { w.count("accepted %s", function) }
func (w *world) Attempted(function string, r ledger.Result)   { w.count("%s %s", r, function) }
func (w *world) Died(function string, reason ledger.Reason)   { w.count("dead %s %s", reason, function) }
func (w *world) Skipped(function string)                      { w.count("skipped %s", function) }
func (w *world) made() []call                                 { w.mu.Lock(); defer w.mu.Unlock(); return w.calls }

// submit enqueues a request for function.
func (w *world) submit(function string) (jobs.Receipt, error) {
	return w.queue.Enqueue(w.t.Context(), jobs.Submission{Function: function, Origin: jobs.OriginHTTP, Request: request("")})
}

func (w *world) mustSubmit(function string) ledger.ID {
	w.t.Helper()
	receipt, err := w.submit(function)
	if err != nil {
		w.t.Fatal(err)
	}
	return receipt.ID
}

func request(body string) *abi.Request {
	return &abi.Request{
		ID: "01ID", Method: "POST", Proto: "HTTP/1.1", Scheme: "http", Host: "example.com", Path: "/.netlify/functions/x",
		Header: abi.Header{{Name: "content-type", Value: "text/plain"}}, Body: []byte(body), RemoteAddr: "127.0.0.1:1",
	}
}

func (w *world) job(id ledger.ID) ledger.Detail {
	w.t.Helper()
	job, err := w.queue.Get(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return job
}

// expect checks where a job stands.
func (w *world) expect(id ledger.ID, status ledger.Status, reason ledger.Reason, results ...ledger.Result) {
	w.t.Helper()
	job := w.job(id)
	var got []ledger.Result
	for _, a := range job.History {
		got = append(got, a.Result)
	}
	if job.Status != status || job.Reason != reason || fmt.Sprint(got) != fmt.Sprint(results) {
		w.t.Errorf("got %s %s %v (%s), want %s %s %v", job.Status, job.Reason, got, job.Error, status, reason, results)
	}
}

// conserved checks that the queue counts what the ledger holds.
func (w *world) conserved() {
	w.t.Helper()
	synctest.Wait()
	if _, drift, err := w.queue.Stats(w.t.Context()); drift != 0 || err != nil {
		w.t.Errorf("the count of open jobs is off by %d (%v)", drift, err)
	}
}

func trapped() error { return &abi.Error{What: abi.FaultTrap, Message: "unreachable", Detail: "stack"} }

// untilStopped is a function that does not end by itself.
func untilStopped(ctx context.Context) error {
	<-ctx.Done()
	if ctx.Err() == context.DeadlineExceeded {
		return &abi.Error{What: abi.FaultDeadline, Message: "Task timed out"}
	}
	return &abi.Error{What: abi.FaultCanceled, Message: "the invocation was cancelled"}
}

func faultOf(err error) abi.Fault {
	if fault, ok := err.(abi.Faulter); ok {
		return fault.Fault()
	}
	return ""
}
