package bench

import (
	"context"
	"math"
	goruntime "runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// BenchmarkDeadline has guests compute for ever and measures how late they are
// stopped, and how long Go's collector, run all the while, waits for the world to
// stop. Two spinners fit this benchmark's two processors, eight do not.
func BenchmarkDeadline(b *testing.B) {
	for name, spinners := range map[string]int{"spinners=2": 2, "spinners=8": 8} {
		b.Run(name, func(b *testing.B) {
			const timeout = 50 * time.Millisecond
			f := loadSpin(b, timeout)
			before := stops()
			stop := collect()
			late := make([][]time.Duration, spinners)
			var group sync.WaitGroup
			for i := range spinners {
				group.Go(func() {
					for range b.N {
						start := time.Now()
						_, err := f.Invoke(context.Background(), &abi.Request{}, &abi.Response{Body: &abi.Buffer{}})
						if err == nil {
							b.Error("a loop without end came to one")
						}
						late[i] = append(late[i], time.Since(start)-timeout)
					}
				})
			}
			group.Wait()
			stop()
			all := slices.Sorted(slices.Values(slices.Concat(late...)))
			b.ReportMetric(all[len(all)/2].Seconds()*1e3, "late-p50-ms")
			b.ReportMetric(all[len(all)*99/100].Seconds()*1e3, "late-p99-ms")
			b.ReportMetric(percentile(before, stops(), 0.99)*1e3, "gc-stop-p99-ms")
		})
	}
}

func loadSpin(b *testing.B, timeout time.Duration) *runtime.Function {
	engine, err := runtime.New(b.Context(), runtime.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = engine.Close(context.Background()) })
	var m w.Module
	m.Memory(1)
	m.ExportMemory(abi.ExportMemory)
	m.ExportFunc(abi.ExportStart, m.Func(nil, nil, w.Loop, w.Void, w.Br, 0, w.End))
	f, err := engine.Load(b.Context(), m.Bytes(), runtime.FunctionConfig{Name: "spin", Limits: runtime.Limits{Timeout: timeout}})
	if err != nil {
		b.Fatal(err)
	}
	return f
}

// collect runs the collector every 20 ms until it is told to stop.
func collect() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		for ctx.Err() == nil {
			goruntime.GC()
			time.Sleep(20 * time.Millisecond)
		}
	})
	return func() { cancel(); group.Wait() }
}

// stops is how long the collector waited for goroutines to stop, so far.
func stops() *metrics.Float64Histogram {
	sample := []metrics.Sample{{Name: "/sched/pauses/stopping/gc:seconds"}}
	metrics.Read(sample)
	h := sample[0].Value.Float64Histogram()
	return &metrics.Float64Histogram{Counts: slices.Clone(h.Counts), Buckets: slices.Clone(h.Buckets)}
}

// percentile is the upper bound of the bucket in which it falls, of what came
// between two histograms, in seconds.
func percentile(before, after *metrics.Float64Histogram, share float64) float64 {
	var total uint64
	for i := range after.Counts {
		total += after.Counts[i] - before.Counts[i]
	}
	var seen uint64
	for i := range after.Counts {
		if seen += after.Counts[i] - before.Counts[i]; total > 0 && float64(seen) >= share*float64(total) {
			return after.Buckets[i+1]
		}
	}
	return math.NaN()
}
