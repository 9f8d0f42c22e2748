package ledgertest

import (
	"errors"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

// everything keeps no job that has ended.
func everything() ledger.Retention {
	return ledger.Retention{Keep: map[ledger.Status]ledger.Keep{ledger.Succeeded: {}, ledger.Dead: {}, ledger.Canceled: {}}}
}

func pruneTests() map[string]func(*world) {
	return map[string]func(*world){
		"what has not ended is never pruned": func(w *world) {
			all := w.oneOfEach("f")
			w.pass(1000 * time.Hour)
			w.prunes(everything(), 100, 3, 0)
			for _, status := range []ledger.Status{ledger.Scheduled, ledger.Retrying, ledger.Running} {
				w.is(all[status][0], status, "")
			}
			for _, status := range []ledger.Status{ledger.Succeeded, ledger.Dead, ledger.Canceled} {
				if _, err := w.Get(w.ctx(), all[status][0]); !errors.Is(err, ledger.ErrNotFound) {
					w.Errorf("%s: got %v, want ErrNotFound", status, err)
				}
				if _, err := w.Request(w.ctx(), all[status][0]); !errors.Is(err, ledger.ErrNotFound) {
					w.Errorf("request of %s: got %v, want ErrNotFound", status, err)
				}
			}
		},
		"a status that is not named is kept": func(w *world) {
			w.oneOfEach("f")
			w.prunes(ledger.Retention{Keep: map[ledger.Status]ledger.Keep{ledger.Succeeded: {}}}, 100, 1, 0)
			w.prunes(ledger.Retention{}, 100, 0, 0)
		},
		"another function's are kept": func(w *world) {
			w.oneOfEach("f")
			w.oneOfEach("g")
			r := everything()
			r.Function = "g"
			w.prunes(r, 100, 3, 0)
			w.prunes(r, 100, 0, 0)
			if s := w.stats(); s.Counts["f"][ledger.Succeeded].Jobs != 1 || s.Counts["g"][ledger.Succeeded].Jobs != 0 {
				w.Errorf("got %v", s.Counts)
			}
		},
		"jobs are kept for a while": func(w *world) {
			a := w.ends("f")
			w.pass(time.Minute)
			b := w.ends("f")
			keep := keepSucceeded(ledger.Keep{Age: time.Hour})
			w.pass(time.Hour - time.Minute - time.Microsecond)
			w.prunes(keep, 100, 0, 0)
			w.pass(time.Microsecond)
			w.prunes(keep, 100, 1, 0)
			w.lists(ledger.Query{}, b)
			_ = a
		},
		"of young ones the latest are kept": func(w *world) {
			w.ends("f")
			w.pass(time.Second)
			w.ends("g")
			w.pass(time.Second)
			b, c := w.ends("f"), w.ends("f")
			w.prunes(keepSucceeded(ledger.Keep{Age: time.Hour, Jobs: 2}), 100, 2, 0)
			w.lists(ledger.Query{}, c, b)
			w.prunes(keepSucceeded(ledger.Keep{Age: time.Hour, Jobs: 2}), 100, 0, 0)
		},
		"a budget ends it, the oldest first": func(w *world) {
			var last ledger.ID
			for range 5 {
				last = w.ends("f")
				w.pass(time.Second)
			}
			got, err := w.Prune(w.ctx(), everything(), 4)
			if err != nil || got.Jobs != 4 || !got.More {
				w.Errorf("got %+v, %v; want 4 and more", got, err)
			}
			w.lists(ledger.Query{}, last)
			if got, err = w.Prune(w.ctx(), everything(), 4); err != nil || got.Jobs != 1 || got.More {
				w.Errorf("got %+v, %v; want 1 and no more", got, err)
			}
		},
		"keys are forgotten when they have expired": func(w *world) {
			for _, key := range []string{"a", "b", "c"} {
				j := job("f")
				j.IdempotencyKey, j.KeyAge = key, time.Minute
				w.enqueue(j)
			}
			w.prunes(ledger.Retention{}, 100, 0, 0)
			w.pass(time.Minute)
			w.prunes(ledger.Retention{Function: "g"}, 100, 0, 0)
			w.prunes(ledger.Retention{}, 2, 0, 2)
			w.prunes(ledger.Retention{}, 100, 0, 1)
		},
		"what is pruned is counted": func(w *world) {
			w.ends("f")
			w.prunes(everything(), 100, 1, 0)
			w.enqueue(job("f"))
			w.reopen()
			if s := w.stats(); s.Accepted != 2 || s.Pruned != 1 {
				w.Errorf("got %d accepted, %d pruned; want 2, 1", s.Accepted, s.Pruned)
			}
		},
	}
}

func keepSucceeded(k ledger.Keep) ledger.Retention {
	return ledger.Retention{Keep: map[ledger.Status]ledger.Keep{ledger.Succeeded: k}}
}

// ends makes a job that succeeded.
func (w *world) ends(f string) ledger.ID {
	w.Helper()
	c := w.run(job(f))
	w.finish(c, ledger.Outcome{Result: ledger.OK})
	return c.Job.ID
}

func (w *world) prunes(r ledger.Retention, budget, jobs, keys int) {
	w.Helper()
	got, err := w.Prune(w.ctx(), r, budget)
	if err != nil || got.Jobs != jobs || got.Keys != keys {
		w.Errorf("prune: got %+v, %v; want %d jobs, %d keys", got, err, jobs, keys)
	}
}

func eventTests() map[string]func(*world) {
	return map[string]func(*world){
		"success has an event with the response": func(w *world) {
			j := job("f")
			j.OnSuccess, j.OnFailure = "next", "sorry"
			c := w.run(j)
			w.finish(c, ledger.Outcome{Result: ledger.Error})
			if e := w.events(); len(e) != 0 {
				w.Errorf("after a failure that is tried again: got %v", e)
			}
			c = w.claim(plenty(), c.Job.ID)[0]
			w.finish(c, ledger.Outcome{Result: ledger.OK, Response: []byte("\xffhello")})
			w.reopen()
			e := w.events()
			if len(e) != 1 || e[0].Job != c.Job.ID || e[0].Status != ledger.Succeeded || e[0].Target != "next" ||
				string(e[0].Response) != "\xffhello" || !e[0].At.Equal(noon()) || e[0].Tries != 0 {
				w.Errorf("got %+v", e)
			}
		},
		"death has an event": func(w *world) {
			j := job("f")
			j.OnSuccess, j.OnFailure = "next", "sorry"
			c := w.run(j)
			w.finish(c, ledger.Outcome{Result: ledger.Timeout, Dead: ledger.TimedOut, Response: []byte("none")})
			e := w.events()
			if len(e) != 1 || e[0].Status != ledger.Dead || e[0].Target != "sorry" || e[0].Response != nil {
				w.Errorf("got %+v", e)
			}
		},
		"a job without destinations has none": func(w *world) {
			w.ends("f")
			if e := w.events(); len(e) != 0 || w.stats().Events != 0 {
				w.Errorf("got %v", e)
			}
		},
		"an event is there until it is settled": func(w *world) {
			j := job("f")
			j.OnSuccess = "next"
			for range 3 {
				w.finish(w.run(j), ledger.Outcome{Result: ledger.OK})
			}
			if e, err := w.Events(w.ctx(), 2); err != nil || len(e) != 2 {
				w.Errorf("at most two: got %v, %v", e, err)
			}
			e := w.events()
			w.settles(ledger.Settled{Seq: e[0].Seq}, ledger.Settled{Seq: e[1].Seq, Again: true, After: time.Minute})
			w.reopen()
			if left := w.events(); len(left) != 1 || left[0].Seq != e[2].Seq {
				w.Errorf("got %v, want the third", left)
			}
			if n := w.stats().Events; n != 2 {
				w.Errorf("got %d events, want 2", n)
			}
			w.settles(ledger.Settled{Seq: e[0].Seq}, ledger.Settled{Seq: e[2].Seq}, ledger.Settled{Seq: 1 << 40, Again: true})
			w.pass(time.Minute)
			if left := w.events(); len(left) != 1 || left[0].Seq != e[1].Seq || left[0].Tries != 1 {
				w.Errorf("got %v, want the second at its second try", left)
			}
		},
		"an event outlives its job, and its number is not used again": func(w *world) {
			j := job("f")
			j.OnSuccess = "next"
			w.finish(w.run(j), ledger.Outcome{Result: ledger.OK})
			w.prunes(everything(), 100, 1, 0)
			first := w.events()
			if len(first) != 1 {
				w.Fatalf("got %v", first)
			}
			w.settles(ledger.Settled{Seq: first[0].Seq})
			w.finish(w.run(j), ledger.Outcome{Result: ledger.OK})
			w.settles(ledger.Settled{Seq: first[0].Seq})
			if second := w.events(); len(second) != 1 || second[0].Seq <= first[0].Seq {
				w.Errorf("got %v after %v", second, first)
			}
		},
	}
}

func (w *world) settles(settled ...ledger.Settled) {
	w.Helper()
	if err := w.Settle(w.ctx(), settled); err != nil {
		w.Fatalf("settle: %v", err)
	}
}
