package ledgertest

import (
	"errors"
	"sync"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

func keyTests() map[string]func(*world) {
	return map[string]func(*world){
		"the same key and function is the same job": func(w *world) {
			j := job("f")
			j.IdempotencyKey = "k"
			w.same(j, w.enqueue(j))
		},
		"another function is another job": func(w *world) {
			a, b := job("f"), job("g")
			a.IdempotencyKey, b.IdempotencyKey = "k", "k"
			w.enqueue(a)
			w.enqueue(b)
		},
		"no key is no key": func(w *world) {
			w.enqueue(job("f"))
			w.enqueue(job("f"))
		},
		"a key of a client is none of the host's": func(w *world) {
			a, b := job("f"), job("f")
			a.IdempotencyKey, b.UniqueKey = "k", "k"
			w.same(a, w.enqueue(a))
			w.same(b, w.enqueue(b))
		},
		"an idempotency key holds for a day": func(w *world) {
			j := job("f")
			j.IdempotencyKey = "k"
			w.holds(j, 24*time.Hour)
		},
		"or as long as it is told": func(w *world) {
			j := job("f")
			j.IdempotencyKey, j.KeyAge = "k", time.Minute
			w.holds(j, time.Minute)
		},
		"a unique key holds for a week": func(w *world) {
			j := job("f")
			j.UniqueKey = "k"
			w.holds(j, 7*24*time.Hour)
		},
		"or as long as that is told": func(w *world) {
			j := job("f")
			j.UniqueKey, j.UniqueAge = "k", time.Minute
			w.holds(j, time.Minute)
		},
		"a key outlives its job": func(w *world) {
			j := job("f")
			j.UniqueKey = "tick"
			c := w.run(j)
			w.finish(c, ledger.Outcome{Result: ledger.OK})
			if _, err := w.Prune(w.ctx(), everything(), 10); err != nil {
				w.Fatal(err)
			}
			w.reopen()
			w.same(j, c.Job.ID)
			if _, err := w.Get(w.ctx(), c.Job.ID); !errors.Is(err, ledger.ErrNotFound) {
				w.Errorf("the job is there: %v", err)
			}
		},
		"two in one call are one job": func(w *world) {
			j := job("f")
			j.IdempotencyKey = "k"
			got, err := w.Enqueue(w.ctx(), []ledger.NewJob{j, job("f"), j})
			if err != nil || got[0].Existing || got[1].Existing || !got[2].Existing || got[2].ID != got[0].ID {
				w.Errorf("got %v, %v", got, err)
			}
			w.claim(plenty(), got[0].ID, got[1].ID)
		},
		"many at the same time are one job": func(w *world) {
			j := job("f")
			j.IdempotencyKey = "k"
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					if _, err := w.Enqueue(w.ctx(), []ledger.NewJob{j}); err != nil {
						w.Error(err)
					}
				})
			}
			wg.Wait()
			if n := w.stats().Accepted; n != 1 {
				w.Errorf("got %d jobs, want 1", n)
			}
		},
	}
}

// same wants the key of j to name the job id, also after a restart.
func (w *world) same(j ledger.NewJob, id ledger.ID) {
	w.Helper()
	for range 2 {
		got, err := w.Enqueue(w.ctx(), []ledger.NewJob{j})
		if err != nil || !got[0].Existing || got[0].ID != id {
			w.Errorf("got %v, %v; want the existing %s", got, err, id)
		}
		w.reopen()
	}
}

// holds wants the key of j to hold for exactly so long.
func (w *world) holds(j ledger.NewJob, age time.Duration) {
	w.Helper()
	id := w.enqueue(j)
	w.pass(age - time.Microsecond)
	w.same(j, id)
	w.pass(time.Microsecond)
	if next := w.enqueue(j); next == id {
		w.Errorf("after %v the key still holds", age)
	} else {
		w.same(j, next)
	}
}
