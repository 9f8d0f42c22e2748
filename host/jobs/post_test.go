package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloche-run/cloche/host/jobs"
	"github.com/cloche-run/cloche/host/ledger"
)

// messenger is a jobs.Messenger that notes what it is to deliver.
type messenger struct {
	mu      sync.Mutex
	began   time.Time
	sent    []jobs.Message
	at      []time.Duration
	deliver func(ctx context.Context, n int) error // n counts from 1
}

func (m *messenger) Deliver(ctx context.Context, message jobs.Message) error {
	m.mu.Lock()
	m.sent, m.at = append(m.sent, message), append(m.at, time.Since(m.began).Round(tellGrain))
	n := len(m.sent)
	m.mu.Unlock()
	return m.deliver(ctx, n)
}

// tellGrain is how exactly news is on time.
const tellGrain = 10 * time.Second

// told is what was delivered so far, and when.
func (m *messenger) told() (sent []jobs.Message, at string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.sent), fmt.Sprint(m.at)
}

const hook = "https://hook.example/x"

// inWorldWith is inWorld with a messenger and a function f that tells hook.
func inWorldWith(t *testing.T, deliver func(ctx context.Context, n int) error, test func(t *testing.T, w *world, m *messenger)) {
	p := netlifys()
	p.OnSuccess, p.OnFailure = hook, "alarm"
	inWorld(t, map[string]jobs.Policy{"f": p, "alarm": netlifys()}, func(t *testing.T, w *world) {
		m := &messenger{began: time.Now(), deliver: deliver}
		w.stop()
		w.config.Messenger = m
		w.start()
		test(t, w, m)
	})
}

func TestAnAddressThatFailsIsToldAgainAndThenNoMore(t *testing.T) {
	inWorldWith(t, func(context.Context, int) error { return errors.New("it answered 500") }, func(t *testing.T, w *world, m *messenger) {
		id := w.mustSubmit("f")
		time.Sleep(time.Hour)
		if _, got := m.told(); got != "[0s 1m0s 3m0s]" {
			t.Errorf("told at %s", got)
		}
		if job := w.job(id); job.Status != ledger.Succeeded || job.Attempts != 1 {
			t.Errorf("the job is %s", job.Status)
		}
		if !strings.Contains(w.log.String(), "end of a job not told") {
			t.Error("nothing in the log")
		}
		w.conserved()
	})
}

func TestAnAddressIsToldOnce(t *testing.T) {
	inWorldWith(t, func(_ context.Context, n int) error {
		if n == 1 {
			return errors.New("not yet")
		}
		return nil
	}, func(t *testing.T, w *world, m *messenger) {
		id := w.mustSubmit("f")
		time.Sleep(time.Hour)
		if _, got := m.told(); got != "[0s 1m0s]" {
			t.Errorf("told at %s", got)
		}
		sent, _ := m.told()
		for _, got := range sent {
			if got.URL != hook || got.Function != "f" || got.Depth != 0 || !strings.Contains(string(got.Body), id.String()) ||
				got.Header.Get("idempotency-key") != sent[0].Header.Get("idempotency-key") || got.Header.Get("content-type") != "application/json" {
				t.Errorf("told %+v %s", got, got.Body)
			}
		}
		w.conserved()
	})
}

func TestAnAddressThatIsSlowHoldsUpNoOther(t *testing.T) {
	inWorldWith(t, func(ctx context.Context, _ int) error {
		<-ctx.Done()
		return ctx.Err()
	}, func(t *testing.T, w *world, m *messenger) {
		for range 10 {
			w.mustSubmit("f")
		}
		time.Sleep(jobs.PostTimeout + tellGrain)
		if sent, _ := m.told(); len(sent) != 10 {
			t.Errorf("%d told in the time of one", len(sent))
		}
	})
}

func TestNewsThatAShutdownBreaksOffCountsNot(t *testing.T) {
	inWorldWith(t, func(ctx context.Context, n int) error {
		if n == 1 {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}, func(t *testing.T, w *world, m *messenger) {
		w.mustSubmit("f")
		time.Sleep(time.Second)
		w.restart()
		time.Sleep(time.Minute)
		if _, got := m.told(); got != "[0s 0s]" {
			t.Errorf("told at %s", got)
		}
		w.conserved()
	})
}
