package ledgertest

import (
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

func claimTests() map[string]func(*world) {
	return map[string]func(*world){
		"jobs of a function start in their order": func(w *world) {
			a, b, c := w.enqueue(job("f")), w.enqueue(job("f")), w.enqueue(job("f"))
			w.claim(ledger.Limits{Max: 2, Others: 9}, a, b)
			w.claim(ledger.Limits{Max: 2, Others: 9}, c)
			w.claim(plenty())
		},
		"a job is handed out once": func(w *world) {
			c := w.run(job("f"))
			w.is(c.Job.ID, ledger.Running, "")
			w.claim(plenty())
			w.due(plenty(), -1)
		},
		"no more jobs of a function run than its limit": func(w *world) {
			a, b, c := w.enqueue(job("f")), w.enqueue(job("f")), w.enqueue(job("g"))
			limits := ledger.Limits{Max: 9, Running: map[string]int{"f": 1}, Others: 9}
			claims := w.claim(limits, a, c)
			w.claim(limits)
			w.due(limits, -1)
			w.finish(claims[0], ledger.Outcome{Result: ledger.OK})
			w.due(limits, 0)
			w.claim(limits, b)
		},
		"a limit of nothing is nothing": func(w *world) {
			w.enqueue(job("f"))
			limits := ledger.Limits{Max: 9, Running: map[string]int{"f": 0}, Others: 9}
			w.claim(limits)
			w.due(limits, -1)
		},
		"a limit for others is for each of them": func(w *world) {
			f, g := w.enqueue(job("f")), w.enqueue(job("g"))
			w.enqueue(job("f"))
			w.claim(ledger.Limits{Max: 9, Others: 1}, f, g)
		},
		"a flood of one function does not starve another": func(w *world) {
			var flood []ledger.ID
			for range 10 {
				flood = append(flood, w.enqueue(job("flood")))
			}
			w.pass(time.Second)
			drop := w.enqueue(job("drop"))
			w.claim(ledger.Limits{Max: 3, Others: 9}, flood[0], drop, flood[1])
		},
		"a paused function does not start, others do": func(w *world) {
			f, g := w.enqueue(job("f")), w.enqueue(job("g"))
			w.pause("f", true)
			w.pause("f", true)
			w.claim(plenty(), g)
			w.due(plenty(), -1)
			w.reopen()
			w.pass(time.Minute)
			if s := w.stats(); len(s.Paused) != 1 || s.Paused[0] != "f" {
				w.Errorf("paused: got %q, want f", s.Paused)
			}
			w.claim(plenty(), g)
			w.pause("f", false)
			w.due(plenty(), 0)
			w.claim(plenty(), f)
		},
		"a function that nobody knows can be paused": func(w *world) {
			w.pause("later", true)
			w.enqueue(job("later"))
			w.claim(plenty())
		},
		"pausing does not end what runs": func(w *world) {
			c := w.run(job("f"))
			w.pause("f", true)
			w.finish(c, ledger.Outcome{Result: ledger.OK})
			w.is(c.Job.ID, ledger.Succeeded, "")
		},
		"a job that comes too late is dead": func(w *world) {
			j := job("f")
			j.MaxAge, j.OnFailure = time.Minute, "sorry"
			id := w.enqueue(j)
			w.pass(time.Minute - time.Microsecond)
			c := w.claim(plenty(), id)[0]
			w.pass(time.Hour)
			w.finish(c, ledger.Outcome{Result: ledger.Error})
			w.claim(plenty())
			w.is(id, ledger.Dead, ledger.Expired)
			if d := w.get(id); d.Attempts != 1 || len(d.History) != 1 {
				w.Errorf("got %d attempts, want the one before", d.Attempts)
			}
			if e := w.events(); len(e) != 1 || e[0].Target != "sorry" {
				w.Errorf("events: got %v, want one to sorry", e)
			}
		},
		"it dies also while its function is paused": func(w *world) {
			j := job("f")
			j.MaxAge = time.Minute
			id := w.enqueue(j)
			w.pause("f", true)
			w.pass(time.Minute)
			w.claim(plenty())
			w.is(id, ledger.Dead, ledger.Expired)
		},
		"it dies also behind one that starts": func(w *world) {
			first, late := job("f"), job("f")
			late.MaxAge = time.Minute
			a, b := w.enqueue(first), w.enqueue(late)
			w.pass(time.Minute)
			w.claim(ledger.Limits{Max: 1, Others: 9}, a)
			w.is(b, ledger.Dead, ledger.Expired)
		},
		"many that come too late do not stop the one in time": func(w *world) {
			late := job("f")
			late.MaxAge = time.Minute
			for range 250 {
				w.enqueue(late)
			}
			w.pass(time.Minute)
			id := w.enqueue(job("f"))
			w.claim(ledger.Limits{Max: 1, Others: 9}, id)
			if n := w.stats().Counts["f"][ledger.Dead].Jobs; n != 250 {
				w.Errorf("got %d dead, want 250", n)
			}
		},
		"the oldest due job has an age": func(w *world) {
			w.enqueue(job("f"))
			w.pass(time.Minute)
			w.enqueue(job("g"))
			if due := w.stats().Due; due != time.Minute {
				w.Errorf("got %v, want 1m", due)
			}
			w.pause("f", true)
			if due := w.stats().Due; due != 0 {
				w.Errorf("of functions that are not paused: got %v, want 0", due)
			}
		},
		"tokens of a job increase": func(w *world) {
			c := w.run(job("f"))
			last := c.Token
			for range 5 {
				w.finish(c, ledger.Outcome{Result: ledger.Error})
				if c = w.claim(plenty(), c.Job.ID)[0]; c.Token <= last {
					w.Errorf("token %d after %d", c.Token, last)
				}
				last = c.Token
			}
		},
	}
}

func (w *world) pause(function string, paused bool) {
	w.Helper()
	if err := w.SetPaused(w.ctx(), function, paused); err != nil {
		w.Fatalf("pause: %v", err)
	}
}

func (w *world) events() []ledger.Event {
	w.Helper()
	events, err := w.Events(w.ctx(), 100)
	if err != nil {
		w.Fatalf("events: %v", err)
	}
	return events
}
