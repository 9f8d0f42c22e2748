package host_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// probe is how long a neighbour took to answer, each time from when the request
// was due: a process that stands still owes many answers at once.
type probe struct {
	times []time.Duration
	slow  []string // of those over neighbourP99, and what ran beside them
	// others is the part of the machine that other processes took meanwhile.
	others float64
}

// probe asks the neighbour until it is stopped.
func (r *attackRun) probe(p *probe) (stop func()) {
	ctx, cancel := context.WithCancel(r.t.Context())
	client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
	before := readWork()
	var prober sync.WaitGroup
	prober.Go(func() {
		for due := time.Now(); ctx.Err() == nil; due = due.Add(neighbourPeriod) {
			beside := r.beside()
			time.Sleep(time.Until(due))
			status, body, err := ask(context.WithoutCancel(ctx), client, r.server.function("neighbour"))
			if err != nil || status != 200 {
				r.t.Errorf("the neighbour answered %d %.200q: %v", status, body, err)
			}
			took := time.Since(due)
			if p.times = append(p.times, took); took >= neighbourP99 {
				p.slow = append(p.slow, fmt.Sprintf("%v beside %v, %v", took.Round(time.Millisecond), beside, r.beside()))
			}
		}
	})
	return func() {
		cancel()
		prober.Wait()
		p.others = readWork().others(before)
	}
}

// othersAtMost is the part of the machine that others may take before the
// neighbour's times say more of them than of us, as when go test runs the tests
// of several packages at once.
const othersAtMost = 0.15

// judge prints and checks the times. What is known is not held against them.
func (p *probe) judge(t *testing.T, when, known string) {
	if len(p.times) == 0 && known == "" {
		t.Errorf("the neighbour %s: never asked", when)
		return
	}
	if len(p.times) == 0 {
		t.Logf("the neighbour %s: not asked, it was over in less than %v", when, neighbourPeriod)
		return
	}
	slices.Sort(p.times)
	n := len(p.times)
	p50, p99, worst := p.times[n/2], p.times[n*99/100], p.times[n-1]
	t.Logf("the neighbour %s: %d answers, p50 %v, p99 %v, worst %v (others take %.0f %% of the machine)",
		when, n, p50, p99, worst, 100*p.others)
	if raceDetector || p.others > othersAtMost {
		t.Log("NOT JUDGED: the race detector is on, or the machine is not ours")
		return
	}
	if p99 < neighbourP99 && worst < neighbourWorst {
		return
	}
	for _, s := range p.slow[:min(len(p.slow), 30)] {
		t.Log(s)
	}
	if known != "" {
		t.Logf("KNOWN WEAKNESS (%s): the neighbour suffers %s", known, when)
	} else {
		t.Errorf("the neighbour suffers %s: p99 %v (limit %v), worst %v (limit %v)", when, p99, neighbourP99, worst, neighbourWorst)
	}
}

// resetPeak has the system forget the process' largest size so far:
// https://docs.kernel.org/filesystems/proc.html, clear_refs.
func resetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

// peakMemory is the process' largest resident size in bytes, 0 if it is not known.
func peakMemory() int64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if kib, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kib), "kB")), 10, 64)
			return n << 10
		}
	}
	return 0
}

// work is processor time so far, in ticks of the system's clock; own is that of
// this process and of its children that have ended.
type work struct{ total, idle, own int64 }

// readWork reads https://docs.kernel.org/filesystems/proc.html, stat; zero where
// there is none.
func readWork() (w work) {
	machine, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(machine), "\n")
	for i, field := range strings.Fields(line)[min(1, len(line)):] {
		n, _ := strconv.ParseInt(field, 10, 64)
		const idle, wait, guest = 3, 4, 8 // a guest's time is in user time too
		if i < guest {
			w.total += n
		}
		if i == idle || i == wait {
			w.idle += n
		}
	}
	self, _ := os.ReadFile("/proc/self/stat")
	_, rest, _ := strings.Cut(string(self), ") ")
	const user, children = 11, 14 // the first and the last, behind the name
	if fields := strings.Fields(rest); len(fields) > children {
		for _, field := range fields[user : children+1] {
			n, _ := strconv.ParseInt(field, 10, 64)
			w.own += n
		}
	}
	return w
}

// others is the part of the machine's time that other processes took since.
func (w work) others(since work) float64 {
	total := w.total - since.total
	if total <= 0 {
		return 0
	}
	return float64(total-(w.idle-since.idle)-(w.own-since.own)) / float64(total)
}
