// Package host serves one site: it opens the site's directory, answers its
// requests, watches or reloads it, and closes it in order. It is the only room
// that knows all the others.
package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/admin"
	"github.com/cloche-run/cloche/host/front"
	"github.com/cloche-run/cloche/host/logs"
	"github.com/cloche-run/cloche/host/usage"
	"github.com/cloche-run/cloche/runtime"
)

// Defaults of Options.
const (
	DefaultConcurrency = 256
	DefaultQueue       = 1024
	DefaultDrain       = 10 * time.Second
	DefaultAddr        = "127.0.0.1:8888"
	DefaultAdmin       = "127.0.0.1:8889"
)

// Options say which site is served and how. Zero values are defaults.
type Options struct {
	// Dir is the site, Data where everything lasting is kept (Dir/.cloche).
	Dir, Data string
	// Context chooses among the [context.*] of netlify.toml.
	Context string
	// Dev watches the site and tells clients what went wrong.
	Dev bool
	// EnvFile holds site variables, Env names those of the host's own to pass on.
	EnvFile string
	Env     []string
	// MemoryBudget is what all guests may hold together, in bytes; the default is
	// three quarters of the machine's.
	MemoryBudget int64
	// Concurrency and Queue bound the invocations of all functions together.
	Concurrency, Queue int
	// LogBytes bounds the log in Data.
	LogBytes int64
	// Drain is how long running requests may take at shutdown.
	Drain time.Duration
	// Front is the public listener's part: hosts, proxies, connections.
	Front front.Config
	// AdminHosts are further names by which the admin listener may be called.
	AdminHosts []string
	// Log takes everything too, besides the log in Data; nil for none.
	Log slog.Handler
	// Version is this binary's.
	Version string
}

// Host is a site being served.
type Host struct {
	options Options
	data    *dataDir
	logs    *logs.Store
	log     *slog.Logger
	usage   *usage.Store
	metrics *admin.Metrics
	engine  *runtime.Engine
	gate    *gate

	site      atomic.Pointer[site]
	reloading sync.Mutex
	listening atomic.Bool
}

// Open reads the site and makes it ready to be invoked. It listens to nothing
// until Run. The caller closes the Host.
func Open(ctx context.Context, options Options) (*Host, error) {
	h := &Host{options: options.withDefaults()}
	if err := h.open(ctx); err != nil {
		_ = h.Close()
		return nil, err
	}
	return h, nil
}

// open takes everything in the order in which Close gives it back.
func (h *Host) open(ctx context.Context) (err error) {
	o := &h.options
	if info, err := os.Stat(o.Dir); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is no directory: name the directory of a site, the one with netlify.toml in it", o.Dir)
	}
	if h.data, err = openData(o.Data); err != nil {
		return err
	}
	if h.logs, err = logs.Open(o.Data, o.LogBytes); err != nil {
		return err
	}
	h.log = slog.New(slog.NewMultiHandler(h.logs.Handler(), o.Log))
	if h.usage, err = usage.Open(o.Data, h.log); err != nil {
		return err
	}
	h.engine, err = runtime.New(ctx, runtime.Config{CacheDir: h.data.join("cache"), MemoryBudget: o.MemoryBudget})
	if err != nil {
		return err
	}
	h.gate = newGate(o.Concurrency, o.Queue, &abi.Error{
		What:    abi.FaultHostBusy,
		Message: fmt.Sprintf("the host is at its limit of %d invocations and %d waiting", o.Concurrency, o.Queue),
	})
	h.metrics = h.newMetrics()
	return h.Reload(ctx)
}

func (o Options) withDefaults() Options {
	if o.Data == "" {
		o.Data = filepath.Join(o.Dir, ".cloche")
	}
	if o.MemoryBudget == 0 {
		o.MemoryBudget = memoryBudget()
	}
	if o.Concurrency == 0 {
		o.Concurrency = DefaultConcurrency
	}
	if o.Queue == 0 {
		o.Queue = DefaultQueue
	}
	if o.Drain == 0 {
		o.Drain = DefaultDrain
	}
	if o.Log == nil {
		o.Log = slog.DiscardHandler
	}
	return o
}

// Run serves the site on public and its admin API on private until ctx ends,
// then stops listening and lets running requests end. It closes both listeners.
func (h *Host) Run(ctx context.Context, public, private net.Listener) error {
	api, err := h.newAdmin()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	counting, stopCounting := context.WithCancel(context.WithoutCancel(ctx))
	var serving, counted sync.WaitGroup
	errs := make(chan error, 4)
	start := func(group *sync.WaitGroup, ctx context.Context, run func(context.Context) error) {
		group.Go(func() {
			errs <- run(ctx)
			stop() // one that ends ends all
		})
	}
	start(&counted, counting, h.usage.Run)
	start(&serving, ctx, func(ctx context.Context) error { return h.newFront().Serve(ctx, public) })
	start(&serving, ctx, func(ctx context.Context) error { return api.Serve(ctx, private) })
	if h.options.Dev {
		start(&serving, ctx, h.watch)
	}
	h.listening.Store(true)
	serving.Wait()
	h.listening.Store(false)
	stopCounting()
	counted.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}

func (h *Host) newFront() *front.Server {
	cfg := h.options.Front
	cfg.Dev, cfg.Log, cfg.DrainTimeout, cfg.Refused = h.options.Dev, h.log, h.options.Drain, h.refused
	return front.New(h, cfg)
}

// refused logs a request that never reached a function.
func (h *Host) refused(req *abi.Request, err error) {
	h.metrics.Refused(faultOf(err))
	h.log.LogAttrs(context.Background(), slog.LevelWarn, "request refused",
		slog.String("request", req.ID), slog.String("method", req.Method), slog.String("path", req.Path),
		slog.Int("status", front.Status(err)), slog.String("error", describe(err)))
}

func faultOf(err error) abi.Fault {
	var known abi.Faulter
	if errors.As(err, &known) {
		return known.Fault()
	}
	return abi.FaultInternal
}

// Close gives everything back, in the order opposite to Open's. Run has ended.
func (h *Host) Close() error {
	ctx := context.Background()
	var errs []error
	if s := h.site.Swap(nil); s != nil {
		s.release()
	}
	if h.engine != nil {
		errs = append(errs, h.engine.Close(ctx))
	}
	if h.usage != nil {
		errs = append(errs, h.usage.Close())
	}
	if h.logs != nil {
		errs = append(errs, h.logs.Close())
	}
	if h.data != nil {
		errs = append(errs, h.data.close())
	}
	return errors.Join(errs...)
}
