package ledgertest

import (
	"context"
	"errors"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

func restartTests() map[string]func(*world) {
	return map[string]func(*world){
		"a job that ran is interrupted and no attempt is used up": func(w *world) {
			c := w.run(job("f"))
			w.pass(time.Second)
			w.reopen()
			d := w.get(c.Job.ID)
			if d.Status != ledger.Retrying || d.Attempts != 0 || d.Interrupts != 1 {
				w.Fatalf("got %s, %d attempts, %d interrupts; want retrying, 0, 1", d.Status, d.Attempts, d.Interrupts)
			}
			a := d.History[0]
			if a.Result != ledger.Interrupted || a.N != 1 || a.Error == "" || !a.StartedAt.Equal(noon()) || !a.EndedAt.Equal(noon().Add(time.Second)) {
				w.Errorf("attempt: got %+v", a)
			}
			w.due(plenty(), ledger.Backoff(1))
			w.pass(ledger.Backoff(1))
			if again := w.claim(plenty(), c.Job.ID)[0]; again.Job.Attempt() != 1 {
				w.Errorf("got attempt %d, want 1 again", again.Job.Attempt())
			}
		},
		"one that kills every process is dead after five": func(w *world) {
			id := w.enqueue(job("f"))
			for range ledger.MaxInterrupts {
				w.claim(plenty(), id)
				w.reopen()
				w.pass(5 * time.Minute)
			}
			w.is(id, ledger.Dead, ledger.CrashLoop)
			w.claim(plenty())
		},
		"a failure between is counted apart": func(w *world) {
			c := w.run(job("f"))
			w.finish(c, ledger.Outcome{Result: ledger.Error})
			w.claim(plenty(), c.Job.ID)
			w.reopen()
			w.pass(time.Second)
			if c = w.claim(plenty(), c.Job.ID)[0]; c.Job.Attempt() != 2 || c.Job.Interrupts != 1 {
				w.Errorf("got attempt %d, %d interrupts; want 2, 1", c.Job.Attempt(), c.Job.Interrupts)
			}
		},
		"time goes on where it was though the clock was set back": func(w *world) {
			c := w.run(job("f"))
			w.pass(time.Hour)
			w.finish(c, ledger.Outcome{Result: ledger.Error, RetryAfter: time.Minute})
			w.close()
			w.pass(-time.Hour)
			w.open()
			w.pass(61 * time.Second)
			w.claim(plenty(), c.Job.ID)
		},
		"it does so while the ledger is open": func(w *world) {
			c := w.run(job("f"))
			w.finish(c, ledger.Outcome{Result: ledger.Error, RetryAfter: time.Minute})
			w.pass(-time.Hour)
			w.due(plenty(), time.Minute)
			w.pass(time.Minute)
			w.claim(plenty(), c.Job.ID)
		},
		"after Close nothing is possible": func(w *world) {
			id := w.enqueue(job("f"))
			w.close()
			defer w.open()
			ctx := context.Background()
			for name, err := range map[string]error{
				"Enqueue": second(w.Enqueue(ctx, []ledger.NewJob{job("f")})),
				"Claim":   second(w.Claim(ctx, plenty())),
				"Get":     second(w.Get(ctx, id)),
				"List":    second(w.List(ctx, ledger.Query{})),
				"Stats":   second(w.Stats(ctx)),
				"Healthy": w.Healthy(),
				"Close":   w.Close(ctx),
			} {
				if !errors.Is(err, ledger.ErrClosed) {
					w.Errorf("%s: got %v, want ErrClosed", name, err)
				}
			}
		},
	}
}
