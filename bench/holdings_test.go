package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime"
)

// BenchmarkIdle measures what instances keep that wait for a request: there are
// as many as there were invocations at once. Private memory is this process's
// own, Go's included, as smaps_rollup has it. Commands are left out: their answer
// is read when they have ended, so nothing outside can hold several at once.
func BenchmarkIdle(b *testing.B) {
	for _, guest := range instanceGuests[:3] {
		b.Run(guest.name, func(b *testing.B) {
			const instances = 64
			engine := newEngine(b, runtime.Config{CacheDir: b.TempDir()})
			var private, mappings, descriptors, charged []float64
			for b.Loop() {
				f := loadGuest(b, engine, guest.path, abi.IsolationSnapshot)
				hold(b, f, 1)
				before := held(b)
				hold(b, f, instances)
				after := held(b)
				charged = append(charged, float64(engine.MemoryUsed()))
				_ = f.Close(context.Background())
				private = append(private, float64(after.private-before.private))
				mappings = append(mappings, float64(after.mappings-before.mappings))
				descriptors = append(descriptors, float64(after.descriptors-before.descriptors))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(private)/(instances-1)/1024, "private-KiB/instance")
			b.ReportMetric(median(mappings)/(instances-1), "mappings/instance")
			b.ReportMetric(median(descriptors)/(instances-1), "descriptors/instance")
			b.ReportMetric(median(charged)/instances/1024, "charged-KiB/instance")
		})
	}
}

// hold invokes a handler so often at once: none ends before all have begun to
// answer.
func hold(b *testing.B, f *runtime.Function, instances int) {
	var all, group sync.WaitGroup
	all.Add(instances)
	for range instances {
		group.Go(func() {
			body := &meeting{all: &all}
			_, err := f.Invoke(context.Background(), &abi.Request{Method: "GET", Path: "/"}, &abi.Response{Body: body})
			if err != nil {
				b.Error(err)
			}
			body.once.Do(all.Done)
		})
	}
	group.Wait()
}

// meeting is a body that waits for the others at its first byte.
type meeting struct {
	all  *sync.WaitGroup
	once sync.Once
}

func (m *meeting) Write(p []byte) (int, error) {
	m.once.Do(func() {
		m.all.Done()
		m.all.Wait()
	})
	return len(p), nil
}

func (m *meeting) Reset() error { return nil }

// BenchmarkManyModules loads 10,000 modules that differ in a constant, from the
// cache that an engine before it left, and calls each once.
func BenchmarkManyModules(b *testing.B) {
	const modules = 10_000
	hello, err := os.ReadFile(filepath.FromSlash(instanceGuests[0].path))
	if err != nil {
		b.Fatal(err)
	}
	cache := b.TempDir()
	start := time.Now()
	first := newEngine(b, runtime.Config{CacheDir: cache})
	loadMany(b, first, hello, modules)()
	_ = first.Close(context.Background())
	compiled := time.Since(start)
	for b.Loop() {
		before := held(b)
		engine := newEngine(b, runtime.Config{CacheDir: cache})
		start := time.Now()
		closeAll := loadMany(b, engine, hello, modules)
		took := time.Since(start)
		after := held(b)
		b.ReportMetric(took.Seconds(), "ready-s")
		b.ReportMetric(microseconds(took)/modules, "ready-µs/module")
		b.ReportMetric(float64(after.resident-before.resident)/modules/1024, "resident-KiB/module")
		b.ReportMetric(float64(after.mappings-before.mappings), "mappings")
		b.ReportMetric(float64(after.descriptors-before.descriptors), "descriptors")
		b.ReportMetric(float64(engine.MemoryUsed())/1024, "charged-KiB")
		closeAll()
		_ = engine.Close(context.Background())
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(microseconds(compiled)/modules, "compile-µs/module")
}

// loadMany loads modules and calls each.
func loadMany(b *testing.B, engine *runtime.Engine, hello []byte, modules int) (closeAll func()) {
	functions := make([]*runtime.Function, modules)
	for i := range functions {
		text := fmt.Sprintf("Hello %06d", i)
		code := bytes.Replace(hello, []byte("Hello from C"), []byte(text), 1)
		f, err := engine.Load(context.Background(), code, runtime.FunctionConfig{Name: "guest", Isolation: abi.IsolationSnapshot})
		if err != nil {
			b.Fatal(err)
		}
		functions[i] = f
		body := &abi.Buffer{Limit: abi.ResponseBodyBytes}
		if _, err := f.Invoke(context.Background(), &abi.Request{Method: "GET", Path: "/"}, &abi.Response{Body: body}); err != nil {
			b.Fatal(err)
		}
		if !bytes.Contains(body.Bytes, []byte(text)) {
			b.Fatalf("module %d answers %s", i, body.Bytes)
		}
	}
	return func() {
		for _, f := range functions {
			_ = f.Close(context.Background())
		}
	}
}

// holdings are what this process holds, memory in bytes.
type holdings struct{ resident, private, descriptors, mappings int }

// held reads them when the garbage is gone.
func held(b *testing.B) (h holdings) {
	debug.FreeOSMemory()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		b.Skip("what a process holds is read from Linux's /proc: ", err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		b.Fatal(err)
	}
	h.descriptors, h.mappings = len(entries), bytes.Count(maps, []byte("\n"))
	rollup, err := os.Open("/proc/self/smaps_rollup")
	if err != nil {
		b.Fatal(err)
	}
	defer rollup.Close()
	for lines := bufio.NewScanner(rollup); lines.Scan(); {
		var kib int
		name, value, _ := strings.Cut(lines.Text(), ":")
		_, _ = fmt.Sscan(value, &kib)
		switch name {
		case "Rss":
			h.resident += kib << 10
		case "Private_Clean", "Private_Dirty":
			h.private += kib << 10
		}
	}
	return h
}
