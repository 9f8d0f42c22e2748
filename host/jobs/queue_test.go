package jobs_test

import (
	"bytes"
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

func TestTheSameKeyIsTheSameJob(t *testing.T) {
	inWorld(t, map[string]jobs.Policy{"f": netlifys(), "g": netlifys()}, func(t *testing.T, w *world) {
		submit := func(function, key string) jobs.Receipt {
			t.Helper()
			receipt, err := w.queue.Enqueue(t.Context(), jobs.Submission{Function: function, Request: request("x"), IdempotencyKey: key})
			if err != nil {
				t.Fatal(err)
			}
			return receipt
		}
		first := submit("f", "key")
		if again := submit("f", "key"); again.ID != first.ID || !again.Existing {
			t.Errorf("again: got %v", again)
		}
		w.die()
		if again := submit("f", "key"); again.ID != first.ID || !again.Existing {
			t.Errorf("after a crash: got %v", again)
		}
		if other := submit("g", "key"); other.ID == first.ID || other.Existing {
			t.Errorf("of another function: got %v", other)
		}
		time.Sleep(24*time.Hour + time.Second)
		if later := submit("f", "key"); later.ID == first.ID || later.Existing {
			t.Errorf("a day later: got %v", later)
		}
		longest := strings.Repeat("k", jobs.KeyBytes)
		submit("f", longest)
		_, err := w.queue.Enqueue(t.Context(), jobs.Submission{Function: "f", Request: request(""), IdempotencyKey: longest + "k"})
		if faultOf(err) != abi.FaultBadRequest {
			t.Errorf("a key that is too long: %v", err)
		}
		w.conserved()
	})
}

func TestAJobHasTheWholeRequest(t *testing.T) {
	inWorld(t, one(netlifys()), func(t *testing.T, w *world) {
		var got *abi.Request
		w.does(func(_ context.Context, a *jobs.Attempt) error { got = a.Request; return nil })
		body := bytes.Repeat([]byte{0xff, 0, 'x', '\n'}, abi.BackgroundBodyBytes/4)
		req := request(string(body))
		req.RawQuery, req.HasQuery, req.Method = "a=1&b=%zz", true, "PURGE"
		req.Header.Add("x-odd", "caf\xe9")
		receipt, err := w.queue.Enqueue(t.Context(), jobs.Submission{Function: "f", Request: req})
		if err != nil {
			t.Fatal(err)
		}
		clear(req.Body) // the connection's next request
		synctest.Wait()
		if got.Target() != "/.netlify/functions/x?a=1&b=%zz" || got.Method != "PURGE" || !bytes.Equal(got.Body, body) || got.ID != "01ID" ||
			got.Header.Get("x-odd") != "caf\xe9" || got.Header.Get("x-cloche-job") != receipt.ID.String() || got.Header.Get("x-cloche-depth") != "0" {
			t.Errorf("got %s %s, header %v, %d bytes", got.Method, got.Target(), got.Header, len(got.Body))
		}
		_, err = w.queue.Enqueue(t.Context(), jobs.Submission{Function: "f", Request: request(string(body) + "x")})
		if faultOf(err) != abi.FaultBodyTooLarge {
			t.Errorf("a byte more: %v", err)
		}
		req.Header.Add("x-long", strings.Repeat("x", ledger.HeadBytes))
		_, err = w.queue.Enqueue(t.Context(), jobs.Submission{Function: "f", Request: req})
		if faultOf(err) != abi.FaultHeadersTooLarge {
			t.Errorf("a long header: %v", err)
		}
		w.conserved()
	})
}

func TestAFloodIsRefused(t *testing.T) {
	small, large := netlifys(), netlifys()
	small.Concurrency, small.Backlog = 1, 2
	inWorld(t, map[string]jobs.Policy{"small": small, "large": large}, func(t *testing.T, w *world) {
		release := make(chan struct{})
		w.does(func(context.Context, *jobs.Attempt) error { <-release; return nil })
		for range 3 {
			w.mustSubmit("small")
		}
		_, err := w.submit("small")
		if faultOf(err) != abi.FaultFunctionBusy {
			t.Errorf("the function's own limit: %v", err)
		}
		if other, err := w.submit("large"); err != nil { // 1 MiB is what this world has
			t.Errorf("another function: %v %v", other, err)
		}
		n := 0
		for err = nil; err == nil && n < 100; n++ {
			_, err = w.queue.Enqueue(t.Context(), jobs.Submission{Function: "large", Request: request(strings.Repeat("x", 200<<10))})
		}
		if faultOf(err) != abi.FaultHostBusy || n != 6 {
			t.Errorf("the host's limit after %d: %v", n, err)
		}
		stats, _, _ := w.queue.Stats(t.Context())
		if stats.Accepted != 9 {
			t.Errorf("%d jobs were recorded", stats.Accepted)
		}
		w.conserved()
		close(release)
		synctest.Wait()
		for range 3 {
			w.mustSubmit("small")
		}
		w.conserved()
	})
}

func TestALedgerThatFailsTakesNoJobs(t *testing.T) {
	for _, broken := range []error{ledger.ErrBroken, ledger.ErrFull, ledger.ErrBusy} {
		inWorld(t, one(netlifys()), func(t *testing.T, w *world) {
			w.does(func(context.Context, *jobs.Attempt) error { time.Sleep(time.Second); return nil })
			id := w.mustSubmit("f")
			synctest.Wait()
			w.ledger.Break(fmt.Errorf("disk: %w", broken))
			if _, err := w.submit("f"); faultOf(err) != abi.FaultLedger {
				t.Errorf("%v: got %v", broken, err)
			}
			w.conserved()
			time.Sleep(time.Minute)
			w.ledger.Break(nil)
			time.Sleep(time.Minute)
			want := ledger.Succeeded
			if broken == ledger.ErrBroken { // for good: nobody may write with this ledger
				want = ledger.Running
			}
			if job := w.job(id); job.Status != want {
				t.Errorf("%v: got %s", broken, job.Status)
			}
		})
	}
}

func TestOldJobsAreForgotten(t *testing.T) {
	inWorld(t, one(netlifys()), func(t *testing.T, w *world) {
		id := w.mustSubmit("f")
		time.Sleep(6 * 24 * time.Hour)
		w.expect(id, ledger.Succeeded, "", ledger.OK)
		time.Sleep(24*time.Hour + time.Minute)
		if _, err := w.queue.Get(t.Context(), id); err == nil {
			t.Error("it is there after a week")
		}
		w.mustSubmit("f")
		synctest.Wait()
		if n, err := w.queue.Purge(t.Context(), "f", ledger.Succeeded); n != 1 || err != nil {
			t.Errorf("purged %d, %v", n, err)
		}
		w.conserved()
	})
}
