package jobs

import (
	"context"
	"encoding/json"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/cron"
	"github.com/cloche-run/cloche/host/ledger"
)

// What a schedule's job is called with, as Netlify calls it:
// https://docs.netlify.com/build/functions/scheduled-functions/.
const (
	clockwork = "Netlify Clockwork"
	// TickLayout is the form of next_run.
	TickLayout = "2006-01-02T15:04:05.000Z"
	// lookEvery is how often schedules are looked at, whatever the clock said: it
	// may have been set.
	lookEvery = 30 * time.Second
)

// schedule makes a job at every tick of every schedule, until ctx ends.
//
// A tick that passed while the host was down, or the clock was set forward, is
// made up for: the latest one, if it is not older than MaxAge and the schedule had
// fired before. A tick whose predecessor's job has not ended is skipped. No tick
// makes two jobs: the ledger holds its unique key.
func (d *Dispatcher) schedule(ctx context.Context) {
	ticked := map[string]looked{}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.site:
		case <-timer.C:
		}
		timer.Reset(d.look(ctx, ticked))
	}
}

// looked is until when a function's schedule was looked at.
type looked struct {
	schedule cron.Schedule
	until    time.Time
}

// look fires what has become due since it looked last, and returns when to look
// again.
func (d *Dispatcher) look(ctx context.Context, ticked map[string]looked) time.Duration {
	now := time.Now().Round(0)
	wait := lookEvery
	policies := d.queue.functions.Policies()
	for name, p := range policies {
		if p.Schedule.IsZero() {
			continue
		}
		if d.lookAt(ctx, name, p, ticked, now) {
			ticked[name] = looked{p.Schedule, now}
		}
		if next, ok := p.Schedule.Next(now); ok {
			wait = min(wait, next.Sub(now))
		}
	}
	for name := range ticked {
		if policies[name].Schedule.IsZero() {
			delete(ticked, name)
		}
	}
	return wait
}

// lookAt fires the latest tick of one schedule that nobody has looked at. It
// reports whether that is done; if not, it is done later.
func (d *Dispatcher) lookAt(ctx context.Context, name string, p Policy, ticked map[string]looked, now time.Time) bool {
	before, known := ticked[name]
	switch {
	case !known:
		last, err := d.lastTick(ctx, name, p, now)
		if err != nil {
			d.config.Log.Error("earlier ticks of a schedule are not known", "function", name, "error", err.Error())
			return false
		}
		before.until = last
	case before.schedule != p.Schedule:
		before.until = now
	}
	tick, ok := p.Schedule.Latest(before.until.Add(1), now)
	return !ok || d.fire(ctx, name, p.Schedule, tick)
}

// lastTick is after when ticks of a schedule count that this process sees for the
// first time: after the last one that the ledger knows, or after now.
func (d *Dispatcher) lastTick(ctx context.Context, name string, p Policy, now time.Time) (time.Time, error) {
	page, err := d.queue.ledger.List(ctx, ledger.Query{Function: name})
	if err != nil {
		return now, err
	}
	for _, job := range page.Jobs {
		if tick, err := time.Parse(TickLayout, job.UniqueKey); err == nil && job.Origin == OriginSchedule {
			if oldest := now.Add(-p.MaxAge); tick.Before(oldest) {
				return oldest, nil
			}
			return tick, nil
		}
	}
	return now, nil
}

// fire makes the job of a tick, or skips it, and reports whether that is settled.
func (d *Dispatcher) fire(ctx context.Context, name string, s cron.Schedule, tick time.Time) bool {
	if open := d.queue.admission.openOf(name); open > 0 {
		d.queue.meter.Skipped(name)
		d.config.Log.Warn("tick skipped, the job before has not ended", "function", name, "tick", tick.Format(TickLayout))
		return true
	}
	_, err := d.queue.Enqueue(ctx, Submission{
		Function: name, Origin: OriginSchedule, UniqueKey: tick.Format(TickLayout),
		Request: ScheduledRequest(d.request(name, nil), s, tick),
	})
	if err != nil && ctx.Err() == nil {
		d.config.Log.Error("tick late", "function", name, "tick", tick.Format(TickLayout), "error", describe(err))
	}
	return err == nil
}

// ScheduledRequest makes req the request of a tick, or of a time at which somebody
// wants to see what a tick would do.
func ScheduledRequest(req *abi.Request, s cron.Schedule, tick time.Time) *abi.Request {
	next, _ := s.Next(tick)
	req.Body, _ = json.Marshal(struct { // a string always encodes
		NextRun string `json:"next_run"`
	}{next.UTC().Format(TickLayout)})
	req.Method = "POST"
	req.RawQuery, req.HasQuery = "", false
	req.Header.Set("content-type", "application/json")
	req.Header.Set("user-agent", clockwork)
	req.Header.Set(abi.HeaderEvent, "schedule")
	return req
}
