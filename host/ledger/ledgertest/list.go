package ledgertest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

func listTests() map[string]func(*world) {
	return map[string]func(*world){
		"the newest come first, page by page": func(w *world) {
			var want []ledger.ID
			for i := range 25 {
				want = append(want, w.enqueue(job(fmt.Sprint("f", i%3))))
			}
			slices.Reverse(want)
			w.lists(ledger.Query{}, want...)
		},
		"a list can be of one function, of one status, or of both": filters,
		"an empty ledger has an empty list": func(w *world) {
			w.lists(ledger.Query{})
			w.lists(ledger.Query{Function: "f", Status: ledger.Dead})
		},
		"the usual page has 50 jobs": func(w *world) {
			for range ledger.DefaultPage + 1 {
				w.enqueue(job("f"))
			}
			page, err := w.List(w.ctx(), ledger.Query{})
			if err != nil || len(page.Jobs) != ledger.DefaultPage || page.Next == "" {
				w.Errorf("got %d jobs, next %q, %v", len(page.Jobs), page.Next, err)
			}
		},
		"new jobs do not disturb a list that is being read": func(w *world) {
			a, b := w.enqueue(job("f")), w.enqueue(job("f"))
			first, err := w.List(w.ctx(), ledger.Query{Limit: 1})
			if err != nil || first.Jobs[0].ID != b {
				w.Fatalf("got %v, %v", first, err)
			}
			w.enqueue(job("f"))
			next, err := w.List(w.ctx(), ledger.Query{Limit: 1, Cursor: first.Next})
			if err != nil || len(next.Jobs) != 1 || next.Jobs[0].ID != a || next.Next != "" {
				w.Errorf("got %v, %v; want %s", next, err, a)
			}
		},
		"unknown jobs are not found": func(w *world) {
			if _, err := w.Get(w.ctx(), ledger.ID{1}); !errors.Is(err, ledger.ErrNotFound) {
				w.Errorf("get: got %v", err)
			}
			if _, err := w.Request(w.ctx(), ledger.ID{1}); !errors.Is(err, ledger.ErrNotFound) {
				w.Errorf("request: got %v", err)
			}
			if _, err := w.Replay(w.ctx(), ledger.ID{1}); !errors.Is(err, ledger.ErrNotFound) {
				w.Errorf("replay: got %v", err)
			}
		},
		"a job that ended can be replayed, and stays as it is": replays,
		"one that has not cannot": func(w *world) {
			id := w.enqueue(job("f"))
			if _, err := w.Replay(w.ctx(), id); !errors.Is(err, ledger.ErrUnfinished) {
				w.Errorf("queued: got %v, want ErrUnfinished", err)
			}
			w.claim(plenty(), id)
			if _, err := w.Replay(w.ctx(), id); !errors.Is(err, ledger.ErrUnfinished) {
				w.Errorf("running: got %v, want ErrUnfinished", err)
			}
		},
	}
}

// lists wants a list to be exactly these jobs, in pages of any size.
func (w *world) lists(query ledger.Query, want ...ledger.ID) {
	w.Helper()
	for _, query.Limit = range []int{1, 2, 3, ledger.MaxPage} {
		var got []ledger.ID
		for query.Cursor = ""; ; {
			page, err := w.List(w.ctx(), query)
			if err != nil || len(page.Jobs) > query.Limit {
				w.Fatalf("list %+v: got %d jobs, %v", query, len(page.Jobs), err)
			}
			for _, j := range page.Jobs {
				got = append(got, j.ID)
			}
			if query.Cursor = page.Next; page.Next == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			w.Errorf("list %+v: got %v, want %v", query, got, want)
		}
	}
}

func filters(w *world) {
	all := make(map[string]map[ledger.Status][]ledger.ID)
	for range 3 {
		for _, f := range []string{"f", "g"} {
			all[f] = mergeLists(all[f], w.oneOfEach(f))
		}
	}
	for f, byStatus := range all {
		var ofFunction []ledger.ID
		for status, ids := range byStatus {
			ofFunction = append(ofFunction, ids...)
			w.lists(ledger.Query{Function: f, Status: status}, newest(ids)...)
			w.lists(ledger.Query{Status: status}, newest(all["f"][status], all["g"][status])...)
		}
		w.lists(ledger.Query{Function: f}, newest(ofFunction)...)
	}
	w.lists(ledger.Query{Function: "h"})
}

// oneOfEach makes a job of every status.
func (w *world) oneOfEach(f string) map[ledger.Status][]ledger.ID {
	w.Helper()
	ids := make(map[ledger.Status][]ledger.ID)
	add := func(s ledger.Status, id ledger.ID) { ids[s] = append(ids[s], id) }
	later := job(f)
	later.RunAt = noon().Add(time.Hour)
	only := ledger.Limits{Max: 1, Running: map[string]int{f: 100}}
	for status, o := range map[ledger.Status]ledger.Outcome{
		ledger.Retrying:  {Result: ledger.Error, RetryAfter: time.Hour},
		ledger.Succeeded: {Result: ledger.OK},
		ledger.Dead:      {Result: ledger.Error, Dead: ledger.Exhausted},
		ledger.Canceled:  {Result: ledger.Stopped},
	} {
		// A job of the round before may be first in line.
		w.enqueue(job(f))
		claims, err := w.Claim(w.ctx(), only)
		if err != nil || len(claims) != 1 {
			w.Fatalf("claim: %v, %v", claims, err)
		}
		w.finish(claims[0], o)
		add(status, claims[0].Job.ID)
	}
	w.enqueue(job(f))
	claims, err := w.Claim(w.ctx(), only)
	if err != nil || len(claims) != 1 {
		w.Fatalf("claim: %v, %v", claims, err)
	}
	add(ledger.Running, claims[0].Job.ID)
	add(ledger.Scheduled, w.enqueue(later))
	return ids
}

func mergeLists(a, b map[ledger.Status][]ledger.ID) map[ledger.Status][]ledger.ID {
	if a == nil {
		return b
	}
	for s, ids := range b {
		a[s] = append(a[s], ids...)
	}
	return a
}

func newest(lists ...[]ledger.ID) []ledger.ID {
	all := slices.Concat(lists...)
	slices.SortFunc(all, func(a, b ledger.ID) int { return slices.Compare(b[:], a[:]) })
	return all
}

func replays(w *world) {
	for _, o := range []ledger.Outcome{
		{Result: ledger.OK}, {Result: ledger.Error, Dead: ledger.Exhausted}, {Result: ledger.Stopped},
	} {
		j := full()
		j.IdempotencyKey, j.UniqueKey = "", ""
		c := w.run(j)
		w.finish(c, o)
		before := w.get(c.Job.ID)
		w.pass(2 * time.Hour)
		id, err := w.Replay(w.ctx(), c.Job.ID)
		if err != nil || id == c.Job.ID {
			w.Fatalf("replay: got %s, %v", id, err)
		}
		if after := w.get(c.Job.ID); !reflect.DeepEqual(after, before) {
			w.Errorf("the old job: got %+v, want %+v", after, before)
		}
		again := w.claim(plenty(), id)[0]
		if !reflect.DeepEqual(again.Request, j.Request) {
			w.Errorf("request: got %+v, want %+v", again.Request, j.Request)
		}
		want := c.Job
		want.ID, want.ReplayOf = id, c.Job.ID
		want.CreatedAt = c.Job.CreatedAt.Add(2 * time.Hour)
		want.RunAt, want.StartedAt, want.ExpiresAt = want.CreatedAt, want.CreatedAt, want.CreatedAt.Add(time.Hour)
		if !reflect.DeepEqual(again.Job, want) {
			w.Errorf("job: got %+v, want %+v", again.Job, want)
		}
		w.finish(again, ledger.Outcome{Result: ledger.OK})
	}
}
