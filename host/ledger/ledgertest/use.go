package ledgertest

import (
	"sync"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

func useTests() map[string]func(*world) {
	return map[string]func(*world){
		"many at the same time do every job once": hammer,
	}
}

// hammer has producers, workers and an operator at work at the same time. Every
// job fails once and then succeeds.
func hammer(w *world) {
	const producers, jobs, workers = 8, 25, 6
	var wg sync.WaitGroup
	for range producers {
		wg.Go(func() {
			for range jobs {
				if _, err := w.Enqueue(w.ctx(), []ledger.NewJob{job("f")}); err != nil {
					w.Error(err)
				}
			}
		})
	}
	var mu sync.Mutex
	runs, done := make(map[ledger.ID]int), 0
	for range workers {
		wg.Go(func() {
			for finished := false; !finished && !w.Failed(); {
				claims, err := w.Claim(w.ctx(), ledger.Limits{Max: 5, Others: workers * 5})
				if err != nil {
					w.Error(err)
				}
				ended := w.work(claims)
				mu.Lock()
				for _, c := range claims {
					runs[c.Job.ID]++
				}
				done += ended
				finished = done == producers*jobs
				mu.Unlock()
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			w.stats()
			if _, err := w.List(w.ctx(), ledger.Query{Status: ledger.Running}); err != nil {
				w.Error(err)
			}
			w.pass(time.Millisecond)
		}
	})
	wg.Wait()
	for id, n := range runs {
		if n != 2 {
			w.Errorf("job %s ran %d times, want 2", id, n)
		}
	}
	if c := w.stats().Total()[ledger.Succeeded]; c.Jobs != producers*jobs {
		w.Errorf("%d succeeded, want %d", c.Jobs, producers*jobs)
	}
}

// work ends claims and returns how many of the jobs have succeeded.
func (w *world) work(claims []ledger.Claim) (ended int) {
	var outcomes []ledger.Outcome
	for _, c := range claims {
		o := ledger.Outcome{ID: c.Job.ID, Token: c.Token, Result: ledger.Error}
		if c.Job.Attempt() == 2 {
			o.Result = ledger.OK
			ended++
		}
		outcomes = append(outcomes, o)
	}
	applied, err := w.Finish(w.ctx(), outcomes)
	if err != nil {
		w.Error(err)
	}
	for i, ok := range applied {
		if !ok {
			w.Errorf("the claim of %s was lost", claims[i].Job.ID)
		}
	}
	return ended
}
