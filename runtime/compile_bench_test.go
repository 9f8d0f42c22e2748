package runtime_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/cloche-run/cloche/runtime"
)

// BenchmarkDeploy loads a Go guest of 3 MB: for the first time, by a compiler in a
// process of its own, and again, from the cache. The yardstick is what wazero takes
// for the original, in this process, without checks, metering or a second look.
func BenchmarkDeploy(b *testing.B) {
	module, err := os.ReadFile("../examples/polyglot/netlify/functions/echo.wasm")
	if err != nil {
		b.Fatal("the Go examples are not built: run `make guests`")
	}
	var plainCold, plainCached, cold, cached time.Duration
	for range b.N {
		dir := b.TempDir()
		plainCold += plainLoad(b, module, dir)
		plainCached += plainLoad(b, module, dir)
		dir = filepath.Join(b.TempDir(), "cache")
		cold += apartLoad(b, module, dir)
		cached += apartLoad(b, module, dir)
	}
	n := float64(b.N)
	b.ReportMetric(cold.Seconds()/n*1e3, "cold-ms")
	b.ReportMetric(cached.Seconds()/n*1e3, "cached-ms")
	b.ReportMetric(cold.Seconds()/plainCold.Seconds(), "cold-of-wazero")
	b.ReportMetric(cached.Seconds()/plainCached.Seconds(), "cached-of-wazero")
}

func plainLoad(b *testing.B, module []byte, dir string) time.Duration {
	ctx := context.Background()
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer cache.Close(ctx)
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCompilationCache(cache))
	defer r.Close(ctx)
	start := time.Now()
	if _, err := r.CompileModule(ctx, module); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

func apartLoad(b *testing.B, module []byte, dir string) time.Duration {
	ctx := context.Background()
	engine, err := runtime.New(ctx, runtime.Config{CacheDir: dir, Compiler: []string{os.Args[0], compileArgument}})
	if err != nil {
		b.Fatal(err)
	}
	defer engine.Close(ctx)
	start := time.Now()
	load(b, engine, module, runtime.FunctionConfig{})
	return time.Since(start)
}
