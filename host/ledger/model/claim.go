package model

import (
	"bytes"
	"cmp"
	"context"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

// Claim hands out due jobs.
func (l *Ledger) Claim(ctx context.Context, limits ledger.Limits) (claims []ledger.Claim, err error) {
	err = l.change(ctx, func(s *Store, now time.Time) error {
		if err := limits.Validate(); err != nil {
			return err
		}
		s.expire(now)
		for len(claims) < limits.Max {
			r := s.next(limits, now)
			if r == nil {
				return nil
			}
			r.Status, r.StartedAt, r.token = ledger.Running, now, r.token+1
			claims = append(claims, ledger.Claim{Job: r.Job, Token: r.token, Request: r.request.Clone()})
			s.expire(now)
		}
		return nil
	})
	return claims, err
}

// expire ends the jobs that stand first in line, are due and come too late.
func (s *Store) expire(now time.Time) {
	for _, function := range s.functions() {
		for _, r := range s.line(function) {
			if r.RunAt.After(now) || r.ExpiresAt.IsZero() || r.ExpiresAt.After(now) {
				break
			}
			s.end(r, ledger.Dead, ledger.Expired, nil, now)
		}
	}
}

// next returns the job to be claimed next, nil if there is none.
func (s *Store) next(limits ledger.Limits, now time.Time) (next *record) {
	for _, function := range s.functions() {
		line := s.line(function)
		if len(line) == 0 || line[0].RunAt.After(now) || s.blocked(function, limits) {
			continue
		}
		if next == nil || s.before(line[0], next) {
			next = line[0]
		}
	}
	return next
}

func (s *Store) blocked(function string, limits ledger.Limits) bool {
	return s.paused[function] || s.running(function) >= limits.Of(function)
}

func (s *Store) before(a, b *record) bool {
	return cmp.Or(
		cmp.Compare(s.running(a.Function), s.running(b.Function)),
		a.RunAt.Compare(b.RunAt),
		bytes.Compare(a.ID[:], b.ID[:]),
	) < 0
}

// NextDue returns when there is something to claim.
func (l *Ledger) NextDue(ctx context.Context, limits ledger.Limits) (wait time.Duration, ok bool, err error) {
	err = l.read(ctx, func(s *Store, now time.Time) error {
		if err := limits.Validate(); err != nil {
			return err
		}
		for _, function := range s.functions() {
			line := s.line(function)
			if len(line) == 0 || s.blocked(function, limits) {
				continue
			}
			if due := max(0, line[0].RunAt.Sub(now)); !ok || due < wait {
				wait, ok = due, true
			}
		}
		return nil
	})
	return wait, ok, err
}

// SetPaused stops jobs of a function from being claimed.
func (l *Ledger) SetPaused(ctx context.Context, function string, paused bool) error {
	return l.change(ctx, func(s *Store, _ time.Time) error {
		if err := ledger.ValidateFunction(function); err != nil {
			return err
		}
		delete(s.paused, function)
		if paused {
			s.paused[function] = true
		}
		l.rouse()
		return nil
	})
}
