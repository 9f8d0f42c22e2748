package jobs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/cron"
	"github.com/cloche-run/cloche/host/jobs"
	"github.com/cloche-run/cloche/host/ledger"
)

// scheduled is the policy of a function with a schedule. The clock of a test
// starts at midnight.
func scheduled(t *testing.T, expression string) jobs.Policy {
	t.Helper()
	s, err := cron.Parse(expression)
	if err != nil {
		t.Fatal(err)
	}
	p := netlifys()
	p.Schedule, p.Timeout = s, 30*time.Second
	return p
}

func (w *world) ticks() (ticks []string) {
	for _, c := range w.made() {
		ticks = append(ticks, c.began.String())
	}
	return ticks
}

func TestAScheduleFires(t *testing.T) {
	inWorld(t, one(scheduled(t, "0 */2 * * *")), func(t *testing.T, w *world) {
		time.Sleep(5 * time.Hour)
		if got := fmt.Sprint(w.ticks()); got != "[2h0m0s 4h0m0s]" {
			t.Errorf("ran at %s", got)
		}
		c := w.made()[0]
		if c.body != `{"next_run":"2000-01-01T04:00:00.000Z"}` {
			t.Errorf("body %s", c.body)
		}
		for name, want := range map[string]string{
			"user-agent": "Netlify Clockwork", "x-nf-event": "schedule", "content-type": "application/json", "x-cloche-attempt": "1",
		} {
			if got := c.header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		page, err := w.queue.List(t.Context(), ledger.Query{Function: "f"})
		if err != nil || len(page.Jobs) != 2 || page.Jobs[0].Origin != jobs.OriginSchedule || page.Jobs[0].Status != ledger.Succeeded {
			t.Errorf("history %+v, %v", page.Jobs, err)
		}
	})
}

func TestATickNeverFiresTwice(t *testing.T) {
	inWorld(t, one(scheduled(t, "* * * * *")), func(t *testing.T, w *world) {
		time.Sleep(90 * time.Second)
		for range 8 {
			time.Sleep(30 * time.Second)
			w.die() // now and then exactly at a tick
			w.restart()
		}
		time.Sleep(29 * time.Second)
		page, err := w.queue.List(t.Context(), ledger.Query{})
		if err != nil || len(page.Jobs) != 5 {
			t.Fatalf("%d jobs in 5 minutes, %v", len(page.Jobs), err)
		}
		for i, job := range page.Jobs {
			if want := fmt.Sprintf("2000-01-01T00:0%d:00.000Z", 5-i); job.UniqueKey != want || job.Status != ledger.Succeeded || job.Attempts != 1 {
				t.Errorf("got %s %s after %d attempts, want %s", job.UniqueKey, job.Status, job.Attempts, want)
			}
		}
	})
}

func TestMissedTicksAreMadeUpForOnce(t *testing.T) {
	for name, test := range map[string]struct {
		down time.Duration
		want string
	}{
		"one was missed":         {time.Hour, "[1h0m0s 2h5m0s]"},
		"three were missed":      {3 * time.Hour, "[1h0m0s 4h5m0s]"},
		"none was missed":        {50 * time.Minute, "[1h0m0s]"},
		"the last is not so old": {100 * time.Hour, "[1h0m0s 101h5m0s]"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, one(scheduled(t, "0 * * * *")), func(t *testing.T, w *world) {
				time.Sleep(65 * time.Minute)
				w.stop()
				time.Sleep(test.down)
				w.start()
				time.Sleep(time.Second)
				if got := fmt.Sprint(w.ticks()); got != test.want {
					t.Errorf("ran at %s, want %s", got, test.want)
				}
			})
		})
	}
	t.Run("a tick older than max_age is not", func(t *testing.T) {
		inWorld(t, one(scheduled(t, "0 12 * * *")), func(t *testing.T, w *world) {
			time.Sleep(13 * time.Hour)
			w.stop()
			time.Sleep(24*time.Hour + 6*time.Hour) // 19:00, seven hours late
			w.start()
			time.Sleep(time.Hour)
			if got := fmt.Sprint(w.ticks()); got != "[12h0m0s]" {
				t.Errorf("ran at %s", got)
			}
		})
	})
	t.Run("a schedule that is new has missed nothing", func(t *testing.T) {
		inWorld(t, one(netlifys()), func(t *testing.T, w *world) {
			time.Sleep(65 * time.Minute)
			w.reload(one(scheduled(t, "0 * * * *")))
			time.Sleep(time.Hour)
			if got := fmt.Sprint(w.ticks()); got != "[2h0m0s]" {
				t.Errorf("ran at %s", got)
			}
		})
	})
}

func TestATickIsSkippedWhileTheJobBeforeHasNotEnded(t *testing.T) {
	p := scheduled(t, "* * * * *")
	p.Retries = []time.Duration{90 * time.Second}
	inWorld(t, one(p), func(t *testing.T, w *world) {
		w.does(func(_ context.Context, a *jobs.Attempt) error {
			if a.Request.Header.Get("x-cloche-attempt") == "1" {
				return trapped()
			}
			return nil
		})
		time.Sleep(4*time.Minute + time.Second)
		if got, skipped := fmt.Sprint(w.ticks()), w.counted("skipped f"); got != "[1m0s 2m30s 3m0s]" || skipped != 2 {
			t.Errorf("ran at %s, skipped %d", got, skipped)
		}
	})
}

func TestAReloadChangesTheSchedule(t *testing.T) {
	inWorld(t, one(scheduled(t, "0 0 1 1 *")), func(t *testing.T, w *world) {
		time.Sleep(time.Hour)
		w.reload(one(scheduled(t, "*/10 * * * *")))
		time.Sleep(15 * time.Minute)
		w.reload(one(netlifys()))
		time.Sleep(time.Hour)
		if got := fmt.Sprint(w.ticks()); got != "[1h10m0s]" {
			t.Errorf("ran at %s", got)
		}
	})
}

func TestAnEndIsTold(t *testing.T) {
	p := netlifys()
	p.OnSuccess, p.OnFailure = "done", "alarm"
	site := map[string]jobs.Policy{"f": p, "done": netlifys(), "alarm": netlifys()}
	inWorld(t, site, func(t *testing.T, w *world) {
		var fails atomic.Bool
		w.does(func(_ context.Context, a *jobs.Attempt) error {
			if a.Function == "f" && fails.Load() {
				return trapped()
			}
			a.Response.Status = 201
			a.Response.Header = abi.Header{{Name: "Content-Type", Value: "text/plain"}}
			_, err := a.Response.Body.Write([]byte("result"))
			return err
		})
		good := w.mustSubmit("f")
		time.Sleep(time.Second)
		fails.Store(true)
		bad := w.mustSubmit("f")
		time.Sleep(time.Hour)
		told := map[string]jobs.Outcome{}
		for _, c := range w.made() {
			if c.function != "f" {
				var o jobs.Outcome
				if err := json.Unmarshal([]byte(c.body), &o); err != nil {
					t.Fatal(err)
				}
				told[c.function] = o
				if c.header.Get("x-cloche-depth") != "1" || c.header.Get("content-type") != "application/json" {
					t.Errorf("%s: header %v", c.function, c.header)
				}
			}
		}
		if o := told["done"]; len(told) != 2 || o.Job != good.String() || o.Function != "f" || o.Status != "succeeded" || o.Attempts != 1 ||
			string(o.Response) != `{"statusCode":201,"multiValueHeaders":{"content-type":["text/plain"]},"body":"result","isBase64Encoded":false,"bodyBytes":6}` {
			t.Errorf("done: got %+v %s", o, o.Response)
		}
		if o := told["alarm"]; o.Job != bad.String() || o.Status != "dead" || o.Reason != "exhausted" || o.Attempts != 3 || o.Error != "unreachable\nstack" ||
			string(o.Response) != "null" {
			t.Errorf("alarm: got %+v %s", o, o.Response)
		}
		w.conserved()
	})
}

func TestAnEndIsToldAfterACrash(t *testing.T) {
	p := netlifys()
	p.OnSuccess = "done"
	inWorld(t, map[string]jobs.Policy{"f": p}, func(t *testing.T, w *world) {
		w.mustSubmit("f")
		time.Sleep(time.Minute) // nobody is there to be told
		w.die()
		w.reload(map[string]jobs.Policy{"f": p, "done": netlifys()})
		time.Sleep(time.Minute)
		if n := w.counted("ok done"); n != 1 {
			t.Errorf("told %d times", n)
		}
		stats, _, err := w.queue.Stats(t.Context())
		if err != nil || stats.Events != 0 {
			t.Errorf("%d ends are left to tell, %v", stats.Events, err)
		}
	})
}

func TestAChainHasAnEnd(t *testing.T) {
	p := netlifys()
	p.OnSuccess, p.OnFailure = "f", "f"
	inWorld(t, one(p), func(t *testing.T, w *world) {
		w.mustSubmit("f")
		time.Sleep(24 * time.Hour)
		if n, dead := len(w.made()), w.counted("dead chain_depth f"); n != 17 || dead != 1 {
			t.Errorf("%d have run, %d are dead; want depth 0 to 16 and one", n, dead)
		}
		page, err := w.queue.List(t.Context(), ledger.Query{})
		if err != nil || len(page.Jobs) != 18 || page.Jobs[0].Reason != ledger.ChainDepth {
			t.Errorf("%d jobs, %v", len(page.Jobs), err)
		}
		w.conserved()
		for depth, want := range map[int]abi.Fault{abi.ChainDepth: "", abi.ChainDepth + 1: abi.FaultChainTooDeep} {
			_, err := w.queue.Enqueue(t.Context(), jobs.Submission{Function: "f", Request: request(""), Depth: depth})
			if faultOf(err) != want {
				t.Errorf("a call at depth %d: %v", depth, err)
			}
		}
		synctest.Wait()
	})
}

func TestAnAnswerTooLargeToTellIsCounted(t *testing.T) {
	p := netlifys()
	p.OnSuccess = "done"
	for size, kept := range map[int]bool{jobs.AnswerBytes: true, jobs.AnswerBytes + 1: false} {
		inWorld(t, map[string]jobs.Policy{"f": p, "done": netlifys()}, func(t *testing.T, w *world) {
			w.does(func(_ context.Context, a *jobs.Attempt) error {
				a.Response.Status = 200
				_, err := a.Response.Body.Write(make([]byte, size))
				return err
			})
			receipt, err := w.queue.Enqueue(t.Context(), jobs.Submission{Function: "f", Request: request(string(make([]byte, abi.BackgroundBodyBytes)))})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			w.expect(receipt.ID, ledger.Succeeded, "", ledger.OK)
			calls := w.made()
			var o struct {
				Response struct {
					Body      string `json:"body"`
					BodyBytes int    `json:"bodyBytes"`
				} `json:"response"`
			}
			if err := json.Unmarshal([]byte(calls[len(calls)-1].body), &o); err != nil || len(calls) != 2 {
				t.Fatal(len(calls), err)
			}
			if o.Response.BodyBytes != size || (o.Response.Body != "") != kept {
				t.Errorf("%d bytes: got %d, body of %d", size, o.Response.BodyBytes, len(o.Response.Body))
			}
		})
	}
}
