package bench

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime"
)

// instanceGuests are what BenchmarkInstance and BenchmarkIdle call.
var instanceGuests = []struct{ name, path string }{
	{"handler-C", examples + "/netlify/functions/hello-c.wasm"},
	{"handler-C-256k", "testdata/table.wasm"},
	{"handler-Go", examples + "/netlify/functions/hello.wasm"},
	{"command-Go", examples + "/netlify/functions/echo.wasm"},
}

// BenchmarkInstance compares what an invocation takes by its isolation. The three
// take turns, batch by batch, so that what else the machine does falls on all of
// them. Figures are medians in µs; the last is how much more two goroutines get
// done than one, with isolation = "snapshot".
func BenchmarkInstance(b *testing.B) {
	for _, guest := range instanceGuests {
		b.Run(guest.name, func(b *testing.B) {
			engine := newEngine(b, runtime.Config{CacheDir: b.TempDir()})
			var batches []*batch
			for _, isolation := range []string{abi.IsolationSnapshot, abi.IsolationReuse, abi.IsolationFresh} {
				batches = append(batches, newBatch(b, loadGuest(b, engine, guest.path, isolation)))
			}
			alone, together := []time.Duration{}, []time.Duration{}
			for b.Loop() {
				for _, batch := range batches {
					batch.took = append(batch.took, batch.run(b, 1)/time.Duration(batch.size))
				}
				alone = append(alone, batches[0].run(b, 1))
				together = append(together, batches[0].run(b, 2))
			}
			snapshot, reuse, fresh := median(batches[0].took), median(batches[1].took), median(batches[2].took)
			b.ReportMetric(0, "ns/op") // of all three together: says nothing
			b.ReportMetric(microseconds(snapshot), "snapshot-µs")
			b.ReportMetric(microseconds(reuse), "reuse-µs")
			b.ReportMetric(microseconds(fresh), "fresh-µs")
			b.ReportMetric(float64(snapshot)/float64(reuse), "snapshot/reuse")
			b.ReportMetric(float64(fresh)/float64(snapshot), "fresh/snapshot")
			b.ReportMetric(2*float64(median(alone))/float64(median(together)), "two/one")
		})
	}
}

// batch is some invocations of a function that are timed together: a
// millisecond's worth, so that a timer and a goroutine do not count.
type batch struct {
	function *runtime.Function
	size     int
	took     []time.Duration // of one invocation, by turn
}

func newBatch(b *testing.B, f *runtime.Function) *batch {
	one := &batch{function: f, size: 1}
	one.run(b, 1) // the first is unlike the others
	least := min(one.run(b, 1), one.run(b, 1), one.run(b, 1))
	return &batch{function: f, size: int(time.Millisecond/least) + 1}
}

// run runs the batch in so many goroutines at once and returns how long that took.
func (t *batch) run(b *testing.B, goroutines int) time.Duration {
	start := time.Now()
	var group sync.WaitGroup
	for range goroutines - 1 {
		group.Go(func() { t.invoke(b) })
	}
	t.invoke(b)
	group.Wait()
	return time.Since(start)
}

func (t *batch) invoke(b *testing.B) {
	req := &abi.Request{Method: "GET", Path: "/"}
	body := &abi.Buffer{Limit: abi.ResponseBodyBytes}
	for range t.size {
		resp := &abi.Response{Body: body}
		if _, err := t.function.Invoke(context.Background(), req, resp); err != nil || resp.Status != 200 {
			b.Errorf("status %d, %v", resp.Status, err)
			return
		}
		_ = body.Reset()
	}
}

func newEngine(b *testing.B, config runtime.Config) *runtime.Engine {
	engine, err := runtime.New(context.Background(), config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = engine.Close(context.Background()) })
	return engine
}

// loadGuest loads a function, which ends with its engine at the latest.
func loadGuest(b *testing.B, engine *runtime.Engine, path, isolation string) *runtime.Function {
	module, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		b.Fatalf("%v: run `make guests`", err)
	}
	f, err := engine.Load(context.Background(), module, runtime.FunctionConfig{Name: "guest", Isolation: isolation})
	if err != nil {
		b.Fatal(err)
	}
	return f
}

func median[T cmp.Ordered](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

func microseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
