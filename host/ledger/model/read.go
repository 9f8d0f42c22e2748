package model

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

// Get returns a job with its attempts.
func (l *Ledger) Get(ctx context.Context, id ledger.ID) (detail ledger.Detail, err error) {
	err = l.read(ctx, func(s *Store, _ time.Time) error {
		r, err := s.find(id)
		if err == nil {
			detail = ledger.Detail{Job: r.Job, History: slices.Clone(r.history)}
		}
		return err
	})
	return detail, err
}

// Request returns what a job was enqueued with.
func (l *Ledger) Request(ctx context.Context, id ledger.ID) (request ledger.Request, err error) {
	err = l.read(ctx, func(s *Store, _ time.Time) error {
		r, err := s.find(id)
		if err == nil {
			request = r.request.Clone()
		}
		return err
	})
	return request, err
}

// List returns jobs, the newest first.
func (l *Ledger) List(ctx context.Context, query ledger.Query) (page ledger.Page, err error) {
	err = l.read(ctx, func(s *Store, _ time.Time) error {
		limit, before, err := query.Bounds()
		if err != nil {
			return err
		}
		for _, r := range slices.Backward(s.jobs) {
			if !before.IsZero() && bytes.Compare(r.ID[:], before[:]) >= 0 ||
				query.Function != "" && query.Function != r.Function ||
				query.Status != "" && query.Status != r.Status {
				continue
			}
			page.Jobs = append(page.Jobs, r.Job)
		}
		if len(page.Jobs) > limit {
			page.Jobs = page.Jobs[:limit]
			page.Next = page.Jobs[limit-1].ID.String()
		}
		return nil
	})
	return page, err
}

// Stats returns what there is.
func (l *Ledger) Stats(ctx context.Context) (stats ledger.Stats, err error) {
	err = l.read(ctx, func(s *Store, now time.Time) error {
		stats = ledger.Stats{
			Counts: make(map[string]map[ledger.Status]ledger.Count), Accepted: s.accepted, Pruned: s.pruned,
			Events: int64(len(s.events)), Paused: slices.Sorted(maps.Keys(s.paused)),
		}
		for _, r := range s.jobs {
			if stats.Counts[r.Function] == nil {
				stats.Counts[r.Function] = make(map[ledger.Status]ledger.Count)
			}
			c := stats.Counts[r.Function][r.Status]
			stats.Counts[r.Function][r.Status] = ledger.Count{Jobs: c.Jobs + 1, Bytes: c.Bytes + int64(r.RequestBytes)}
			stats.Bytes += int64(r.RequestBytes)
			if r.Status.Waits() && !s.paused[r.Function] {
				stats.Due = max(stats.Due, now.Sub(r.RunAt))
			}
		}
		return nil
	})
	return stats, err
}

// Events returns what is to be delivered.
func (l *Ledger) Events(ctx context.Context, limit int) (events []ledger.Event, err error) {
	err = l.read(ctx, func(s *Store, now time.Time) error {
		if limit < 1 {
			return ledger.ErrInvalid
		}
		for _, e := range s.events {
			if len(events) < limit && !e.next.After(now) {
				events = append(events, e.Event)
			}
		}
		return nil
	})
	return events, err
}
