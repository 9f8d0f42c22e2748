package leak

import (
	"fmt"
	"os"
	goruntime "runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime"
)

// shares say how many of 100 requests a guest gets. They are for a run that ends
// within a quarter of an hour or so: Go guests look at 5 MiB and more.
var shares = map[string]int{
	"c-handler": 30, "c-command": 28, "as-handler": 30, "rust-handler": 5, "rust-command": 5, "go-handler": 1, "go-command": 1,
}

// Slack of a soak, above what there was after its first tenth. The requests that
// are left are many more than each of these, but for a short run.
const (
	slackRSS         = 64 << 20
	slackDescriptors = 8
	slackMappings    = 300
)

// TestSoak sends requests of all kinds to all guests; SOAK=N says how many. What
// this process holds must stay what it was after the first tenth.
func TestSoak(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("what a process holds is read from Linux's /proc")
	}
	n := count(t, "SOAK", 1000)
	engine := newEngine(t)
	seen := map[string]*witness{}
	functions := map[string]*runtime.Function{}
	var turns []string
	for _, guest := range guests() {
		seen[guest] = newWitness(t)
		functions[guest] = load(t, engine, module(t, guest), runtime.FunctionConfig{
			Isolation: abi.IsolationSnapshot, Log: seen[guest].line,
		})
		turns = append(turns, strings.Split(strings.Repeat(" "+guest, shares[guest]), " ")[1:]...)
	}
	var before holdings
	for tenth := range 10 {
		each(t, n/10, atOnce, func(i int) error {
			i += tenth * (n / 10)
			guest := turns[i*37%100] // mixed: 37 and 100 have no common divisor
			if i%11 == 0 {
				_, err := ask(t.Context(), functions[guest], "random", newSecret())
				return err
			}
			if err := seen[guest].ask(functions[guest], deeds[i/100%len(deeds)]); err != nil {
				return fmt.Errorf("%s: %w", guest, err)
			}
			return nil
		})
		now := held(t)
		t.Logf("after %d requests: %v", n/10*(tenth+1), now)
		if tenth == 0 {
			before = now
		}
		if over := now.over(before); over != "" {
			t.Fatalf("after %d requests: %s", n/10*(tenth+1), over)
		}
	}
}

// holdings are what a process holds.
type holdings struct{ rss, descriptors, mappings int }

func (h holdings) String() string {
	return fmt.Sprintf("%.1f MiB resident, %d descriptors, %d mappings", float64(h.rss)/(1<<20), h.descriptors, h.mappings)
}

// over says what h has more of than before, by more than the slack.
func (h holdings) over(before holdings) string {
	switch {
	case h.rss > before.rss+slackRSS:
		return fmt.Sprintf("%d bytes are resident, were %d", h.rss, before.rss)
	case h.descriptors > before.descriptors+slackDescriptors:
		return fmt.Sprintf("%d descriptors, were %d", h.descriptors, before.descriptors)
	case h.mappings > before.mappings+slackMappings:
		return fmt.Sprintf("%d mappings, were %d", h.mappings, before.mappings)
	}
	return ""
}

// held reads what this process holds when its garbage is gone.
func held(t *testing.T) (h holdings) {
	debug.FreeOSMemory()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, resident int
	if _, err := fmt.Sscan(string(statm), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return holdings{resident * os.Getpagesize(), len(entries), strings.Count(string(maps), "\n")}
}

func TestHoldingsAreCaught(t *testing.T) {
	before := held(t)
	for name, more := range map[string]holdings{
		"memory":      {rss: slackRSS + 1},
		"descriptors": {descriptors: slackDescriptors + 1},
		"mappings":    {mappings: slackMappings + 1},
	} {
		after := holdings{before.rss + more.rss, before.descriptors + more.descriptors, before.mappings + more.mappings}
		if after.over(before) == "" {
			t.Errorf("%s: not caught", name)
		}
	}
	if over := before.over(before); over != "" {
		t.Error(over)
	}
}
