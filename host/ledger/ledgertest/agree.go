package ledgertest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

// Agree does the same to two ledgers, steps times, and wants the same of both.
// What is done follows from seed alone; now and then both are opened anew.
func Agree(t *testing.T, seed uint64, steps int, one, other Store) {
	t.Helper()
	p := &pair{
		T: t, random: rand.New(rand.NewPCG(seed, 0)), stores: [2]Store{one, other},
		ids: []ledger.ID{{}, {15: 7}}, now: noon(),
	}
	p.open()
	for p.step = range steps {
		p.advance()
		p.act()
		if t.Failed() {
			t.Fatalf("seed %d, step %d: %s", seed, p.step, strings.Join(p.history[max(0, len(p.history)-50):], "\n"))
		}
	}
	p.compare()
	p.compareJobs(p.ids)
	p.close()
}

// pair is two ledgers that are to agree.
type pair struct {
	*testing.T
	random  *rand.Rand
	stores  [2]Store
	ledgers [2]ledger.Ledger
	made    [2]uint64 // ids by each
	now     time.Time

	step    int
	history []string
	// What was seen, to be used again.
	ids    []ledger.ID
	claims []ledger.Claim
}

func (p *pair) open() {
	for i, s := range p.stores {
		p.ledgers[i] = s.Open(p, ledger.Options{
			Wall: func() time.Time { return p.now },
			NewID: func(time.Time) (id ledger.ID) {
				p.made[i]++
				binary.BigEndian.PutUint64(id[:], p.made[i])
				return id
			},
		})
	}
}

func (p *pair) close() {
	for _, l := range p.ledgers {
		if err := l.Close(p.Context()); err != nil {
			p.Error(err)
		}
	}
}

// advance lets a little time pass, or sometimes much.
func (p *pair) advance() {
	p.now = p.now.Add(time.Duration(p.random.ExpFloat64() * float64(10*time.Second)).Truncate(time.Microsecond))
}

// act does one thing.
func (p *pair) act() {
	switch n := p.random.IntN(100); {
	case n < 30:
		p.enqueue()
	case n < 55:
		p.claim()
	case n < 75:
		p.finish()
	case n < 80:
		p.both("cancel", func(l ledger.Ledger, id ledger.ID) (any, error) { return l.Cancel(p.Context(), id) }, p.id())
	case n < 84:
		p.replay()
	case n < 88:
		function, paused := p.function(), p.random.IntN(3) == 0
		p.both(fmt.Sprint("pause ", function, paused), func(l ledger.Ledger, _ ledger.ID) (any, error) {
			return nil, l.SetPaused(p.Context(), function, paused)
		}, ledger.ID{})
	case n < 91:
		p.prune()
	case n < 95:
		p.settle()
	case n < 97:
		p.history = append(p.history, "reopen")
		p.close()
		p.open()
		p.compare()
	default:
		p.compare()
	}
}

// both does something to both ledgers and wants the same to come of it.
func (p *pair) both(what string, do func(ledger.Ledger, ledger.ID) (any, error), id ledger.ID) any {
	p.history = append(p.history, fmt.Sprintf("%v %s %s", p.now.Sub(noon()), what, id))
	one, err := do(p.ledgers[0], id)
	other, otherErr := do(p.ledgers[1], id)
	if !sameError(err, otherErr) || !reflect.DeepEqual(plain(one), plain(other)) {
		p.Errorf("%s %s:\n got %+v, %v\nwant %+v, %v", what, id, other, otherErr, one, err)
	}
	return one
}

func sameError(a, b error) bool {
	for _, target := range []error{ledger.ErrNotFound, ledger.ErrUnfinished, ledger.ErrInvalid} {
		if errors.Is(a, target) != errors.Is(b, target) {
			return false
		}
	}
	return (a == nil) == (b == nil)
}

// plain is v with nothing and empty made the same.
func plain(v any) any {
	switch v := v.(type) {
	case ledger.Detail:
		v.History = slices.Clone(v.History)
		for i := range v.History {
			v.History[i].Log = append([]byte{}, v.History[i].Log...)
		}
		return v
	case ledger.Stats:
		v.Bytes = 0
		v.Paused = append([]string{}, v.Paused...)
		return v
	case []ledger.Event:
		// The order within one call is not promised.
		v = slices.Clone(v)
		slices.SortFunc(v, func(a, b ledger.Event) int { return slices.Compare(a.Job[:], b.Job[:]) })
		for i := range v {
			v[i].Seq = 0
			v[i].Response = append([]byte{}, v[i].Response...)
		}
		return append([]ledger.Event{}, v...)
	case []ledger.Claim:
		return append([]ledger.Claim{}, v...)
	case []bool:
		return append([]bool{}, v...)
	case ledger.Page:
		v.Jobs = append([]ledger.Job{}, v.Jobs...)
		return v
	}
	return v
}

// compare wants what there is to be the same; of single jobs, some.
func (p *pair) compare() {
	p.both("stats", func(l ledger.Ledger, _ ledger.ID) (any, error) { return l.Stats(p.Context()) }, ledger.ID{})
	p.both("events", func(l ledger.Ledger, _ ledger.ID) (any, error) { return l.Events(p.Context(), 1000) }, ledger.ID{})
	limits := p.limits()
	p.both(fmt.Sprintf("next due %+v", limits), func(l ledger.Ledger, _ ledger.ID) (any, error) {
		wait, ok, err := l.NextDue(p.Context(), limits)
		return []any{wait, ok}, err
	}, ledger.ID{})
	for _, query := range []ledger.Query{
		{Limit: 1000},
		{Function: p.function(), Limit: 3},
		{Status: ledger.Statuses()[p.random.IntN(7)], Limit: 3},
		{Function: p.function(), Status: ledger.Statuses()[p.random.IntN(7)], Limit: 5, Cursor: p.id().String()},
	} {
		p.both(fmt.Sprintf("list %+v", query), func(l ledger.Ledger, _ ledger.ID) (any, error) { return l.List(p.Context(), query) }, ledger.ID{})
	}
	p.compareJobs([]ledger.ID{p.id(), p.id(), p.id(), p.id(), p.id()})
}

func (p *pair) compareJobs(ids []ledger.ID) {
	for _, id := range ids {
		p.both("get", func(l ledger.Ledger, id ledger.ID) (any, error) { return l.Get(p.Context(), id) }, id)
		p.both("request", func(l ledger.Ledger, id ledger.ID) (any, error) { return l.Request(p.Context(), id) }, id)
	}
}

func (p *pair) function() string { return []string{"a", "b", "c"}[p.random.IntN(3)] }

// id is one of those seen, more often a late one.
func (p *pair) id() ledger.ID {
	return p.ids[max(p.random.IntN(len(p.ids)), p.random.IntN(len(p.ids)))]
}

func (p *pair) limits() ledger.Limits {
	return ledger.Limits{
		Max: 1 + p.random.IntN(4), Others: p.random.IntN(4),
		Running: map[string]int{"a": 1 + p.random.IntN(3)},
	}
}

func (p *pair) chance(n int) bool { return p.random.IntN(n) == 0 }

func (p *pair) duration() time.Duration { return time.Duration(1+p.random.IntN(60)) * time.Second }

func (p *pair) job() ledger.NewJob {
	j := job(p.function())
	j.Request.Body = make([]byte, p.random.IntN(3000))
	if p.chance(3) {
		j.RunAt = p.now.Add(p.duration() - 20*time.Second)
	}
	if p.chance(3) {
		j.MaxAge = 2 * p.duration()
	}
	if p.chance(4) {
		j.IdempotencyKey, j.KeyAge = fmt.Sprint("key", p.random.IntN(5)), p.duration()
	}
	if p.chance(6) {
		j.UniqueKey, j.UniqueAge = fmt.Sprint("key", p.random.IntN(5)), p.duration()
	}
	if p.chance(2) {
		j.OnSuccess, j.OnFailure = "next", "sorry"
	}
	return j
}

func (p *pair) enqueue() {
	var jobs []ledger.NewJob
	for range 1 + p.random.IntN(3) {
		jobs = append(jobs, p.job())
	}
	enqueued := p.both(fmt.Sprintf("enqueue %d", len(jobs)), func(l ledger.Ledger, _ ledger.ID) (any, error) {
		return l.Enqueue(p.Context(), jobs)
	}, ledger.ID{})
	for _, e := range enqueued.([]ledger.Enqueued) {
		p.ids = append(p.ids, e.ID)
	}
}

func (p *pair) claim() {
	limits := p.limits()
	claims := p.both(fmt.Sprintf("claim %+v", limits), func(l ledger.Ledger, _ ledger.ID) (any, error) {
		return l.Claim(p.Context(), limits)
	}, ledger.ID{})
	p.claims = append(p.claims, claims.([]ledger.Claim)...)
}

// finish ends some of the claims; those that were ended before are among them.
func (p *pair) finish() {
	var outcomes []ledger.Outcome
	for range 1 + p.random.IntN(3) {
		if len(p.claims) == 0 {
			return
		}
		c := p.claims[max(p.random.IntN(len(p.claims)), p.random.IntN(len(p.claims)))]
		o := ledger.Outcome{
			ID: c.Job.ID, Token: c.Token, Error: fmt.Sprint("error ", p.step), Log: []byte("log"), Fuel: p.random.Uint64(),
			RetryAfter: p.duration(), Blame: p.chance(2), Response: []byte("response"),
		}
		o.Result = []ledger.Result{ledger.OK, ledger.Error, ledger.Timeout, ledger.Stopped, ledger.Interrupted}[p.random.IntN(5)]
		if p.chance(5) {
			o.Dead = ledger.Exhausted
		}
		outcomes = append(outcomes, o)
	}
	p.both(fmt.Sprintf("finish %+v", outcomes), func(l ledger.Ledger, _ ledger.ID) (any, error) {
		return l.Finish(p.Context(), outcomes)
	}, ledger.ID{})
}

func (p *pair) replay() {
	id := p.both("replay", func(l ledger.Ledger, id ledger.ID) (any, error) { return l.Replay(p.Context(), id) }, p.id())
	if id := id.(ledger.ID); !id.IsZero() {
		p.ids = append(p.ids, id)
	}
}

func (p *pair) prune() {
	r := ledger.Retention{Keep: make(map[ledger.Status]ledger.Keep)}
	for _, status := range []ledger.Status{ledger.Succeeded, ledger.Dead, ledger.Canceled} {
		if p.chance(2) {
			r.Keep[status] = ledger.Keep{Age: p.duration(), Jobs: int64(p.random.IntN(5))}
		}
	}
	if p.chance(2) {
		r.Function = p.function()
	}
	budget := 1 + p.random.IntN(20)
	p.both(fmt.Sprintf("prune %+v %d", r, budget), func(l ledger.Ledger, _ ledger.ID) (any, error) {
		return l.Prune(p.Context(), r, budget)
	}, ledger.ID{})
}

// settle settles the events of one job: their numbers may differ.
func (p *pair) settle() {
	id, again, after := p.id(), p.chance(2), p.duration()
	p.both(fmt.Sprint("settle ", again, after), func(l ledger.Ledger, id ledger.ID) (any, error) {
		events, err := l.Events(p.Context(), 1000)
		if err != nil {
			return nil, err
		}
		var settled []ledger.Settled
		for _, e := range events {
			if e.Job == id {
				settled = append(settled, ledger.Settled{Seq: e.Seq, Again: again, After: after})
			}
		}
		return len(settled), l.Settle(p.Context(), settled)
	}, id)
}
