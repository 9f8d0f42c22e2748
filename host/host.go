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
	"github.com/cloche-run/cloche/host/jobs"
	"github.com/cloche-run/cloche/host/ledger"
	"github.com/cloche-run/cloche/host/logs"
	"github.com/cloche-run/cloche/host/outbound"
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
	// DefaultJobConcurrency and DefaultJobBytes are those of host/jobs.
	DefaultJobConcurrency = jobs.DefaultConcurrency
	DefaultJobBytes       = jobs.DefaultOpenBytes
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
	// Caps bound what a module may hold: DefaultCaps, some of them raised.
	Caps runtime.Caps
	// StackBytes bounds the nested calls of each guest, in bytes (abi.StackBytes).
	StackBytes int64
	// Concurrency and Queue bound the invocations of all functions together; a
	// negative Queue is none.
	Concurrency, Queue int
	// JobConcurrency is how many jobs run at once, besides invocations; JobBytes is
	// what jobs that have not ended may take on disk.
	JobConcurrency int
	JobBytes       int64
	// TimeScale divides the waits between the attempts of a job; 0 is 1.
	TimeScale float64
	// Compiler is the command that compiles modules apart: one that calls Compile.
	// Without it this process does.
	Compiler []string
	// LogBytes bounds the log in Data.
	LogBytes int64
	// Drain is how long running requests and jobs may take at shutdown; negative is
	// not at all. Jobs that take longer are run again at the next start.
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
	admin   *admin.Server
	engine  *runtime.Engine
	gate    *gate

	ledger     ledger.Ledger
	queue      *jobs.Queue
	dispatcher *jobs.Dispatcher
	jobMetrics *admin.JobMetrics
	attempts   sync.Map // *abi.Request of a job that runs -> *jobs.Attempt
	outbound   *outbound.Client
	port       atomic.Int32 // that the site listens on; 0 for none so far

	site      atomic.Pointer[site]
	reloading sync.Mutex
	listening atomic.Bool
	cold      chan struct{} // holds something while functions are to be warmed
}

// Open reads the site and makes it ready to be invoked. It listens to nothing
// until Run. The caller closes the Host.
func Open(ctx context.Context, options Options) (*Host, error) {
	h := &Host{options: options.withDefaults(), cold: make(chan struct{}, 1)}
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
	h.engine, err = runtime.New(ctx, runtime.Config{
		CacheDir: h.data.join("cache"), Compiler: o.Compiler, Caps: o.Caps, MemoryBudget: o.MemoryBudget, Log: h.log,
	})
	if err != nil {
		return err
	}
	h.gate = newGate(o.Concurrency, o.Queue, &abi.Error{
		What:    abi.FaultHostBusy,
		Message: fmt.Sprintf("the host is at its limit of %d invocations and %d waiting", o.Concurrency, o.Queue),
	})
	h.metrics = admin.NewMetrics(o.Version, h.engine.MemoryUsed, o.MemoryBudget)
	h.outbound = outbound.New(outbound.Config{Site: inside{h}})
	if err = h.openJobs(ctx); err != nil {
		return err
	}
	if h.admin, err = h.newAdmin(); err != nil {
		return err
	}
	if err := h.Reload(ctx); err != nil {
		return err
	}
	if err := h.engine.PruneCache(); err != nil {
		h.log.Warn("cache not pruned", "error", err.Error())
	}
	return nil
}

// DefaultCaps are those of Options and Program without any.
func DefaultCaps() runtime.Caps { return runtime.DefaultCaps() }

// Compile is what the program behind Options.Compiler has to call; it returns
// the exit code.
func Compile(ctx context.Context) int { return runtime.Compile(ctx, os.Stdin, os.Stdout) }

func (o Options) withDefaults() Options {
	if o.Data == "" {
		o.Data = filepath.Join(o.Dir, ".cloche")
	}
	if o.MemoryBudget == 0 {
		o.MemoryBudget = memoryBudget()
	}
	if o.Caps == (runtime.Caps{}) {
		o.Caps = DefaultCaps()
	}
	if o.Concurrency == 0 {
		o.Concurrency = DefaultConcurrency
	}
	if o.Queue == 0 {
		o.Queue = DefaultQueue
	}
	o.Queue = max(o.Queue, 0)
	if o.Drain == 0 {
		o.Drain = DefaultDrain
	}
	if o.Log == nil {
		o.Log = slog.DiscardHandler
	}
	return o
}

// Run serves the site on public and its admin API on private until ctx ends: it
// then is no longer ready, lets running requests end, and closes the admin API
// last. It closes both listeners. In dev it watches the site; a value from reload
// has it read anew.
func (h *Host) Run(ctx context.Context, public, private net.Listener, reload <-chan os.Signal) error {
	defer public.Close()
	defer private.Close()
	if err := h.announce(private.Addr()); err != nil {
		return err
	}
	defer h.data.forget(adminAddress)
	if tcp, ok := public.Addr().(*net.TCPAddr); ok {
		h.port.Store(int32(tcp.Port))
	}

	inner := newGroup(context.WithoutCancel(ctx)) // outlives the requests
	inner.start(h.usage.Run)
	inner.start(func(ctx context.Context) error { return h.admin.Serve(ctx, private) })
	outer := newGroup(ctx)
	outer.start(func(ctx context.Context) error { return h.newFront().Serve(ctx, public) })
	outer.start(h.dispatcher.Run)
	outer.start(func(ctx context.Context) error { return h.reloads(ctx, reload) })
	outer.start(h.warm)
	if h.options.Dev {
		outer.start(h.watch)
	}
	h.listening.Store(true)
	context.AfterFunc(outer.ctx, func() { h.listening.Store(false) })
	context.AfterFunc(inner.ctx, outer.cancel) // without counters or admin there is no serving
	err := outer.wait()
	inner.cancel()
	return errors.Join(err, inner.wait())
}

func (h *Host) newFront() *front.Server {
	cfg := h.options.Front
	cfg.Dev, cfg.Log, cfg.DrainTimeout, cfg.Refused = h.options.Dev, h.log, h.options.Drain, h.refused
	return front.New(h, cfg)
}

// Close gives everything back, in the order opposite to Open's. Run has ended.
func (h *Host) Close() error {
	ctx := context.Background()
	var errs []error
	if s := h.site.Swap(nil); s != nil {
		s.release()
	}
	if h.outbound != nil {
		h.outbound.Close()
	}
	if h.ledger != nil {
		errs = append(errs, h.ledger.Close(ctx))
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
