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
	Seed  [32]byte
}

// getting is a System's Init under way.
type getting struct {
	now    time.Time
	random *rand.ChaCha8
	// What the guest asked for, and may have kept.
	readClock, drewRandom bool
}

// BeginInit begins what comes before any request; Begin ends it.
func (s *System) BeginInit(i Init, streams Streams) {
	s.Begin(streams, nil)
	s.getting = &getting{now: i.Start, random: rand.NewChaCha8(i.Seed)}
}

// Drew reports whether, since BeginInit, the guest was given anything that would
// be different in another process.
func (s *System) Drew() bool {
	return s.getting != nil && (s.getting.readClock || s.getting.drewRandom)
}

// InitClock is what the clock of BeginInit shows.
func (s *System) InitClock() time.Time { return s.getting.now }

// time is the time as the guest knows it.
func (s *System) time() time.Time {
	if s.getting == nil {
		return time.Now()
	}
	s.getting.readClock = true
	s.getting.now = s.getting.now.Add(ClockResolution)
	return s.getting.now
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
