package wasi

import (
	"math/rand/v2"
	"time"
)

// Init is what a guest finds while it gets ready, before there is a request: a
// clock and random bytes that are the same each time, so that its image is too.
type Init struct {
	// Start is what the clock shows at first. It then moves by ClockResolution
	// each time it is read, and by as long as the guest sleeps.
	Start time.Time
	// WallAhead is how much later it is by the clock of the day alone.
	WallAhead time.Duration
	Seed      [32]byte
}

// getting is a System's Init under way.
type getting struct {
	now       time.Time
	wallAhead time.Duration
	random    *rand.ChaCha8
	drew      Drawn
}

// Drawn is what a guest asked for while it got ready, and may have kept, that
// would be different in another process.
type Drawn struct {
	Random      int // how often
	Clock, Wall bool
}

// BeginInit begins what comes before any request; Begin ends it.
func (s *System) BeginInit(i Init, streams Streams) {
	s.Begin(streams, nil)
	s.getting = &getting{now: i.Start, wallAhead: i.WallAhead, random: rand.NewChaCha8(i.Seed)}
}

// endInit has the monotonic clock go on from where that of BeginInit is.
func (s *System) endInit() {
	if s.getting != nil {
		s.ahead = max(time.Until(s.getting.now), 0)
	}
	s.getting = nil
}

// Drawn is what the guest has asked for since BeginInit.
func (s *System) Drawn() (d Drawn) {
	if s.getting != nil {
		d = s.getting.drew
	}
	return d
}

// time is the time as the guest knows it.
func (s *System) time() time.Time {
	if s.getting == nil {
		return time.Now()
	}
	s.getting.drew.Clock = true
	s.getting.now = s.getting.now.Add(ClockResolution)
	return s.getting.now
}

// wall is the time of the day.
func (s *System) wall() time.Time {
	t := s.time()
	if s.getting != nil {
		s.getting.drew.Wall = true
		t = t.Add(s.getting.wallAhead)
	}
	return t
}

// sleep lets the clock of BeginInit reach t, at once, and reports whether it did:
// later, only waiting helps.
func (s *System) sleep(t time.Time) bool {
	if s.getting == nil {
		return false
	}
	if t.After(s.getting.now) {
		s.getting.now = t
	}
	return true
}
