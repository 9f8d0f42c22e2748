package model

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

// Prune forgets jobs that ended, and keys that expired.
func (l *Ledger) Prune(ctx context.Context, retention ledger.Retention, budget int) (pruned ledger.Pruned, err error) {
	err = l.change(ctx, func(s *Store, now time.Time) error {
		if err := retention.Validate(budget); err != nil {
			return err
		}
		for _, status := range []ledger.Status{ledger.Succeeded, ledger.Canceled, ledger.Dead} {
			if keep, ok := retention.Keep[status]; ok {
				pruned.Jobs += s.prune(retention.Function, status, keep, now, budget-pruned.Jobs)
			}
		}
		pruned.Keys = s.pruneKeys(retention.Function, now, budget-pruned.Jobs)
		pruned.More = pruned.Jobs+pruned.Keys == budget
		return nil
	})
	return pruned, err
}

func (s *Store) prune(function string, status ledger.Status, keep ledger.Keep, now time.Time, budget int) (n int) {
	var ended []*record
	for _, r := range s.jobs {
		if r.Status == status && (function == "" || function == r.Function) {
			ended = append(ended, r)
		}
	}
	slices.SortFunc(ended, func(a, b *record) int {
		return cmp.Or(a.FinishedAt.Compare(b.FinishedAt), bytes.Compare(a.ID[:], b.ID[:]))
	})
	left := int64(len(ended))
	for _, r := range ended {
		isYoung := now.Sub(r.FinishedAt) < keep.Age
		if n == budget || isYoung && (keep.Jobs == 0 || left <= keep.Jobs) {
			break
		}
		s.jobs = slices.DeleteFunc(s.jobs, func(other *record) bool { return other == r })
		s.pruned++
		left--
		n++
	}
	return n
}

func (s *Store) pruneKeys(function string, now time.Time, budget int) int {
	var expired []key
	for k, h := range s.keys {
		if !h.expires.After(now) && (function == "" || function == k.function) {
			expired = append(expired, k)
		}
	}
	slices.SortFunc(expired, func(a, b key) int {
		return cmp.Or(
			s.keys[a].expires.Compare(s.keys[b].expires),
			cmp.Compare(a.kind, b.kind), cmp.Compare(a.function, b.function), cmp.Compare(a.value, b.value),
		)
	})
	expired = expired[:min(budget, len(expired))]
	for _, k := range expired {
		delete(s.keys, k)
	}
	return len(expired)
}

// Settle removes or delays events.
func (l *Ledger) Settle(ctx context.Context, settled []ledger.Settled) error {
	return l.change(ctx, func(s *Store, now time.Time) error {
		if err := ledger.ValidateSettled(settled); err != nil {
			return err
		}
		for _, done := range settled {
			i := slices.IndexFunc(s.events, func(e *event) bool { return e.Seq == done.Seq })
			switch {
			case i < 0:
			case done.Again:
				s.events[i].Tries++
				s.events[i].next = after(now, done.After)
			default:
				s.events = slices.Delete(s.events, i, i+1)
			}
		}
		return nil
	})
}
