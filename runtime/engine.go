// Package runtime runs untrusted WebAssembly functions: each invocation in an
// instance of its own, under a deadline and a memory limit, with nothing in
// reach but what the embedder grants.
//
// An Engine compiles, a Function is loaded once and invoked many times, from any
// number of goroutines. See the example.
package runtime

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/cloche-run/cloche/runtime/guest"
	"github.com/cloche-run/cloche/runtime/limits"
	"github.com/cloche-run/cloche/runtime/memory"
	"github.com/cloche-run/cloche/runtime/wasi"
	"github.com/cloche-run/cloche/runtime/wasm"
)

// What the rooms of the runtime share.
type (
	// Limits bound one invocation.
	Limits = limits.Limits
	// Usage is what one invocation took.
	Usage = limits.Usage
	// Trap is a guest that stopped abnormally.
	Trap = limits.Trap
	// Caps bound what a module may hold.
	Caps = wasm.Caps
)

// DefaultCaps are those of a Config without any.
func DefaultCaps() Caps { return wasm.DefaultCaps() }

// Config is what an Engine needs to know.
type Config struct {
	// CacheDir keeps compiled code between runs; "" compiles anew each time. It
	// holds native code: it is made with mode 0700 and refused if others may
	// write to it.
	CacheDir string
	// Compiler is the command line of a program that calls Compile with its
	// standard streams. Modules are then read, checked, rewritten and compiled by
	// it, with a limit of time (CompileTimeout) and memory (CompileBytes), and only
	// loaded here, from CacheDir, which it needs. Without one this process does it
	// all: that is for modules one trusts, since a hostile one can make a compiler
	// take minutes or all memory.
	Compiler []string
	// Caps are DefaultCaps, some of them raised; the zero value is DefaultCaps.
	Caps Caps
	// MemoryBudget is what all guests may hold together, in bytes; 0 is no limit.
	MemoryBudget int64
	// Log takes what an operator should know; nil discards.
	Log *slog.Logger

	trial bool // the engine is for tryPause alone
}

// Engine compiles and holds functions. It is safe for concurrent use.
type Engine struct {
	wazero wazero.Runtime
	cache  wazero.CompilationCache
	budget *memory.Budget

	caps      Caps
	cacheDir  string
	codeDir   string // within cacheDir
	compiler  []string
	compilers chan struct{}       // as many as may run at a time
	loads     chan struct{}       // likewise
	instance  wazero.ModuleConfig // of every instance

	log      *slog.Logger
	trial    bool
	verified sync.Once
	noPause  error // why no command can be put back to where it paused
	noReset  error // why no instance can be brought back to an image
	pools    pools
	ahead    chan struct{}      // held by who works ahead of requests
	stop     context.CancelFunc // of the sweeping
	swept    sync.WaitGroup

	mu   sync.Mutex
	used map[string]bool // files of modules that were loaded; guarded by mu
}

// features is WebAssembly 2.0 and what compilers emit beyond it. Exception
// handling and threads stay off: their cost is not bounded by what they charge.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst

// New makes an Engine. Close it when the last invocation has ended.
func New(ctx context.Context, config Config) (*Engine, error) {
	if len(config.Compiler) > 0 && config.CacheDir == "" {
		return nil, errors.New("runtime: a Compiler needs a CacheDir to leave its work in")
	}
	cache, err := openCache(config.CacheDir)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		caps: config.caps(), cache: cache, cacheDir: config.CacheDir, budget: memory.NewBudget(config.MemoryBudget),
		compiler: config.Compiler, compilers: make(chan struct{}, compilerCount()),
		loads:    make(chan struct{}, compilerCount()),
		instance: anonymous(), used: map[string]bool{},
		log:   config.Log,
		trial: config.trial,
		ahead: make(chan struct{}, 1),
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.codeDir, err = codeDirOf(ctx, config.CacheDir); err != nil {
		return nil, fmt.Errorf("runtime: cache: %w", err)
	}
	e.wazero = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().
		WithCoreFeatures(features).
		WithCompilationCache(cache).
		WithDebugInfoEnabled(false))
	if err := wasi.Instantiate(ctx, e.wazero); err != nil {
		_ = e.Close(ctx)
		return nil, fmt.Errorf("runtime: wasi: %w", err)
	}
	if err := guest.Instantiate(ctx, e.wazero); err != nil {
		_ = e.Close(ctx)
		return nil, fmt.Errorf("runtime: host modules: %w", err)
	}
	if err := instantiateFuel(ctx, e.wazero); err != nil {
		_ = e.Close(ctx)
		return nil, fmt.Errorf("runtime: fuel: %w", err)
	}
	e.budget.Spare(e.pools.reclaim)
	ctx, e.stop = context.WithCancel(context.WithoutCancel(ctx))
	e.swept.Go(func() { e.pools.run(ctx) })
	return e, nil
}

func (c Config) caps() Caps {
	caps := c.Caps
	if caps == (Caps{}) {
		caps = DefaultCaps()
	}
	caps.MemoryPages = wasmPages // Load and Run know how much memory there may be, and a better remedy
	return caps
}

// anonymous is for instances of which there are many and whose functions we call
// ourselves. Nothing reads wazero's source of randomness, as WASI is ours, but
// its default would be seeded for each of them.
func anonymous() wazero.ModuleConfig {
	return wazero.NewModuleConfig().WithName("").WithStartFunctions().WithRandSource(rand.Reader)
}

// MemoryUsed is what all guests hold now, in bytes.
func (e *Engine) MemoryUsed() int64 { return e.budget.Used() }

// verify, once, tries out what neither the system nor wazero documents and images rely
// on. What does not hold is given up, and the log says so.
func (e *Engine) verify(ctx context.Context) {
	ctx = context.WithoutCancel(ctx) // of the one function that comes first
	e.verified.Do(func() {
		err := e.budget.Verify()
		if errors.Is(err, memory.ErrReset) {
			e.noReset = err
		}
		if err != nil {
			e.log.Warn("instances are reset by slower means", "error", err.Error())
		}
		trial := wazero.NewRuntime(ctx) // without the cache, which is for functions
		defer trial.Close(ctx)
		if err := e.budget.VerifyShrink(ctx, trial); err != nil {
			e.noReset = err
			e.log.Error("every request is served by a fresh instance, which is slower", "error", err.Error())
		}
		if !e.trial {
			e.noPause = tryPause(ctx)
		}
		if e.noPause != nil {
			e.log.Error("commands get ready anew for each request, which is slower", "error", e.noPause.Error())
		}
	})
}

// Close frees all functions and their code.
func (e *Engine) Close(ctx context.Context) error {
	if e.stop != nil {
		e.stop()
		e.swept.Wait()
	}
	e.pools.close()
	err := errors.Join(e.wazero.Close(ctx), e.budget.Close())
	if cacheErr := e.cache.Close(ctx); err == nil {
		err = cacheErr
	}
	return err
}

// openCache opens the cache in dir. wazero keys it by its own version, the
// machine and the content of the module.
func openCache(dir string) (wazero.CompilationCache, error) {
	if dir == "" {
		return wazero.NewCompilationCache(), nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("runtime: cache: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, fmt.Errorf("runtime: cache: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("runtime: cache %s is no directory: remove it", dir)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("runtime: cache %s holds native code and others may have written to it: remove it", dir)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("runtime: cache: %w", err)
	}
	return wazero.NewCompilationCacheWithDir(dir)
}
