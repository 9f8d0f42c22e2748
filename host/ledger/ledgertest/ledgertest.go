// Package ledgertest holds what every ledger must do, as tests. Run runs them
// over one; Agree compares one with another step by step.
package ledgertest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/ledger"
)

// Store is where a ledger keeps its jobs. It outlives the ledger, which is open
// once at a time.
type Store interface {
	Open(t testing.TB, options ledger.Options) ledger.Ledger
}

// Run runs every test, each over a store of its own.
func Run(t *testing.T, newStore func(t testing.TB) Store) {
	for _, group := range []struct {
		name  string
		tests map[string]func(*world)
	}{
		{"enqueue", enqueueTests()},
		{"keys", keyTests()},
		{"claim", claimTests()},
		{"finish", finishTests()},
		{"cancel", cancelTests()},
		{"restart", restartTests()},
		{"list", listTests()},
		{"prune", pruneTests()},
		{"event", eventTests()},
		{"use", useTests()},
	} {
		for name, test := range group.tests {
			t.Run(group.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				w := &world{T: t, store: newStore(t), now: noon()}
				w.open()
				defer w.close()
				test(w)
				w.conserve()
			})
		}
	}
}

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// world is a ledger that a test changes, its store and its clock.
type world struct {
	*testing.T
	store Store
	ledger.Ledger

	mu  sync.Mutex
	now time.Time
}

func (w *world) open() {
	w.Helper()
	w.Ledger = w.store.Open(w, ledger.Options{Wall: w.wall})
}

func (w *world) wall() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) close() {
	w.Helper()
	if err := w.Close(context.Background()); err != nil {
		w.Errorf("close: %v", err)
	}
}

// reopen is the death of the process and the start of the next one.
func (w *world) reopen() {
	w.Helper()
	w.close()
	w.open()
}

// ctx is that of the test.
func (w *world) ctx() context.Context { return w.Context() }

// job is a plain job of function.
func job(function string) ledger.NewJob {
	return ledger.NewJob{Function: function, Request: ledger.Request{
		ID: "request", Method: "POST", Proto: "HTTP/1.1", Scheme: "http", Host: "localhost", Path: "/" + function,
		Header: abi.Header{{Name: "content-type", Value: "text/plain"}}, Body: []byte("body of " + function),
	}}
}

// plenty is limits that nothing meets.
func plenty() ledger.Limits { return ledger.Limits{Max: 100, Others: 100} }

// enqueue records one job.
func (w *world) enqueue(j ledger.NewJob) ledger.ID {
	w.Helper()
	enqueued, err := w.Enqueue(w.ctx(), []ledger.NewJob{j})
	if err != nil || len(enqueued) != 1 || enqueued[0].Existing || enqueued[0].ID.IsZero() {
		w.Fatalf("enqueue: got %v, %v", enqueued, err)
	}
	return enqueued[0].ID
}

// claim claims within limits and wants exactly these jobs, in this order.
func (w *world) claim(limits ledger.Limits, want ...ledger.ID) []ledger.Claim {
	w.Helper()
	claims, err := w.Claim(w.ctx(), limits)
	if err != nil {
		w.Fatalf("claim: %v", err)
	}
	if len(claims) != len(want) {
		w.Fatalf("claim: got %d jobs, want %d", len(claims), len(want))
	}
	for i := range claims {
		if claims[i].Job.ID != want[i] {
			w.Fatalf("claim %d: got %s, want %s", i, claims[i].Job.ID, want[i])
		}
	}
	return claims
}

// run enqueues a job and claims it.
func (w *world) run(j ledger.NewJob) ledger.Claim {
	w.Helper()
	return w.claim(plenty(), w.enqueue(j))[0]
}

// finish ends an attempt, which must be the claim's to end.
func (w *world) finish(c ledger.Claim, o ledger.Outcome) {
	w.Helper()
	if !w.tryFinish(c, o) {
		w.Fatalf("finish %s: the claim is lost", c.Job.ID)
	}
}

func (w *world) tryFinish(c ledger.Claim, o ledger.Outcome) bool {
	w.Helper()
	o.ID, o.Token = c.Job.ID, c.Token
	applied, err := w.Finish(w.ctx(), []ledger.Outcome{o})
	if err != nil || len(applied) != 1 {
		w.Fatalf("finish: got %v, %v", applied, err)
	}
	return applied[0]
}

// get returns a job.
func (w *world) get(id ledger.ID) ledger.Detail {
	w.Helper()
	d, err := w.Get(w.ctx(), id)
	if err != nil {
		w.Fatalf("get %s: %v", id, err)
	}
	return d
}

// is wants a job to have a status and a reason.
func (w *world) is(id ledger.ID, status ledger.Status, reason ledger.Reason) {
	w.Helper()
	d := w.get(id)
	if d.Status != status || d.Reason != reason {
		w.Errorf("job %s: got %s %q, want %s %q", id, d.Status, d.Reason, status, reason)
	}
	if ended := !d.FinishedAt.IsZero(); ended != status.Ended() {
		w.Errorf("job %s is %s: has it a time of its end? got %v", id, status, ended)
	}
}

// due wants the next job to be due in wait, or none to be if wait is negative.
func (w *world) due(limits ledger.Limits, wait time.Duration) {
	w.Helper()
	got, ok, err := w.NextDue(w.ctx(), limits)
	if err != nil || ok != (wait >= 0) || ok && got != wait {
		w.Errorf("next due: got %v, %v, %v; want %v", got, ok, err, wait)
	}
}

// stats returns what there is.
func (w *world) stats() ledger.Stats {
	w.Helper()
	s, err := w.Stats(w.ctx())
	if err != nil {
		w.Fatalf("stats: %v", err)
	}
	return s
}

// conserve wants every job that was accepted to be somewhere: in one status, in
// the list, or pruned.
func (w *world) conserve() {
	w.Helper()
	s := w.stats()
	listed := make(map[ledger.Status]ledger.Count)
	total := int64(0)
	for query := (ledger.Query{Limit: 7}); ; {
		page, err := w.List(w.ctx(), query)
		if err != nil {
			w.Fatalf("list: %v", err)
		}
		for _, j := range page.Jobs {
			c := listed[j.Status]
			listed[j.Status] = ledger.Count{Jobs: c.Jobs + 1, Bytes: c.Bytes + int64(j.RequestBytes)}
			total++
		}
		if query.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	if counted := s.Total(); len(counted) != len(listed) {
		w.Errorf("stats count %v, there are %v", counted, listed)
	} else {
		for status, c := range listed {
			if counted[status] != c {
				w.Errorf("stats count %v of %s, there are %v", counted[status], status, c)
			}
		}
	}
	if s.Accepted != total+s.Pruned {
		w.Errorf("%d were accepted: %d are there and %d pruned", s.Accepted, total, s.Pruned)
	}
}
