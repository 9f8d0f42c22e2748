package sqlite

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/ledger"
)

// book is what the world outside was told of jobs, to be compared with what the
// ledger knows after a crash.
type book struct {
	mu    sync.Mutex
	jobs  map[ledger.ID]*told
	wrong []string
}

// told is what was said of one job.
type told struct {
	accepted bool          // Enqueue returned it
	end      ledger.Status // Finish returned, and this is its end
	mayEnd   []ledger.Status
	failed   int // failures that Finish returned
	mayFail  int // failures that Finish was called with
}

func newBook() *book { return &book{jobs: make(map[ledger.ID]*told)} }

func (b *book) job(id ledger.ID) *told {
	if b.jobs[id] == nil {
		b.jobs[id] = &told{}
	}
	return b.jobs[id]
}

// entry is one line of the book.
type entry struct {
	what   string // accepted, starts, ends or ended
	id     ledger.ID
	result ledger.Result
	// attempt is the number of the attempt that starts.
	attempt int
}

// write takes an entry down. One that is uncertain was said when nobody may have
// heard it: what it says may be, and need not.
func (b *book) write(e entry, uncertain bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	j := b.job(e.id)
	switch e.what {
	case "accepted":
		j.accepted = j.accepted || !uncertain
	case "starts":
		if j.end != "" {
			b.wrong = append(b.wrong, "job "+e.id.String()+" starts after its end")
		}
		if e.attempt-1 > j.mayFail {
			b.wrong = append(b.wrong, "job "+e.id.String()+" starts with an attempt eaten")
		}
	case "ends":
		if end := endOf(e.result); end != "" {
			j.mayEnd = append(j.mayEnd, end)
		} else {
			j.mayFail++
		}
	case "ended":
		if uncertain {
			return
		}
		switch end := endOf(e.result); {
		case end == "":
			j.failed++
		case j.end != "":
			b.wrong = append(b.wrong, "job "+e.id.String()+" ended twice")
		default:
			j.end = end
		}
	}
}

// endOf is what becomes of a job of the workload.
func endOf(r ledger.Result) ledger.Status {
	switch r {
	case ledger.OK:
		return ledger.Succeeded
	case ledger.Timeout:
		return ledger.Dead
	}
	return ""
}

// lost compares the book with a ledger and returns how many jobs are not there
// that were accepted, and how many ends were forgotten. What else is wrong fails
// the test.
func (b *book) lost(t testing.TB, l *Ledger) (jobs, ends int) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.wrong {
		t.Error(w)
	}
	for id, j := range b.jobs {
		d, err := l.Get(context.Background(), id)
		switch {
		case errors.Is(err, ledger.ErrNotFound):
			if j.accepted {
				jobs++
			}
			continue
		case err != nil:
			t.Fatal(err)
		}
		if j.end != "" && d.Status != j.end || d.Attempts < j.failed {
			ends++
			continue
		}
		b.judge(t, j, &d)
	}
	return jobs, ends
}

// judge wants a job not to be further than it can be.
func (b *book) judge(t testing.TB, j *told, d *ledger.Detail) {
	t.Helper()
	may := d.Reason == ledger.CrashLoop && d.Interrupts == ledger.MaxInterrupts || !d.Status.Ended()
	for _, end := range j.mayEnd {
		may = may || d.Status == end
	}
	if !may {
		t.Errorf("job %s is %s %s, and nobody said so", d.ID, d.Status, d.Reason)
	}
	used := d.Attempts
	if d.Status == ledger.Succeeded || d.Reason == ledger.TimedOut {
		used--
	}
	if used > j.mayFail {
		t.Errorf("job %s has used %d attempts, and %d were made", d.ID, used, j.mayFail)
	}
}

// workload has producers and workers at work until stop is closed or something
// fails, and says what it does.
type workload struct {
	ledger  *Ledger
	say     func(entry)
	stop    <-chan struct{}
	workers int
}

func (w *workload) run() {
	var wg sync.WaitGroup
	for n := range w.workers {
		wg.Go(func() { w.produce(n) })
		wg.Go(func() { w.work(n) })
	}
	wg.Wait()
}

func (w *workload) stopped() bool {
	select {
	case <-w.stop:
		return true
	default:
		return w.ledger.Healthy() != nil
	}
}

func (w *workload) produce(n int) {
	body := make([]byte, 700*n)
	for !w.stopped() {
		enqueued, err := w.ledger.Enqueue(context.Background(), []ledger.NewJob{{
			Function: string(rune('a' + n%3)), OnSuccess: "next",
			Request: ledger.Request{Method: "POST", Header: abi.Header{{Name: "a", Value: "b"}}, Body: body},
		}})
		if err == nil {
			w.say(entry{what: "accepted", id: enqueued[0].ID})
		}
	}
}

func (w *workload) work(n int) {
	for i := n; !w.stopped(); i++ {
		claims, err := w.ledger.Claim(context.Background(), ledger.Limits{Max: 1, Others: 100})
		if err != nil || len(claims) == 0 {
			continue
		}
		c := claims[0]
		w.say(entry{what: "starts", id: c.Job.ID, attempt: c.Job.Attempt()})
		result := []ledger.Result{ledger.OK, ledger.Error, ledger.Error, ledger.Timeout}[i%4]
		o := ledger.Outcome{ID: c.Job.ID, Token: c.Token, Result: result, Error: "error"}
		if result == ledger.Timeout {
			o.Dead = ledger.TimedOut
		}
		w.say(entry{what: "ends", id: c.Job.ID, result: result})
		if applied, err := w.ledger.Finish(context.Background(), []ledger.Outcome{o}); err == nil && applied[0] {
			w.say(entry{what: "ended", id: c.Job.ID, result: result})
		}
	}
}
