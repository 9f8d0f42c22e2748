package wasi

import (
	"context"
	"encoding/binary"
	"math"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// event is an event as the guest gets it.
type event struct {
	userdata  uint64
	errno     Errno
	kind      uint8
	available uint64
}

func subscribe(userdata uint64, kind byte) []byte {
	p := make([]byte, subscriptionBytes)
	binary.LittleEndian.PutUint64(p, userdata)
	p[8] = kind
	return p
}

func subscribeClock(userdata uint64, id uint32, timeout time.Duration) []byte {
	p := subscribe(userdata, eventClock)
	binary.LittleEndian.PutUint32(p[16:], id)
	binary.LittleEndian.PutUint64(p[24:], uint64(timeout))
	return p
}

func subscribeUntil(userdata uint64, id uint32, at uint64) []byte {
	p := subscribeClock(userdata, id, time.Duration(at))
	p[40] = clockAbsolute
	return p
}

func subscribeRead(userdata uint64, fd uint32) []byte {
	p := subscribe(userdata, eventRead)
	binary.LittleEndian.PutUint32(p[16:], fd)
	return p
}

func subscribeWrite(userdata uint64, fd uint32) []byte {
	p := subscribeRead(userdata, fd)
	p[8] = eventWrite
	return p
}

func (g *guest) poll(subscriptions ...[]byte) []event {
	g.t.Helper()
	events, errno := g.tryPoll(subscriptions...)
	g.want("poll_oneoff", errno, Success)
	return events
}

func (g *guest) tryPoll(subscriptions ...[]byte) (events []event, errno Errno) {
	g.t.Helper()
	var in []byte
	for _, s := range subscriptions {
		in = append(in, s...)
	}
	n := len(subscriptions)
	ptr, out, count := g.put(in), g.room(n*eventBytes), g.room(4)
	errno = g.call("poll_oneoff", ptr, out, uint64(n), count)
	if errno != Success {
		return nil, errno
	}
	for i := range uint64(g.u32(count)) {
		at := out + i*eventBytes
		events = append(events, event{g.u64(at), Errno(g.u16(at + 8)), uint8(g.u16(at + 10)), g.u64(at + 16)})
	}
	return events, Success
}

func TestPollOfWhatIsReady(t *testing.T) {
	g := newMemoryGuest(t)
	g.sys.Begin(Streams{Stdin: strings.NewReader("12345")}, nil)
	fd, _ := g.open(root, "file", openCreate)
	g.write(fd, "0123456789")
	_, _ = g.seek(fd, 4, seekSet)
	reader, _ := g.openAs(root, "file", how{base: rightRead})
	far := subscribeClock(99, clockMonotonic, math.MaxInt64)
	got := g.poll(
		subscribeWrite(1, 1), far, subscribeRead(2, 0), subscribeRead(3, uint32(fd)), subscribeWrite(4, uint32(fd)),
		subscribeRead(5, 60), subscribeWrite(6, uint32(reader)), subscribeClock(7, 17, 1), subscribeClock(8, clockRealtime, 0), subscribeRead(9, root),
	)
	want := []event{
		{1, Success, eventWrite, 0},
		{2, Success, eventRead, 5},
		{3, Success, eventRead, 6},
		{4, Success, eventWrite, 0},
		{5, EBADF, eventRead, 0},
		{6, ENOTCAPABLE, eventWrite, 0},
		{7, EINVAL, eventClock, 0},
		{8, Success, eventClock, 0},
		{9, ENOTCAPABLE, eventRead, 0},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
}

func TestPollOfClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuest(t, Config{})
		wait := func(want time.Duration, events int, subscriptions ...[]byte) {
			t.Helper()
			start := time.Now()
			got := g.poll(subscriptions...)
			if took := time.Since(start); took < want || took > want+2*ClockResolution || len(got) != events {
				t.Errorf("%v and %+v, want %v and %d", took, got, want, events)
			}
		}
		wait(time.Hour, 1, subscribeClock(1, clockMonotonic, time.Hour))
		wait(time.Second, 1, subscribeClock(1, clockMonotonic, time.Hour), subscribeClock(2, clockRealtime, time.Second))
		wait(time.Second, 2, subscribeClock(1, clockMonotonic, time.Second), subscribeClock(2, clockRealtime, time.Second))
		wait(0, 1, subscribeClock(1, clockMonotonic, 0), subscribeClock(2, clockRealtime, time.Second))
		for _, id := range []uint32{clockRealtime, clockMonotonic} {
			now, _ := g.sys.clock(id)
			wait(time.Minute, 1, subscribeUntil(1, id, now+uint64(time.Minute)))
			wait(0, 1, subscribeUntil(1, id, now))
			wait(0, 1, subscribeUntil(1, id, 0))
		}
	})
}

func TestASleepEndsWithTheInvocation(t *testing.T) {
	for name, subscription := range map[string][]byte{
		"an hour":     subscribeClock(1, clockMonotonic, time.Hour),
		"for ever":    subscribeClock(1, clockMonotonic, math.MaxInt64),
		"longer":      subscribeClock(1, clockRealtime, -1), // 2^64-1 ns
		"until never": subscribeUntil(1, clockRealtime, math.MaxUint64),
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGuest(t, Config{})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			g.ctx = ctx
			start := time.Now()
			if why := g.ended(func() { g.poll(subscription) }); why != context.DeadlineExceeded {
				t.Errorf("%s: ended by %v", name, why)
			}
			if took := time.Since(start); took != time.Second {
				t.Errorf("%s: took %v", name, took)
			}
		})
	}
}

func TestPollRefuses(t *testing.T) {
	g := newGuest(t, Config{})
	g.want("none", g.call("poll_oneoff", 8, 8, 0, 8), EINVAL)
	g.want("too many", g.call("poll_oneoff", 8, 8, Subscriptions+1, 8), EINVAL)
	for _, n := range []uint64{1 << 28, 0x05555556, 0x08000001, 0xffffffff} { // n*48 or n*32 wraps around
		g.want("a count that overflows", g.call("poll_oneoff", 8, 8, n, 8), EINVAL)
	}
	g.want("subscriptions beyond memory", g.call("poll_oneoff", 0xffffffe0, 8, 1, 8), EFAULT)
	g.want("events beyond memory", g.call("poll_oneoff", 8, 0xffffffe8, 1, 8), EFAULT)
	g.want("count beyond memory", g.call("poll_oneoff", 8, 64, 1, 0xfffffffe), EFAULT)
	_, errno := g.tryPoll(subscribe(1, 3))
	g.want("an unknown kind", errno, EINVAL)

	many := make([][]byte, Subscriptions)
	for i := range many {
		many[i] = subscribeWrite(uint64(i), 1)
	}
	if events := g.poll(many...); len(events) != Subscriptions || events[17].userdata != 17 {
		t.Errorf("%d events", len(events))
	}
	// The events may overwrite the subscriptions.
	ptr := g.put(append(subscribeWrite(1, 1), subscribeWrite(2, 2)...))
	g.want("in place", g.call("poll_oneoff", ptr, ptr, 2, 4096), Success)
	if g.u64(ptr) != 1 || g.u64(ptr+eventBytes) != 2 {
		t.Errorf("events %d and %d", g.u64(ptr), g.u64(ptr+eventBytes))
	}
}
