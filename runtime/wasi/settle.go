package wasi

// Settled is what a guest did, while it got ready, to the descriptors it was
// given: which rights and flags they have. Go's runtime sets some.
type Settled []settled

type settled struct {
	base, inheriting rights
	flags            uint16
}

// Settle makes what a guest has done so far the state that Reset goes back to. It
// is false, and nothing changes, if that is more than a Settled can hold: a
// descriptor opened, closed or moved, or a file in /tmp.
func (s *System) Settle() (Settled, bool) {
	if s.tmp != nil && s.tmp.changed {
		return nil, false
	}
	var all Settled
	for fd, d := range s.table {
		switch {
		case fd >= len(s.initial):
			if d != nil {
				return nil, false
			}
			continue
		case d == nil:
			return nil, false
		}
		all = append(all, settled{d.base, d.inheriting, d.flags})
		now := *d
		now.base, now.inheriting, now.flags = s.initial[fd].base, s.initial[fd].inheriting, s.initial[fd].flags
		if !now.same(&s.initial[fd]) {
			return nil, false
		}
	}
	s.Assume(all)
	return all, true
}

// Assume makes the state that a guest of the same Config has settled in the one
// that s is in, and that Reset goes back to.
func (s *System) Assume(all Settled) {
	for fd, d := range all {
		for _, to := range []*descriptor{&s.initial[fd], s.table[fd]} {
			to.base, to.inheriting, to.flags = d.base, d.inheriting, d.flags
		}
	}
}
