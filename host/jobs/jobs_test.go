package jobs_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/jobs"
	"github.com/cloche-run/cloche/host/ledger"
)

func one(p jobs.Policy) map[string]jobs.Policy { return map[string]jobs.Policy{"f": p} }

func TestTheScheduleOfRetriesIsNetlifys(t *testing.T) {
	inWorld(t, one(netlifys()), func(t *testing.T, w *world) {
		w.does(func(ctx context.Context, a *jobs.Attempt) error {
			switch a.Request.Header.Get("x-cloche-attempt") {
			case "1":
				return untilStopped(ctx) // 15 minutes
			case "2":
				time.Sleep(10 * time.Second)
				return trapped()
			}
			return nil
		})
		id := w.mustSubmit("f")
		time.Sleep(time.Hour)
		w.expect(id, ledger.Succeeded, "", ledger.Timeout, ledger.Error, ledger.OK)
		want := []time.Duration{0, 16 * time.Minute, 18*time.Minute + 10*time.Second}
		calls := w.made()
		if len(calls) != len(want) {
			t.Fatalf("%d attempts, want %d", len(calls), len(want))
		}
		for i, c := range calls {
			if c.began != want[i] || c.attempt != fmt.Sprint(i+1) || c.job != id.String() {
				t.Errorf("attempt %d is %s of %s at %v, want it at %v", i+1, c.attempt, c.job, c.began, want[i])
			}
		}
		w.conserved()
	})
}

func TestAJobThatFailsThriceIsDead(t *testing.T) {
	for name, test := range map[string]struct {
		fault  error
		result ledger.Result
		reason ledger.Reason
	}{
		"a trap":              {trapped(), ledger.Error, ledger.Exhausted},
		"an exit by 1":        {&abi.Error{What: abi.FaultExit, Message: "exit"}, ledger.Error, ledger.Exhausted},
		"no fuel left":        {&abi.Error{What: abi.FaultFuel, Message: "fuel"}, ledger.Error, ledger.Exhausted},
		"a deadline":          {&abi.Error{What: abi.FaultDeadline, Message: "late"}, ledger.Timeout, ledger.TimedOut},
		"no failure, a 500":   {nil, ledger.OK, ""},
		"no response at all":  {&abi.Error{What: abi.FaultBadResponse, Message: "bad"}, ledger.OK, ""},
		"too much of it":      {&abi.Error{What: abi.FaultResponseTooLarge, Message: "bad"}, ledger.OK, ""},
		"a bug of the host's": {fmt.Errorf("oops"), ledger.Interrupted, ledger.Expired},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, one(netlifys()), func(t *testing.T, w *world) {
				w.does(func(_ context.Context, a *jobs.Attempt) error {
					a.Response.Status = 500
					return test.fault
				})
				id := w.mustSubmit("f")
				time.Sleep(7 * time.Hour)
				switch {
				case test.result == ledger.OK:
					w.expect(id, ledger.Succeeded, "", ledger.OK)
				case test.reason == ledger.Expired:
					if job := w.job(id); job.Reason != ledger.Expired || job.Attempts != 0 {
						t.Errorf("got %s after %d attempts, want it expired after none", job.Reason, job.Attempts)
					}
				default:
					w.expect(id, ledger.Dead, test.reason, test.result, test.result, test.result)
					if n := w.counted(fmt.Sprintf("dead %s f", test.reason)); n != 1 {
						t.Errorf("counted %d dead", n)
					}
				}
				w.conserved()
			})
		})
	}
}

func TestRetriesCanBeSet(t *testing.T) {
	for name, test := range map[string]struct {
		retries []time.Duration
		jitter  float64
		scale   float64
		low     time.Duration // of the last attempt
		high    time.Duration
		n       int
	}{
		"none":              {nil, 0, 0, 0, 0, 1},
		"one, at once":      {[]time.Duration{0}, 0, 0, 0, 0, 2},
		"three":             {[]time.Duration{1, 2 * time.Second, time.Hour}, 0, 0, time.Hour, time.Hour + 3*time.Second, 4},
		"longer by jitter":  {[]time.Duration{time.Minute, time.Minute}, 1, 0, 2 * time.Minute, 4 * time.Minute, 3},
		"divided by scale":  {[]time.Duration{time.Minute, 2 * time.Minute}, 0, 60, 3 * time.Second, 3 * time.Second, 3},
		"as many as can be": {make([]time.Duration, 20), 0, 0, 0, 0, 21},
	} {
		t.Run(name, func(t *testing.T) {
			p := netlifys()
			p.Retries, p.Jitter = test.retries, test.jitter
			inWorld(t, one(p), func(t *testing.T, w *world) {
				w.stop()
				w.config.TimeScale = test.scale
				w.start()
				w.does(func(context.Context, *jobs.Attempt) error { return trapped() })
				id := w.mustSubmit("f")
				time.Sleep(5 * time.Hour)
				calls := w.made()
				if last := calls[len(calls)-1]; len(calls) != test.n || last.began < test.low || last.began > test.high {
					t.Errorf("%d attempts, the last at %v; want %d, the last from %v to %v", len(calls), last.began, test.n, test.low, test.high)
				}
				if job := w.job(id); job.Reason != ledger.Exhausted {
					t.Errorf("got %s %s", job.Status, job.Reason)
				}
			})
		})
	}
}

func TestAShutdownUsesUpNoAttempt(t *testing.T) {
	inWorld(t, one(netlifys()), func(t *testing.T, w *world) {
		w.does(func(ctx context.Context, a *jobs.Attempt) error { return untilStopped(ctx) })
		id := w.mustSubmit("f")
		const restarts = 2 * ledger.MaxInterrupts // nobody is to blame
		for range restarts {
			time.Sleep(time.Minute)
			w.restart()
		}
		synctest.Wait()
		if job := w.job(id); job.Status != ledger.Running || job.Attempts != 0 || job.Interrupts != 0 {
			t.Errorf("got %s after %d attempts and %d interrupts", job.Status, job.Attempts, job.Interrupts)
		}
		w.does(func(context.Context, *jobs.Attempt) error { return nil })
		w.restart()
		time.Sleep(time.Second)
		if job := w.job(id); job.Status != ledger.Succeeded || job.Attempts != 1 {
			t.Errorf("got %s after %d attempts", job.Status, job.Attempts)
		}
		for _, c := range w.made() {
			if c.attempt != "1" {
				t.Errorf("attempt %s, want 1 every time", c.attempt)
			}
		}
	})
}

func TestAShutdownLetsAttemptsEnd(t *testing.T) {
	inWorld(t, one(netlifys()), func(t *testing.T, w *world) {
		w.does(func(ctx context.Context, a *jobs.Attempt) error { time.Sleep(9 * time.Second); return ctx.Err() })
		id := w.mustSubmit("f")
		synctest.Wait()
		w.stop()
		w.expect(id, ledger.Succeeded, "", ledger.OK)
	})
}

func TestAHostThatDiesUsesUpNoAttempt(t *testing.T) {
	inWorld(t, one(netlifys()), func(t *testing.T, w *world) {
		w.does(func(ctx context.Context, a *jobs.Attempt) error { return untilStopped(ctx) })
		id := w.mustSubmit("f")
		for n := 1; n < ledger.MaxInterrupts; n++ {
			time.Sleep(2 * time.Minute)
			w.die()
			synctest.Wait()
			if job := w.job(id); job.Status != ledger.Retrying || job.Attempts != 0 || job.Interrupts != n {
				t.Fatalf("death %d: got %s after %d attempts, %d interrupts", n, job.Status, job.Attempts, job.Interrupts)
			}
		}
		time.Sleep(2 * time.Minute)
		w.die()
		if job := w.job(id); job.Status != ledger.Dead || job.Reason != ledger.CrashLoop || job.Attempts != 0 {
			t.Errorf("got %s %s after %d attempts", job.Status, job.Reason, job.Attempts)
		}
		w.conserved()
	})
}

// die ends the host as kill -9 does: nothing it still does reaches the store.
func (w *world) die() {
	_ = w.ledger.Close(context.Background())
	w.stop()
	w.open()
	w.start()
}

func TestAnInvokerThatPanicsEndsInACrashLoop(t *testing.T) {
	inWorld(t, one(netlifys()), func(t *testing.T, w *world) {
		w.does(func(context.Context, *jobs.Attempt) error { panic("oops") })
		id := w.mustSubmit("f")
		time.Sleep(time.Hour)
		if job := w.job(id); job.Reason != ledger.CrashLoop || !strings.Contains(job.Error, "oops") {
			t.Errorf("got %s %s %s", job.Status, job.Reason, job.Error)
		}
		w.conserved()
	})
}

func TestAHostThatIsFullUsesUpNoAttempt(t *testing.T) {
	for _, fault := range []abi.Fault{abi.FaultHostBusy, abi.FaultFunctionNotReady, abi.FaultNotReady, abi.FaultInternal} {
		t.Run(string(fault), func(t *testing.T) {
			inWorld(t, one(netlifys()), func(t *testing.T, w *world) {
				ready := time.Now().Add(10 * time.Minute)
				w.does(func(context.Context, *jobs.Attempt) error {
					if time.Now().Before(ready) {
						return &abi.Error{What: fault, Message: "no memory"}
					}
					return nil
				})
				id := w.mustSubmit("f")
				time.Sleep(11 * time.Minute)
				job := w.job(id)
				if job.Status != ledger.Succeeded || job.Attempts != 1 || job.Interrupts != 0 {
					t.Errorf("got %s after %d attempts, %d interrupts", job.Status, job.Attempts, job.Interrupts)
				}
				if n := len(w.made()); n < 20 || n > 40 {
					t.Errorf("tried %d times in 10 minutes", n)
				}
				w.conserved()
			})
		})
	}
}

func TestJobsAreCancelled(t *testing.T) {
	inWorld(t, one(netlifys()), func(t *testing.T, w *world) {
		w.does(func(ctx context.Context, a *jobs.Attempt) error { return untilStopped(ctx) })
		running, waiting := w.mustSubmit("f"), ledger.ID{}
		synctest.Wait()
		if err := w.queue.SetPaused(t.Context(), "f", true); err != nil {
			t.Fatal(err)
		}
		waiting = w.mustSubmit("f")
		synctest.Wait()
		for id, want := range map[ledger.ID]ledger.Status{running: ledger.Running, waiting: ledger.Canceled} {
			if job, err := w.queue.Cancel(t.Context(), id); err != nil || job.Status != want {
				t.Errorf("got %s %v, want %s", job.Status, err, want)
			}
		}
		synctest.Wait()
		w.expect(running, ledger.Canceled, "", ledger.Stopped)
		w.expect(waiting, ledger.Canceled, "")
		if job, err := w.queue.Cancel(t.Context(), running); err != nil || job.Status != ledger.Canceled {
			t.Errorf("again: got %s %v", job.Status, err)
		}
		if _, err := w.queue.Cancel(t.Context(), ledger.ID{1}); err == nil {
			t.Error("a job that is not there was cancelled")
		}
		w.conserved()
	})
}

func TestAPausedFunctionStartsNothing(t *testing.T) {
	inWorld(t, one(netlifys()), func(t *testing.T, w *world) {
		if err := w.queue.SetPaused(t.Context(), "f", true); err != nil {
			t.Fatal(err)
		}
		id := w.mustSubmit("f")
		time.Sleep(time.Hour)
		w.restart()
		time.Sleep(time.Hour)
		w.expect(id, ledger.Queued, "")
		if err := w.queue.SetPaused(t.Context(), "f", false); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.expect(id, ledger.Succeeded, "", ledger.OK)
	})
}

func TestAReplayIsANewJob(t *testing.T) {
	inWorld(t, one(netlifys()), func(t *testing.T, w *world) {
		w.does(func(ctx context.Context, a *jobs.Attempt) error { return trapped() })
		id := w.mustSubmit("f")
		if _, err := w.queue.Replay(t.Context(), id); err == nil {
			t.Error("a job that has not ended was replayed")
		}
		time.Sleep(time.Hour)
		w.does(func(ctx context.Context, a *jobs.Attempt) error { return nil })
		again, err := w.queue.Replay(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.expect(again, ledger.Succeeded, "", ledger.OK)
		w.expect(id, ledger.Dead, ledger.Exhausted, ledger.Error, ledger.Error, ledger.Error)
		if job := w.job(again); job.ReplayOf != id {
			t.Errorf("it is the replay of %v", job.ReplayOf)
		}
		w.reload(map[string]jobs.Policy{})
		if _, err := w.queue.Replay(t.Context(), id); faultOf(err) != abi.FaultUnknownFunction {
			t.Errorf("without its function: %v", err)
		}
		w.conserved()
	})
}

func TestConcurrencyIsBounded(t *testing.T) {
	for all, want := range map[int]string{4: "map[all:4 three:2 two:2]", 10: "map[all:5 three:3 two:2]"} {
		testConcurrency(t, all, want)
	}
}

func testConcurrency(t *testing.T, all int, want string) {
	two, three := netlifys(), netlifys()
	two.Concurrency, three.Concurrency = 2, 3
	inWorld(t, map[string]jobs.Policy{"two": two, "three": three}, func(t *testing.T, w *world) {
		w.stop()
		w.config.Concurrency = all
		w.start()
		now, most := map[string]int{}, map[string]int{}
		w.does(func(_ context.Context, a *jobs.Attempt) error {
			w.mu.Lock()
			for _, name := range []string{a.Function, "all"} {
				now[name]++
				most[name] = max(most[name], now[name])
			}
			w.mu.Unlock()
			time.Sleep(time.Second)
			w.mu.Lock()
			now[a.Function]--
			now["all"]--
			w.mu.Unlock()
			return nil
		})
		for range 20 {
			w.mustSubmit("two")
			w.mustSubmit("three")
		}
		time.Sleep(11 * time.Second)
		if n := len(w.made()); n != 40 {
			t.Errorf("%d of 40 have run", n)
		}
		if fmt.Sprint(most) != want {
			t.Errorf("at most ran %v, want %s", most, want)
		}
	})
}

func TestAJobOfAFunctionThatIsGoneWaitsAMinute(t *testing.T) {
	inWorld(t, one(netlifys()), func(t *testing.T, w *world) {
		w.does(func(context.Context, *jobs.Attempt) error { return trapped() })
		id := w.mustSubmit("f")
		synctest.Wait()
		w.reload(map[string]jobs.Policy{"other": netlifys()})
		if _, err := w.submit("f"); faultOf(err) != abi.FaultUnknownFunction {
			t.Errorf("a new one: %v", err)
		}
		time.Sleep(jobs.NoFunctionGrace - time.Second)
		w.expect(id, ledger.Retrying, "", ledger.Error)
		time.Sleep(3 * time.Second)
		w.expect(id, ledger.Dead, ledger.NoFunction, ledger.Error, ledger.Interrupted)
		w.conserved()
	})
}

func TestAFunctionThatComesBackInTimeRuns(t *testing.T) {
	inWorld(t, one(netlifys()), func(t *testing.T, w *world) {
		w.reload(map[string]jobs.Policy{"f": netlifys()})
		if err := w.queue.SetPaused(t.Context(), "f", true); err != nil {
			t.Fatal(err)
		}
		id := w.mustSubmit("f")
		w.reload(map[string]jobs.Policy{})
		synctest.Wait()
		_ = w.queue.SetPaused(t.Context(), "f", false)
		time.Sleep(jobs.NoFunctionGrace - 5*time.Second)
		w.expect(id, ledger.Queued, "")
		w.reload(one(netlifys()))
		synctest.Wait()
		w.expect(id, ledger.Succeeded, "", ledger.OK)
	})
}

func TestAJobThatIsTooOldIsDead(t *testing.T) {
	p := netlifys()
	p.MaxAge = 30 * time.Second
	inWorld(t, one(p), func(t *testing.T, w *world) {
		w.does(func(context.Context, *jobs.Attempt) error { return trapped() })
		id := w.mustSubmit("f")
		time.Sleep(2 * time.Minute)
		w.expect(id, ledger.Dead, ledger.Expired, ledger.Error)
		w.conserved()
	})
}

func TestTheEndOfTheLogIsKept(t *testing.T) {
	inWorld(t, one(netlifys()), func(t *testing.T, w *world) {
		w.does(func(_ context.Context, a *jobs.Attempt) error {
			for n := range 10_000 {
				a.Log(fmt.Appendf(nil, "line %d", n))
			}
			return nil
		})
		id := w.mustSubmit("f")
		synctest.Wait()
		a := w.job(id).History[0]
		if !strings.HasSuffix(string(a.Log), "line 9998\nline 9999\n") || len(a.Log) != ledger.LogBytes || a.Fuel != 7 || a.RunTime != time.Second {
			t.Errorf("%d bytes of log, %d fuel, %v", len(a.Log), a.Fuel, a.RunTime)
		}
	})
}
