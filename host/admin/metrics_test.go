package admin

import (
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
)

// scrape returns the lines of /metrics that are ours.
func scrape(t *testing.T, h *host) (lines []string) {
	t.Helper()
	text, err := io.ReadAll(h.send(t, "GET", "/metrics", "", noToken).Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "cloche_") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

func wantLines(t *testing.T, lines []string, want ...string) {
	t.Helper()
	for _, line := range want {
		if !slices.Contains(lines, line) {
			t.Errorf("no line %q in\n%s", line, strings.Join(lines, "\n"))
		}
	}
}

func TestWhatIsCountedIsScraped(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	m := h.config.Metrics
	f := m.Function("hello")
	f.Done(Invocation{Queue: time.Millisecond, Init: 60 * time.Microsecond, Exec: 2 * time.Second, MemoryBytes: 1 << 20, Fuel: 1000})
	f.Done(Invocation{Fault: abi.FaultDeadline, Exec: 10 * time.Second, Fuel: 1})
	f.Done(Invocation{Fault: "made up"})
	f.Running(1)
	f.Queued(3)
	f.Queued(-1)
	m.Refused(abi.FaultHostBusy)
	wantLines(t, scrape(t, h),
		`cloche_build_info{go_version="`+goVersion()+`",version="v1"} 1`,
		`cloche_invocations_total{function="hello",outcome="ok"} 1`,
		`cloche_invocations_total{function="hello",outcome="deadline"} 1`,
		`cloche_invocations_total{function="hello",outcome="internal"} 1`,
		`cloche_invocation_queue_seconds_sum{function="hello"} 0.001`,
		`cloche_invocation_init_seconds_bucket{function="hello",le="5e-05"} 2`,
		`cloche_invocation_init_seconds_bucket{function="hello",le="0.0001"} 3`,
		`cloche_invocation_exec_seconds_bucket{function="hello",le="900"} 3`,
		`cloche_invocation_memory_bytes_sum{function="hello"} 1.048576e+06`,
		`cloche_fuel_total{function="hello"} 1001`,
		`cloche_instances_running{function="hello"} 1`,
		`cloche_queue_length{function="hello"} 2`,
		`cloche_requests_refused_total{fault="host_busy"} 1`,
		`cloche_guest_memory_bytes 100`,
		`cloche_guest_memory_limit_bytes 200`,
	)
}

func goVersion() string { return runtime.Version() }

func TestAFunctionThatIsGoneLeavesNoSeries(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	m := h.config.Metrics
	old := m.Function("old")
	old.Done(Invocation{Fault: abi.FaultTrap})
	m.Function("hello").Done(Invocation{})
	m.Retain([]string{"hello"})
	old.Done(Invocation{Fault: abi.FaultTrap})
	old.Done(Invocation{})
	lines := scrape(t, h)
	wantLines(t, lines, `cloche_invocations_total{function="hello",outcome="ok"} 1`)
	for _, line := range lines {
		if strings.Contains(line, `"old"`) {
			t.Errorf("still there: %s", line)
		}
	}
	if first := m.Function("hello"); first != m.Function("hello") || m.Function("old") == old {
		t.Error("a function has one FunctionMetrics until it is gone")
	}
}

func TestFunctionLabelsAreBounded(t *testing.T) {
	m := NewMetrics("v1", func() int64 { return 100 }, 200)
	for i := range MaxMeasured {
		m.functions[fmt.Sprint(i)] = &FunctionMetrics{}
	}
	if m.Function("a") != m.Function("b") || m.Function("a").name != OtherFunctions {
		t.Error("functions beyond the bound have series of their own")
	}
}

func TestEveryFaultOfTheContractIsALabel(t *testing.T) {
	file, err := parser.ParseFile(gotoken.NewFileSet(), "../../abi/fault.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Fault") || len(spec.Values) != 1 {
			return true
		}
		value, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if n++; !slices.Contains(abi.Faults(), abi.Fault(value)) {
			t.Errorf("%s is missing in faults", spec.Names[0].Name)
		}
		return true
	})
	if n != len(abi.Faults()) {
		t.Errorf("abi has %d faults, faults %d", n, len(abi.Faults()))
	}
}

func TestTheTableListsEveryMetric(t *testing.T) {
	source, err := os.ReadFile("metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	m := NewMetrics("v1", func() int64 { return 100 }, 200)
	m.Function("f").Done(Invocation{})
	m.Function("f").Done(Invocation{Fault: abi.FaultTrap})
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, family := range families {
		name := family.GetName()
		if !strings.HasPrefix(name, "cloche_") {
			continue
		}
		if n++; !strings.Contains(string(source), "//\t"+name+"{") && !strings.Contains(string(source), "//\t"+name+" ") {
			t.Errorf("%s is not in the table", name)
		}
	}
	if table := strings.Count(string(source), "//\tcloche_"); table != n {
		t.Errorf("the table has %d metrics, there are %d", table, n)
	}
}

func TestCountingIsSafeAndAllocatesNothing(t *testing.T) {
	m := NewMetrics("v1", func() int64 { return 100 }, 200)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 200 {
				f := m.Function("hello")
				f.Running(1)
				f.Done(Invocation{Exec: time.Duration(i), Fault: []abi.Fault{"", abi.FaultTrap}[i%2]})
				f.Running(-1)
				m.Refused(abi.FaultHostBusy)
				if i == 0 {
					m.Retain([]string{"hello"})
				}
			}
		})
	}
	all.Wait()
	f := m.Function("hello")
	if got := testing.AllocsPerRun(100, func() { f.Done(Invocation{Exec: 1}); f.Running(1); m.Refused(abi.FaultTrap) }); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}

func BenchmarkDone(b *testing.B) {
	f := NewMetrics("v1", func() int64 { return 100 }, 200).Function("hello")
	b.ReportAllocs()
	for b.Loop() {
		f.Done(Invocation{Queue: 1000, Init: 1000, Exec: time.Millisecond, MemoryBytes: 1 << 20, Fuel: 1000})
	}
}
