package host_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi/tck"
	"github.com/cloche-run/cloche/host"
	"github.com/cloche-run/cloche/host/admin"
)

const (
	attackSeed    = 20_260_801
	attackTimeout = 500 * time.Millisecond
	// attackLate is how long after its deadline an answer may come.
	attackLate = 500 * time.Millisecond
	// attackLoad is how long a site of nothing but attacks may take to load.
	attackLoad = 60 * time.Second
	// attackers call at a time.
	attackers = 1

	neighbourPeriod = 20 * time.Millisecond
	neighbourP99    = 100 * time.Millisecond
	neighbourWorst  = 250 * time.Millisecond
	peakBytes       = 2 << 30
)

// TestAttacks deploys hundreds of hostile modules beside one good function, and
// calls each. The process survives, every answer is in its row of the table of
// errors and in time, and the neighbour notices nothing: not of their deployment,
// not of their calls, under a collection every 200 ms (which has to stop every
// thread: without it code that cannot be stopped does not show).
//
// By default it takes a third of each class; CLOCHE_ATTACK=all, or make attack,
// takes them all, and CLOCHE_ATTACK=TEXT those with TEXT in their name. An attack
// that is marked as known succeeds today: it is called, logged and not held
// against the test. Under the race detector the neighbour's times are not judged.
func TestAttacks(t *testing.T) {
	run := deployAttacks(t, chosenAttacks(t))
	run.checkLoaded()
	run.callAll(&run.whileCalling, func(a *attack) bool { return a.known == "" })
	run.callAll(&run.whileKnown, func(a *attack) bool { return a.known != "" })
	run.stop()
	run.report()
}

// chosenAttacks are those that this run is for.
func chosenAttacks(t *testing.T) (chosen []attack) {
	all := allAttacks(attackSeed)
	names := map[string]bool{}
	choice := os.Getenv("CLOCHE_ATTACK")
	for i, a := range all {
		if names[a.function()] {
			t.Fatalf("two attacks are called %s", a.function())
		}
		names[a.function()] = true
		if a.slow {
			continue
		}
		if choice == "all" || choice == "" && i%3 == 0 || choice != "" && strings.Contains(a.function(), choice) {
			chosen = append(chosen, a)
		}
	}
	if len(all) < 100 || len(chosen) == 0 {
		t.Fatalf("%d attacks, %d of them chosen", len(all), len(chosen))
	}
	return chosen
}

// attackRun is one run of the test.
type attackRun struct {
	t       *testing.T
	attacks []attack
	server  *server
	loading time.Duration
	// The neighbour's times.
	whileLoading, whileCalling, whileKnown probe
	stop                                   func()

	mu       sync.Mutex
	outcomes map[string]map[string]int // by class, then by what happened
	overrun  time.Duration
}

// deployAttacks serves a neighbour alone and then adds the attacks to its site.
func deployAttacks(t *testing.T, attacks []attack) *attackRun {
	toml := fmt.Sprintf("[functions]\ntimeout = %q\nmemory = \"64mb\"\n[functions.neighbour]\ntimeout = \"10s\"\n", attackTimeout)
	s := newSite(t, "")
	s.function("neighbour", tck.Guest)
	r := &attackRun{t: t, attacks: attacks, outcomes: map[string]map[string]int{}}
	for i := range attacks {
		if a := &attacks[i]; a.config != "" {
			toml += fmt.Sprintf("[functions.%s]\n%s\n", a.function(), a.config)
		}
	}
	s.write("netlify.toml", toml)
	r.server = s.serve(host.Options{Compiler: []string{os.Args[0], compileArgument}})
	resetPeak()
	r.stop = r.disturb()
	for i := range attacks {
		s.function(attacks[i].function(), attacks[i].module)
		attacks[i].module = nil
	}
	began := time.Now()
	stopProbe := r.server.probe(t, &r.whileLoading)
	if err := r.server.host.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	stopProbe()
	r.loading = time.Since(began)
	return r
}

// disturb has the collector run all the time.
func (r *attackRun) disturb() (stop func()) {
	ctx, cancel := context.WithCancel(r.t.Context())
	var collector sync.WaitGroup
	collector.Go(func() {
		for tick := time.Tick(200 * time.Millisecond); ctx.Err() == nil; <-tick {
			runtime.GC()
		}
	})
	return func() { cancel(); collector.Wait() }
}

// checkLoaded compares what was refused with what should have been.
func (r *attackRun) checkLoaded() {
	functions := map[string]admin.Function{}
	for _, f := range r.server.host.Functions() {
		functions[f.Name] = f
	}
	for i := range r.attacks {
		a := &r.attacks[i]
		why := functions[a.function()].Error
		switch {
		case a.refused != "" && why == "":
			r.fails(a, "it was loaded, but must be refused: %s", a.refused)
		case a.refused == "" && why != "" && !a.either:
			r.fails(a, "it was refused: %.300s", why)
		case !strings.Contains(why, a.refused):
			r.fails(a, "it was refused for another reason than %q: %.300s", a.refused, why)
		case why != "" && hasControl(why):
			r.fails(a, "the reason has control characters: %.300q", why)
		}
	}
}

// fails reports a failure, or logs one that is known.
func (r *attackRun) fails(a *attack, format string, args ...any) {
	r.t.Helper()
	message := fmt.Sprintf("%s: ", a.function()) + fmt.Sprintf(format, args...)
	if a.known != "" {
		r.t.Logf("KNOWN WEAKNESS (%s): %s", a.known, message)
		return
	}
	r.t.Error(message)
}

// callAll calls those attacks, attackers at a time, beside the neighbour.
func (r *attackRun) callAll(beside *probe, those func(*attack) bool) {
	stopProbe := r.server.probe(r.t, beside)
	defer stopProbe()
	next := make(chan *attack)
	var workers sync.WaitGroup
	for range attackers {
		workers.Go(func() {
			for a := range next {
				r.call(a)
			}
		})
	}
	for i := range r.attacks {
		if a := &r.attacks[i]; those(a) {
			next <- a
		}
	}
	close(next)
	workers.Wait()
}

// call calls one attack and judges its answer.
func (r *attackRun) call(a *attack) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	began := time.Now()
	status, body, err := ask(r.t.Context(), client, r.server.function(a.function()))
	took := time.Since(began)
	switch {
	case err != nil:
		r.fails(a, "no answer after %v: %v", took, err)
	case !slices.Contains(a.want, status):
		r.fails(a, "status %d after %v, want %v: %.300q", status, took, a.want, body)
	case status >= 500 && status != 599:
		r.checkError(a, body)
	}
	if late := lateness(); took > attackTimeout+late {
		r.fails(a, "answered after %v, the deadline is %v", took, attackTimeout)
	}
	r.count(a, strconv.Itoa(status), took)
}

// checkError looks at what the client is told.
func (r *attackRun) checkError(a *attack, body string) {
	var told struct{ ErrorType, ErrorMessage, RequestID string }
	if err := json.Unmarshal([]byte(body), &told); err != nil || told.ErrorType == "" || told.ErrorMessage == "" || told.RequestID == "" {
		r.fails(a, "no error body: %.300q", body)
	}
	if hasControl(told.ErrorMessage) || len(told.ErrorMessage) > 1000 {
		r.fails(a, "unfit for a terminal: %.300q", told.ErrorMessage)
	}
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c >= 0x7f && c < 0xa0 || c == '\u202e' })
}

func (r *attackRun) count(a *attack, outcome string, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.outcomes[a.class] == nil {
		r.outcomes[a.class] = map[string]int{}
	}
	r.outcomes[a.class][outcome]++
	r.overrun = max(r.overrun, took-attackTimeout)
}

// report prints the figures and judges those of the whole.
func (r *attackRun) report() {
	for _, class := range slices.Sorted(maps.Keys(r.outcomes)) {
		r.t.Logf("%-10s %v", class, r.outcomes[class])
	}
	peak := peakMemory()
	r.t.Logf("%d attacks loaded in %v; latest answer %v after its deadline; peak of the process %d MB",
		len(r.attacks), r.loading.Round(time.Millisecond), r.overrun.Round(time.Millisecond), peak>>20)
	if r.loading > attackLoad && !raceDetector {
		r.t.Errorf("loading took %v, the limit is %v", r.loading, attackLoad)
	}
	if peak > peakBytes && !raceDetector {
		r.t.Errorf("the process took %d MB, the limit is %d", peak>>20, peakBytes>>20)
	}
	r.whileLoading.judge(r.t, "while the attacks load", knownLoading)
	r.whileCalling.judge(r.t, "while they are called", "")
	r.whileKnown.judge(r.t, "while those are called that are known to succeed", "they are known")
}

// probe is how long a neighbour took to answer, each time from when the request
// was due: a process that stands still owes many answers at once.
type probe struct{ times []time.Duration }

// probe asks the neighbour until it is stopped.
func (v *server) probe(t *testing.T, p *probe) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
	var prober sync.WaitGroup
	prober.Go(func() {
		for due := time.Now(); ctx.Err() == nil; due = due.Add(neighbourPeriod) {
			time.Sleep(time.Until(due))
			status, body, err := ask(context.WithoutCancel(ctx), client, v.function("neighbour"))
			if err != nil || status != 200 {
				t.Errorf("the neighbour answered %d %.200q: %v", status, body, err)
			}
			p.times = append(p.times, time.Since(due))
		}
	})
	return func() { cancel(); prober.Wait() }
}

// knownLoading is why the neighbour suffers from loading, until that is mended.
const knownLoading = "compilers take one of two processors"

// judge prints and checks the times. What is known is not held against them.
func (p *probe) judge(t *testing.T, when, known string) {
	slices.Sort(p.times)
	n := len(p.times)
	p50, p99, worst := p.times[n/2], p.times[n*99/100], p.times[n-1]
	t.Logf("the neighbour %s: %d answers, p50 %v, p99 %v, worst %v", when, n, p50, p99, worst)
	if raceDetector {
		t.Log("not judged: the race detector is on")
		return
	}
	if p99 < neighbourP99 && worst < neighbourWorst {
		return
	}
	if known != "" {
		t.Logf("KNOWN WEAKNESS (%s): the neighbour suffers %s", known, when)
	} else {
		t.Errorf("the neighbour suffers %s: p99 %v (limit %v), worst %v (limit %v)", when, p99, neighbourP99, worst, neighbourWorst)
	}
}

// ask makes a guest of abi/tck tell its event; others do as they please.
func ask(ctx context.Context, client *http.Client, url string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("hello"))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("x-tck", "event")
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
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

// lateness is attackLate, and more under the race detector.
func lateness() time.Duration {
	if raceDetector {
		return 5 * attackLate
	}
	return attackLate
}
