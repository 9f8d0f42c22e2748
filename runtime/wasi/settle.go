package wasi

import "time"

// Settled is what a guest did, while it got ready, to the descriptors it was
// given: which rights and flags they have. Go's runtime sets some. And how far its
// clock is ahead, as it sleeps in no time.
type Settled struct {
	descriptors []settled
	ahead       time.Duration
}

type settled struct {
	base, inheriting rights
	flags            uint16
}

// Settle makes what a guest has done so far the state that Reset goes back to. It
// is false, and nothing changes, if that is more than a Settled can hold: a
// descriptor opened, closed or moved, or a file in /tmp.
func (s *System) Settle() (Settled, bool) {
	if s.tmp != nil && s.tmp.changed {
		return Settled{}, false
	}
	s.endInit()
	all := Settled{ahead: s.ahead}
	for fd, d := range s.table {
		switch {
		case fd >= len(s.initial):
			if d != nil {
				return Settled{}, false
			}
			continue
		case d == nil:
			return Settled{}, false
		}
		all.descriptors = append(all.descriptors, settled{d.base, d.inheriting, d.flags})
		now := *d
		now.base, now.inheriting, now.flags = s.initial[fd].base, s.initial[fd].inheriting, s.initial[fd].flags
		if !now.same(&s.initial[fd]) {
			return Settled{}, false
		}
	}
	s.Assume(all)
	return all, true
}

// Assume makes the state that a guest of the same Config has settled in the one
// that s is in, and that Reset goes back to.
func (s *System) Assume(all Settled) {
	s.ahead = all.ahead
	for fd, d := range all.descriptors {
		for _, to := range []*descriptor{&s.initial[fd], s.table[fd]} {
			to.base, to.inheriting, to.flags = d.base, d.inheriting, d.flags
		}
	}
}
