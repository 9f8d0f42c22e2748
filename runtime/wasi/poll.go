package wasi

import (
	"encoding/binary"
	"math"
	"time"
)

// Subscriptions is how many a poll_oneoff may have.
const Subscriptions = 1024

// Sizes and kinds of preview 1.
const (
	subscriptionBytes = 48
	eventBytes        = 32

	eventClock = 0
	eventRead  = 1
	eventWrite = 2

	clockAbsolute = 1 << 0 // flag of a clock subscription
)

// poll is one poll_oneoff. Events are written in the order of their
// subscriptions.
type poll struct {
	*call
	in     []byte // subscriptions
	out    []byte // events
	count  uint32 // of events
	wake   time.Time
	hasEnd bool // wake is set
	stdin  <-chan chunk
	input  *Interruptible
}

// pollOneoff waits for the first of its subscriptions: a time, or input. Output
// and files never wait.
func pollOneoff(c *call) Errno {
	n := c.u32(2)
	if n == 0 || n > Subscriptions {
		return EINVAL
	}
	in, ok := c.bytes(c.u32(0), n*subscriptionBytes)
	if !ok {
		return EFAULT
	}
	out, ok := c.bytes(c.u32(1), n*eventBytes)
	if !ok {
		return EFAULT
	}
	count, errno := c.result(c.u32(3), 4)
	if errno != Success {
		return errno
	}
	// The guest may have its events overwrite its subscriptions.
	p := poll{call: c, in: append([]byte(nil), in...), out: out}
	if p.asksForInput() {
		c.awaitRequest()
	}
	start := c.sys.time()
	if errno := p.collect(start, start); errno != Success {
		return errno
	}
	for p.count == 0 { // again if a clock that is rounded down is not there yet
		p.wait()
		if errno := p.collect(start, c.sys.time()); errno != Success {
			return errno
		}
	}
	binary.LittleEndian.PutUint32(count, p.count)
	return Success
}

// asksForInput reports whether a subscription is for the standard input.
func (p *poll) asksForInput() bool {
	for in := p.in; len(in) > 0; in = in[subscriptionBytes:] {
		if in[8] != eventRead {
			continue
		}
		if d, errno := p.call.descriptor(binary.LittleEndian.Uint32(in[16:]), rightRead); errno == Success && d.stream == &p.sys.streams[0] {
			return true
		}
	}
	return false
}

// collect writes an event for every subscription that is due now, and notes what
// to wait for. Relative times count from start.
func (p *poll) collect(start, now time.Time) Errno {
	p.hasEnd, p.stdin = false, nil
	for in := p.in; len(in) > 0; in = in[subscriptionBytes:] {
		sub := in[:subscriptionBytes]
		switch sub[8] {
		case eventClock:
			p.clock(sub, start, now)
		case eventRead, eventWrite:
			p.descriptor(sub)
		default:
			return EINVAL
		}
	}
	return Success
}

func (p *poll) clock(sub []byte, start, now time.Time) {
	id, flags := binary.LittleEndian.Uint32(sub[16:]), binary.LittleEndian.Uint16(sub[40:])
	timeout := binary.LittleEndian.Uint64(sub[24:])
	if flags&clockAbsolute != 0 {
		passed, _ := p.sys.clock(id)
		timeout -= min(passed, timeout)
		start = now
	}
	if id > clockThread {
		p.event(sub, EINVAL, 0)
		return
	}
	wake := start.Add(time.Duration(min(timeout, math.MaxInt64)))
	if wake.Before(start) { // beyond what a time.Time holds
		wake = start.Add(math.MaxInt64 / 2)
	}
	if !now.Before(wake) {
		p.event(sub, Success, 0)
		return
	}
	if !p.hasEnd || wake.Before(p.wake) {
		p.wake, p.hasEnd = wake, true
	}
}

func (p *poll) descriptor(sub []byte) {
	need := rightRead
	if sub[8] == eventWrite {
		need = rightWrite
	}
	d, errno := p.call.descriptor(binary.LittleEndian.Uint32(sub[16:]), need)
	switch {
	case errno != Success || need == rightWrite:
		p.event(sub, errno, 0)
	case d.stream == nil:
		st, errno := d.file.stat()
		p.event(sub, errno, st.size-min(st.size, uint64(d.offset)))
	default:
		if got, waits := d.stream.waits(); waits {
			p.stdin, p.input = got, d.stream.in.(*Interruptible)
			return
		}
		p.event(sub, Success, uint64(d.stream.available()))
	}
}

func (p *poll) event(sub []byte, errno Errno, available uint64) {
	out := p.out[p.count*eventBytes:][:eventBytes]
	clear(out)
	copy(out, sub[:8])
	binary.LittleEndian.PutUint16(out[8:], uint16(errno))
	out[10] = sub[8]
	binary.LittleEndian.PutUint64(out[16:], available)
	p.count++
}

// wait returns when something is due. It does not if the invocation ends first.
func (p *poll) wait() {
	p.endIfOver()
	if p.hasEnd && p.sys.sleep(p.wake) {
		return
	}
	if p.sys.config.Waits != nil {
		p.sys.config.Waits()
	}
	var end <-chan time.Time
	if p.hasEnd {
		timer := time.NewTimer(time.Until(p.wake))
		defer timer.Stop()
		end = timer.C
	}
	select {
	case <-end:
	case got := <-p.stdin:
		p.input.take(got)
	case <-p.ctx.Done():
		p.endIfOver()
	}
}
