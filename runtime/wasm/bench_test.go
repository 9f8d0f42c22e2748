package wasm_test

import (
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/cloche-run/cloche/runtime/wasm"
)

var (
	workloadsC  = []string{"sha256", "matmul", "callback", "quicksort", "nbody", "mandelbrot", "fibonacci", "json", "sieve", "spin", "division", "copies", "crc32", "hash", "interpreter"}
	workloadsGo = []string{"json", "sha256", "fannkuch", "sort", "regexp"}
)

// lottery is a workload that stays out of the mean: how well its one indirect
// branch is predicted depends on where the code happens to lie, and makes it two
// to four times as fast or slow with no change in what is executed.
const lottery = "interpreter"

// contender is one way to run a module.
type contender struct {
	name     string
	instance api.Module
	best     time.Duration
}

// BenchmarkOverhead compares metered modules with plain ones, and with wazero's
// own way to stop them, in one run: the rounds of all take turns, and the best
// of each counts.
//
// "x" is how much longer the metered module takes, "close-x" the same for
// WithCloseOnContextDone.
func BenchmarkOverhead(b *testing.B) {
	for _, language := range []struct {
		name      string
		module    []byte
		workloads []string
	}{
		{"C", benchC(b), workloadsC},
		{"Go", benchGo(b), workloadsGo},
	} {
		b.Run(language.name, func(b *testing.B) {
			contenders := contend(b, language.module)
			logs := map[string][]float64{} // a benchmark may be run more than once
			for _, workload := range language.workloads {
				b.Run(workload, func(b *testing.B) {
					race(b, contenders, workload)
					logs[workload] = nil
					for _, c := range contenders {
						logs[workload] = append(logs[workload], math.Log(ratio(c, contenders[0])))
					}
					report(b, func(i int) float64 { return ratio(contenders[i], contenders[0]) })
				})
			}
			b.Run("geomean", func(b *testing.B) {
				delete(logs, lottery)
				report(b, func(i int) float64 {
					sum := 0.0
					for _, l := range logs {
						sum += l[i]
					}
					return math.Exp(sum / float64(len(logs)))
				})
			})
		})
	}
}

func ratio(a, b *contender) float64 { return a.best.Seconds() / b.best.Seconds() }

func report(b *testing.B, value func(i int) float64) {
	b.ReportMetric(value(1), "x")
	b.ReportMetric(value(2), "close-x")
	b.ReportMetric(0, "ns/op")
}

func contend(b *testing.B, module []byte) []*contender {
	metered := rewrite(b, module, wasm.DefaultCaps(), wasm.Options{StackBytes: 1 << 20})
	return []*contender{
		{name: "plain", instance: start(b, module, false)},
		{name: "metered", instance: start(b, metered, false)},
		{name: "close", instance: start(b, module, true)},
	}
}

func start(b *testing.B, module []byte, closes bool) api.Module {
	ctx := b.Context()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features).WithCloseOnContextDone(closes))
	b.Cleanup(func() { r.Close(context.WithoutCancel(ctx)) })
	wasi_snapshot_preview1.MustInstantiate(ctx, r)
	newMeter(250_000).export(b, r)
	instance, err := r.InstantiateWithConfig(ctx, module, wazero.NewModuleConfig().WithStartFunctions("_initialize"))
	if err != nil {
		b.Fatal(err)
	}
	return instance
}

// race runs a workload in all contenders, in turns.
func race(b *testing.B, contenders []*contender, workload string) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	const rounds = 40
	var want uint64
	for _, c := range contenders {
		c.best = math.MaxInt64
	}
	for round := range rounds {
		for i, c := range contenders {
			started := time.Now()
			got, err := c.instance.ExportedFunction(workload).Call(ctx, 3)
			took := time.Since(started)
			if err != nil {
				b.Fatalf("%s: %v", c.name, err)
			}
			if i == 0 {
				want = got[0]
			} else if got[0] != want {
				b.Fatalf("%s gives %d, %s %d", c.name, got[0], contenders[0].name, want)
			}
			if round > 0 {
				c.best = min(c.best, took)
			}
		}
	}
}

func benchC(b *testing.B) []byte {
	module, err := os.ReadFile(filepath.Join("testdata", "bench", "workloads.wasm"))
	if err != nil {
		b.Fatal(err)
	}
	return module
}

// benchGo builds the Go guest; the Go tool caches it.
func benchGo(b *testing.B) []byte {
	path := filepath.Join(b.TempDir(), "guest.wasm")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-buildmode=c-shared", "-o", path, ".")
	build.Dir = filepath.Join("testdata", "bench", "go")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	module, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	return module
}
