package wasi

import "time"

// ClockResolution is what all clocks are rounded down to: fine enough for
// programs, too coarse for timing attacks between guests.
const ClockResolution = 100 * time.Microsecond

// Clocks of preview 1. The two of CPU time show the time since the system was
// made: the most that the guest can have used.
const (
	clockRealtime = iota
	clockMonotonic
	clockProcess
	clockThread
)

func clockResGet(c *call) Errno {
	if c.u32(0) > clockThread {
		return EINVAL
	}
	return c.putU64(c.u32(1), uint64(ClockResolution))
}

// clockTimeGet ignores the precision that is asked for: it is a hint.
func clockTimeGet(c *call) Errno {
	now, ok := c.sys.clock(c.u32(0))
	if !ok {
		return EINVAL
	}
	return c.putU64(c.u32(2), now)
}

// clock reads a clock, in nanoseconds.
func (s *System) clock(id uint32) (uint64, bool) {
	switch id {
	case clockRealtime:
		return coarse(uint64(s.wall().UnixNano())), true
	case clockMonotonic, clockProcess, clockThread:
		// One tick past zero, which some programs take for "not set".
		return coarse(uint64(s.time().Sub(s.config.Epoch) + s.ahead + ClockResolution)), true
	}
	return 0, false
}

func now() uint64 { return coarse(uint64(time.Now().UnixNano())) }

func coarse(ns uint64) uint64 { return ns - ns%uint64(ClockResolution) }
