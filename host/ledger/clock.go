package ledger

import (
	"sync"
	"time"
)

// MaxSetBack is how far behind the latest time it knows a ledger lets the wall
// clock be when it is opened. Within it the ledger's time goes on where it was, so
// that nothing waits longer for a clock that was set back. Beyond it the recorded
// time is taken to be the wrong one.
const MaxSetBack = 24 * time.Hour

// Clock is a ledger's time: the wall clock's, but never going back. When the wall
// clock is set back it goes on at the pace of the monotonic one.
type Clock struct {
	mu   sync.Mutex
	wall func() time.Time
	last time.Time // the wall's time when the clock was asked last
	now  time.Time // what it answered, without a monotonic reading
}

// NewClock returns a clock over wall, which is time.Now if nil, that goes on from
// highWater unless that is further than MaxSetBack ahead. trusted is false then.
func NewClock(wall func() time.Time, highWater time.Time) (c *Clock, trusted bool) {
	if wall == nil {
		wall = time.Now
	}
	last := wall()
	c = &Clock{wall: wall, last: last, now: last.Round(0)}
	if highWater.Sub(c.now) > MaxSetBack {
		return c, false
	}
	if highWater.After(c.now) {
		c.now = highWater
	}
	return c, true
}

// Now returns the time, in UTC and in whole microseconds.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.wall()
	if passed := last.Sub(c.last); passed > 0 { // monotonic, if wall is time.Now
		c.now = c.now.Add(passed)
	}
	if c.last = last; last.Round(0).After(c.now) {
		c.now = last.Round(0)
	}
	return c.now.UTC().Truncate(time.Microsecond)
}
