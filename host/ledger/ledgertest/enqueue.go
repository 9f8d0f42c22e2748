package ledgertest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/ledger"
)

func enqueueTests() map[string]func(*world) {
	return map[string]func(*world){
		"a job comes back as it was given":             comesBack,
		"all of a job is bytes, UTF-8 or not":          bytesComeBack,
		"a job outlives the process":                   outlives,
		"a job of the largest size is taken":           largest,
		"what breaks a limit is refused, all of it":    refused,
		"a job for later is scheduled until then":      scheduledJob,
		"a time in the past is now":                    pastIsNow,
		"nothing is enqueued for a caller who is gone": goneCaller,
		"what the caller does with its memory later does not matter": func(w *world) {
			j := job("f")
			j.Request.Body = []byte("before")
			id := w.enqueue(j)
			copy(j.Request.Body, "after!")
			if got := string(w.claim(plenty(), id)[0].Request.Body); got != "before" {
				w.Errorf("got body %q, want the one that was enqueued", got)
			}
		},
		"ids increase, also over a restart": func(w *world) {
			last := ""
			for range 20 {
				id := w.enqueue(job("f")).String()
				if id <= last {
					w.Fatalf("id %s after %s", id, last)
				}
				last = id
				w.reopen()
			}
		},
		"Enqueue, Replay, Resume and Finish wake": wakes,
	}
}

// full is a job in which everything is set.
func full() ledger.NewJob {
	return ledger.NewJob{
		Function: "f", Origin: "guest", MaxAge: time.Hour, IdempotencyKey: "key", KeyAge: time.Minute,
		UniqueKey: "tick", UniqueAge: time.Minute, Parent: ledger.ID{15: 1}, Depth: 3,
		OnSuccess: "next", OnFailure: "https://a.example/",
		Request: ledger.Request{
			ID: "01J", Method: "PUT", Proto: "HTTP/1.0", Scheme: "https", Host: "b.example:8", Path: "/x%20",
			RawQuery: "a=b", HasQuery: true, RemoteAddr: "[::1]:5", Header: abi.Header{{Name: "a", Value: "1"}, {Name: "a", Value: "2"}},
			Body: []byte("payload"),
		},
	}
}

func comesBack(w *world) {
	j := full()
	id := w.enqueue(j)
	c := w.claim(plenty(), id)[0]
	if !reflect.DeepEqual(c.Request, j.Request) {
		w.Errorf("request: got %+v, want %+v", c.Request, j.Request)
	}
	want := ledger.Job{
		ID: id, Function: "f", Origin: "guest", Status: ledger.Running, CreatedAt: noon(), RunAt: noon(), StartedAt: noon(),
		ExpiresAt: noon().Add(time.Hour), IdempotencyKey: "key", UniqueKey: "tick", Parent: ledger.ID{15: 1}, Depth: 3,
		OnSuccess: "next", OnFailure: "https://a.example/", RequestBytes: j.Request.Bytes(),
	}
	if !reflect.DeepEqual(c.Job, want) {
		w.Errorf("claimed: got %+v, want %+v", c.Job, want)
	}
	if got := w.get(id); !reflect.DeepEqual(got, ledger.Detail{Job: want}) {
		w.Errorf("get: got %+v, want %+v", got, want)
	}
	request, err := w.Request(w.ctx(), id)
	if err != nil || !reflect.DeepEqual(request, j.Request) {
		w.Errorf("request: got %+v, %v; want %+v", request, err, j.Request)
	}
}

func bytesComeBack(w *world) {
	const odd = "\xff\x00\xc0'\"é"
	j := full()
	for _, s := range []*string{
		&j.Function, &j.Origin, &j.IdempotencyKey, &j.UniqueKey, &j.OnSuccess, &j.OnFailure,
		&j.Request.Host, &j.Request.Path, &j.Request.RawQuery, &j.Request.Header[0].Value,
	} {
		*s = odd
	}
	j.Request.Body = []byte(odd)
	id := w.enqueue(j)
	w.reopen()
	c := w.claim(plenty(), id)[0]
	if !reflect.DeepEqual(c.Request, j.Request) {
		w.Errorf("request: got %+v, want %+v", c.Request, j.Request)
	}
	w.finish(c, ledger.Outcome{Result: ledger.Error, Error: odd, Log: []byte(odd), Dead: ledger.Exhausted})
	d := w.get(id)
	if d.Function != odd || d.Origin != odd || d.IdempotencyKey != odd || d.OnSuccess != odd || d.Error != odd || string(d.History[0].Log) != odd {
		w.Errorf("got %+v, want all %q", d, odd)
	}
	if page, err := w.List(w.ctx(), ledger.Query{Function: odd}); err != nil || len(page.Jobs) != 1 {
		w.Errorf("list of function %q: got %v, %v", odd, page, err)
	}
	if again, err := w.Enqueue(w.ctx(), []ledger.NewJob{j}); err != nil || !again[0].Existing {
		w.Errorf("enqueue with the same key: got %v, %v", again, err)
	}
}

func outlives(w *world) {
	id := w.enqueue(full())
	before := w.get(id)
	w.reopen()
	if after := w.get(id); !reflect.DeepEqual(after, before) {
		w.Errorf("got %+v, want %+v", after, before)
	}
	w.claim(plenty(), id)
}

func largest(w *world) {
	j := job("f")
	j.Request.Body = slices.Repeat([]byte{0xfe}, ledger.BodyBytes)
	id := w.enqueue(j)
	w.reopen()
	if got := w.claim(plenty(), id)[0].Request.Body; !slices.Equal(got, j.Request.Body) {
		w.Errorf("got %d other bytes", len(got))
	}
}

func refused(w *world) {
	bad := job("f")
	bad.Request.Body = make([]byte, ledger.BodyBytes+1)
	_, err := w.Enqueue(w.ctx(), []ledger.NewJob{job("f"), bad})
	if !errors.Is(err, ledger.ErrInvalid) {
		w.Errorf("got %v, want ErrInvalid", err)
	}
	if _, err := w.Enqueue(w.ctx(), make([]ledger.NewJob, ledger.BatchJobs+1)); !errors.Is(err, ledger.ErrInvalid) {
		w.Errorf("too many: got %v, want ErrInvalid", err)
	}
	for name, err := range map[string]error{
		"claim of nothing":      second(w.Claim(w.ctx(), ledger.Limits{})),
		"a page too long":       second(w.List(w.ctx(), ledger.Query{Limit: ledger.MaxPage + 1})),
		"a bad cursor":          second(w.List(w.ctx(), ledger.Query{Cursor: "x"})),
		"an unknown status":     second(w.List(w.ctx(), ledger.Query{Status: "lost"})),
		"an outcome of nothing": second(w.Finish(w.ctx(), []ledger.Outcome{{}})),
		"an unknown reason":     second(w.Finish(w.ctx(), []ledger.Outcome{{Result: ledger.Error, Dead: "bored"}})),
		"pruning what waits":    second(w.Prune(w.ctx(), ledger.Retention{Keep: map[ledger.Status]ledger.Keep{ledger.Queued: {}}}, 1)),
		"pruning nothing":       second(w.Prune(w.ctx(), ledger.Retention{}, 0)),
		"no events":             second(w.Events(w.ctx(), 0)),
		"an event before now":   w.Settle(w.ctx(), []ledger.Settled{{After: -1}}),
		"a pause of nothing":    w.SetPaused(w.ctx(), "", true),
		"a name too long":       w.SetPaused(w.ctx(), strings.Repeat("x", ledger.NameBytes+1), true),
	} {
		if !errors.Is(err, ledger.ErrInvalid) {
			w.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	w.claim(plenty()) // nothing was enqueued
}

func second[T any](_ T, err error) error { return err }

func scheduledJob(w *world) {
	j := job("f")
	j.RunAt = noon().Add(time.Minute)
	id := w.enqueue(j)
	w.is(id, ledger.Scheduled, "")
	w.due(plenty(), time.Minute)
	w.claim(plenty())
	w.reopen()
	w.pass(time.Minute - time.Microsecond)
	w.claim(plenty())
	w.pass(time.Microsecond)
	w.due(plenty(), 0)
	w.is(id, ledger.Scheduled, "")
	w.claim(plenty(), id)
}

func pastIsNow(w *world) {
	first := w.enqueue(job("f"))
	j := job("f")
	j.RunAt = noon().Add(-time.Hour)
	second := w.enqueue(j)
	if at := w.get(second).RunAt; !at.Equal(noon()) {
		w.Errorf("run at %v, want now", at)
	}
	w.is(second, ledger.Queued, "")
	w.claim(plenty(), first, second)
}

func goneCaller(w *world) {
	ctx, cancel := context.WithCancel(w.ctx())
	cancel()
	if _, err := w.Enqueue(ctx, []ledger.NewJob{job("f")}); !errors.Is(err, context.Canceled) {
		w.Errorf("got %v, want the context's error", err)
	}
	w.claim(plenty())
}

func wakes(w *world) {
	woke := func(what string, want bool) {
		w.Helper()
		select {
		case <-w.Wake():
			if !want {
				w.Errorf("%s woke", what)
			}
		default:
			if want {
				w.Errorf("%s did not wake", what)
			}
		}
	}
	id := w.enqueue(job("f"))
	woke("Enqueue", true)
	c := w.claim(plenty(), id)[0]
	woke("Claim", false)
	w.finish(c, ledger.Outcome{Result: ledger.Error})
	woke("Finish", true)
	c = w.claim(plenty(), id)[0]
	w.finish(c, ledger.Outcome{Result: ledger.OK})
	woke("Finish", true)
	if _, err := w.Replay(w.ctx(), id); err != nil {
		w.Fatal(err)
	}
	woke("Replay", true)
	for _, paused := range []bool{true, false} {
		if err := w.SetPaused(w.ctx(), "f", paused); err != nil {
			w.Fatal(err)
		}
	}
	woke("Resume", true)
}
