package ledgertest

import (
	"errors"
	"reflect"
	"strings"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

func finishTests() map[string]func(*world) {
	return map[string]func(*world){
		"an attempt that ends ok ends the job": func(w *world) {
			c := w.run(job("f"))
			w.pass(time.Second)
			w.finish(c, ledger.Outcome{Result: ledger.OK, Dead: ledger.Exhausted, RetryAfter: time.Hour})
			w.is(c.Job.ID, ledger.Succeeded, "")
			if d := w.get(c.Job.ID); !d.FinishedAt.Equal(noon().Add(time.Second)) || d.Attempts != 1 {
				w.Errorf("got %+v", d.Job)
			}
		},
		"one that fails is tried again after a while":                 triedAgain,
		"errors and timeouts count, interruptions do not":             whatCounts,
		"the last failure is its death, for the reason that is given": deaths,
		"a stale token ends nothing":                                  staleToken,
		"the second end of a claim is not applied": func(w *world) {
			c := w.run(job("f"))
			o := ledger.Outcome{ID: c.Job.ID, Token: c.Token, Result: ledger.OK}
			applied, err := w.Finish(w.ctx(), []ledger.Outcome{o, o})
			if err != nil || !applied[0] || applied[1] {
				w.Errorf("got %v, %v; want true, false", applied, err)
			}
			if d := w.get(c.Job.ID); len(d.History) != 1 {
				w.Errorf("got %d attempts, want 1", len(d.History))
			}
		},
		"a job that is unknown, waits or has ended cannot be finished": func(w *world) {
			waits := w.enqueue(job("f"))
			for _, id := range []ledger.ID{{1}, waits} {
				applied, err := w.Finish(w.ctx(), []ledger.Outcome{{ID: id, Result: ledger.OK}})
				if err != nil || applied[0] {
					w.Errorf("%s: got %v, %v", id, applied, err)
				}
			}
			w.is(waits, ledger.Queued, "")
		},
		"an interruption that is nobody's fault ends no job": func(w *world) {
			c := w.run(job("f"))
			for range 3 * ledger.MaxInterrupts {
				w.finish(c, ledger.Outcome{Result: ledger.Interrupted})
				c = w.claim(plenty(), c.Job.ID)[0]
			}
			if c.Job.Attempt() != 1 || c.Job.Interrupts != 0 {
				w.Errorf("got attempt %d, %d interrupts; want 1, 0", c.Job.Attempt(), c.Job.Interrupts)
			}
		},
		"the fifth that the job is to blame for is its death": func(w *world) {
			j := job("f")
			j.OnFailure = "sorry"
			c := w.run(j)
			for range ledger.MaxInterrupts - 1 {
				w.finish(c, ledger.Outcome{Result: ledger.Interrupted, Blame: true})
				c = w.claim(plenty(), c.Job.ID)[0]
			}
			w.finish(c, ledger.Outcome{Result: ledger.Interrupted, Blame: true})
			w.is(c.Job.ID, ledger.Dead, ledger.CrashLoop)
			if e := w.events(); len(e) != 1 || e[0].Target != "sorry" {
				w.Errorf("events: got %v, want one to sorry", e)
			}
		},
		"what is longer than kept is cut": func(w *world) {
			c := w.run(job("f"))
			w.finish(c, ledger.Outcome{
				Result: ledger.Error, Error: strings.Repeat("e", ledger.ErrorBytes) + "x",
				Log: []byte("x" + strings.Repeat("l", ledger.LogBytes)),
			})
			a := w.get(c.Job.ID).History[0]
			if a.Error != strings.Repeat("e", ledger.ErrorBytes) || string(a.Log) != strings.Repeat("l", ledger.LogBytes) {
				w.Errorf("got %d bytes of error, %d of log", len(a.Error), len(a.Log))
			}
		},
		"of many attempts the latest are kept": func(w *world) {
			c := w.run(job("f"))
			for range ledger.MaxAttempts + 5 {
				w.finish(c, ledger.Outcome{Result: ledger.Error})
				c = w.claim(plenty(), c.Job.ID)[0]
			}
			d := w.get(c.Job.ID)
			if len(d.History) != ledger.MaxAttempts || d.History[0].N != 6 || d.Attempts != ledger.MaxAttempts+5 {
				w.Errorf("got %d from number %d on, of %d", len(d.History), d.History[0].N, d.Attempts)
			}
		},
	}
}

func triedAgain(w *world) {
	c := w.run(job("f"))
	w.pass(time.Second)
	w.finish(c, ledger.Outcome{
		Result: ledger.Error, Error: "oops", Log: []byte("log"), RunTime: time.Millisecond, Fuel: 1 << 63, RetryAfter: time.Minute,
	})
	w.is(c.Job.ID, ledger.Retrying, "")
	w.due(plenty(), time.Minute)
	w.reopen()
	w.claim(plenty())
	w.pass(time.Minute)
	again := w.claim(plenty(), c.Job.ID)[0]
	if again.Job.Attempt() != 2 || again.Job.Error != "oops" {
		w.Errorf("got attempt %d after %q, want 2 after oops", again.Job.Attempt(), again.Job.Error)
	}
	w.finish(again, ledger.Outcome{Result: ledger.OK})
	d := w.get(c.Job.ID)
	want := []ledger.Attempt{
		{
			N: 1, StartedAt: noon(), EndedAt: noon().Add(time.Second), Result: ledger.Error, Error: "oops",
			Log: []byte("log"), RunTime: time.Millisecond, Fuel: 1 << 63,
		},
		{N: 2, StartedAt: noon().Add(61 * time.Second), EndedAt: noon().Add(61 * time.Second), Result: ledger.OK},
	}
	for i := range d.History {
		if len(d.History[i].Log) == 0 {
			d.History[i].Log = nil
		}
	}
	if !reflect.DeepEqual(d.History, want) {
		w.Errorf("got %+v, want %+v", d.History, want)
	}
	if d.Error != "" {
		w.Errorf("error %q of a job that ended ok", d.Error)
	}
}

func whatCounts(w *world) {
	c := w.run(job("f"))
	for i, result := range []ledger.Result{ledger.Error, ledger.Interrupted, ledger.Timeout, ledger.Interrupted, ledger.Error} {
		before := c.Job.Attempt()
		w.finish(c, ledger.Outcome{Result: result, Error: string(result)})
		if d := w.get(c.Job.ID); d.Error != string(result) || d.History[i].N != before || d.History[i].Result != result {
			w.Errorf("after %s: got error %q, %+v; want number %d", result, d.Error, d.History[i], before)
		}
		c = w.claim(plenty(), c.Job.ID)[0]
		want := before
		if result.Counts() {
			want++
		}
		if c.Job.Attempt() != want {
			w.Errorf("after %s: got attempt %d, want %d", result, c.Job.Attempt(), want)
		}
	}
}

func deaths(w *world) {
	for reason, result := range map[ledger.Reason]ledger.Result{
		ledger.Exhausted: ledger.Error, ledger.TimedOut: ledger.Timeout,
		ledger.NoFunction: ledger.Interrupted, ledger.ChainDepth: ledger.Interrupted,
	} {
		c := w.run(job("f"))
		w.finish(c, ledger.Outcome{Result: result, Dead: reason, Error: "why"})
		w.is(c.Job.ID, ledger.Dead, reason)
		if d := w.get(c.Job.ID); d.Error != "why" {
			w.Errorf("%s: got error %q, want why", reason, d.Error)
		}
		w.reopen()
		w.is(c.Job.ID, ledger.Dead, reason)
	}
	w.claim(plenty())
}

func staleToken(w *world) {
	stale := w.run(job("f"))
	w.reopen() // the job is interrupted
	if w.tryFinish(stale, ledger.Outcome{Result: ledger.OK}) {
		w.Error("a claim from before a restart was applied to a job that waits")
	}
	w.pass(ledger.Backoff(1))
	current := w.claim(plenty(), stale.Job.ID)[0]
	if w.tryFinish(stale, ledger.Outcome{Result: ledger.Error, Dead: ledger.Exhausted}) {
		w.Error("a stale claim was applied to a job that runs")
	}
	w.is(stale.Job.ID, ledger.Running, "")
	w.finish(current, ledger.Outcome{Result: ledger.OK})
	if w.tryFinish(stale, ledger.Outcome{Result: ledger.Error}) {
		w.Error("a stale claim was applied to a job that has ended")
	}
	w.is(stale.Job.ID, ledger.Succeeded, "")
}

func cancelTests() map[string]func(*world) {
	return map[string]func(*world){
		"a job that waits is canceled at once": func(w *world) {
			later := job("f")
			later.RunAt = noon().Add(time.Hour)
			c := w.run(job("f"))
			w.finish(c, ledger.Outcome{Result: ledger.Error, RetryAfter: time.Hour})
			for _, id := range []ledger.ID{w.enqueue(job("f")), w.enqueue(later), c.Job.ID} {
				w.cancels(id, ledger.Canceled)
				w.is(id, ledger.Canceled, "")
			}
			w.pass(2 * time.Hour)
			w.claim(plenty())
		},
		"one that runs is asked to end": func(w *world) {
			c := w.run(job("f"))
			w.cancels(c.Job.ID, ledger.Running)
			w.is(c.Job.ID, ledger.Running, "")
			if !w.get(c.Job.ID).CancelRequested {
				w.Error("nothing was requested")
			}
			w.finish(c, ledger.Outcome{Result: ledger.Stopped, Error: "canceled"})
			w.is(c.Job.ID, ledger.Canceled, "")
			if d := w.get(c.Job.ID); d.Attempts != 0 || d.History[0].Result != ledger.Stopped {
				w.Errorf("got %d attempts, %+v", d.Attempts, d.History)
			}
		},
		"one that ends ok first has succeeded": func(w *world) {
			c := w.run(job("f"))
			w.cancels(c.Job.ID, ledger.Running)
			w.finish(c, ledger.Outcome{Result: ledger.OK})
			w.is(c.Job.ID, ledger.Succeeded, "")
		},
		"one that fails is not tried again": func(w *world) {
			for _, result := range []ledger.Result{ledger.Error, ledger.Timeout, ledger.Interrupted} {
				c := w.run(job("f"))
				w.cancels(c.Job.ID, ledger.Running)
				w.finish(c, ledger.Outcome{Result: result})
				w.is(c.Job.ID, ledger.Canceled, "")
			}
		},
		"a request outlives the process": func(w *world) {
			c := w.run(job("f"))
			w.cancels(c.Job.ID, ledger.Running)
			w.reopen()
			w.is(c.Job.ID, ledger.Canceled, "")
			w.pass(time.Hour)
			w.claim(plenty())
		},
		"one that has ended stays as it is": func(w *world) {
			c := w.run(job("f"))
			w.finish(c, ledger.Outcome{Result: ledger.Error, Dead: ledger.Exhausted, Error: "why"})
			before := w.get(c.Job.ID)
			w.pass(time.Hour)
			w.cancels(c.Job.ID, ledger.Dead)
			if after := w.get(c.Job.ID); !reflect.DeepEqual(after, before) {
				w.Errorf("got %+v, want %+v", after, before)
			}
		},
		"an unknown one is not found": func(w *world) {
			if _, err := w.Cancel(w.ctx(), ledger.ID{1}); !errors.Is(err, ledger.ErrNotFound) {
				w.Errorf("got %v, want ErrNotFound", err)
			}
		},
		"no event is for a job that is canceled": func(w *world) {
			j := job("f")
			j.OnSuccess, j.OnFailure = "a", "b"
			w.cancels(w.enqueue(j), ledger.Canceled)
			if e := w.events(); len(e) != 0 {
				w.Errorf("got %v", e)
			}
		},
	}
}

// cancels cancels a job and wants it to be in a status then.
func (w *world) cancels(id ledger.ID, want ledger.Status) {
	w.Helper()
	j, err := w.Cancel(w.ctx(), id)
	if err != nil || j.Status != want || j.ID != id {
		w.Errorf("cancel: got %s, %v; want %s", j.Status, err, want)
	}
	if got := w.get(id).Job; !reflect.DeepEqual(got, j) {
		w.Errorf("cancel returned %+v, the job is %+v", j, got)
	}
}
