package host

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync/atomic"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/admin"
	"github.com/cloche-run/cloche/host/config"
	"github.com/cloche-run/cloche/host/jobs"
	"github.com/cloche-run/cloche/host/outbound"
	"github.com/cloche-run/cloche/runtime"
)

// function is one function of a site. It does not change; a reload that finds
// the same module under the same settings takes it over into the new site.
type function struct {
	source
	settings  config.Function
	variables []runtime.Variable
	digest    [sha256.Size]byte
	included  files
	hosts     outbound.Hosts
	bytes     int

	loaded *runtime.Function // nil if broken is set
	broken error             // why it cannot be invoked
	// stale says why a newer version of it is not served.
	stale atomic.Pointer[string]
	// unready says why its guest does not get ready.
	unready atomic.Pointer[string]
	warmed  atomic.Bool

	gate    *gate
	metrics *admin.FunctionMetrics
	// sites is the number of sites that hold the function; the last one closes it.
	sites atomic.Int32
}

// load makes a function from its source, or takes old over if nothing changed.
// It never fails: a function that cannot be invoked says why when it is called.
func (h *Host) load(ctx context.Context, site *os.Root, base string, src source, settings config.Function, variables []runtime.Variable, old *function) *function {
	f := &function{source: src, settings: settings, variables: variables, metrics: h.metrics.Function(src.name)}
	f.gate = newGate(settings.Concurrency, settings.Queue, &abi.Error{
		What:    abi.FaultFunctionBusy,
		Message: fmt.Sprintf("function %s is at its limit of %d invocations and %d waiting", src.name, settings.Concurrency, settings.Queue),
	})
	err := f.compile(ctx, h, site, base, old)
	if err == nil && f.loaded != nil && old != nil && old.loaded != nil {
		if err = f.warm(ctx); err != nil { // the old version can stay
			_ = f.loaded.Close(ctx)
			f.loaded = nil
		}
	}
	switch {
	case f.loaded == nil && err == nil: // unchanged
		old.stale.Store(nil)
		return old
	case err != nil && old != nil && old.loaded != nil:
		reason := err.Error()
		old.stale.Store(&reason)
		h.log.Error("function not reloaded, its last version stays", "function", f.name, "error", err.Error())
		return old
	case err != nil:
		f.broken = fmt.Errorf("%s: %w", f.file, err)
		h.log.Error("function not loaded", "function", f.name, "error", f.broken.Error())
	}
	return f
}

// compile reads and loads the module; without error and without loaded if old is the same.
func (f *function) compile(ctx context.Context, h *Host, site *os.Root, base string, old *function) error {
	if f.problem != "" {
		return fmt.Errorf("%s", f.problem)
	}
	f.hosts = h.allowed(f.settings)
	module, err := readModule(site, f.file, h.options.Caps.ModuleBytes)
	if err != nil {
		return err
	}
	f.digest, f.bytes = digest(module), len(module)
	if f.included, err = include(site, base, h.dataWithin(site), f.settings.IncludedFiles); err != nil {
		return err
	}
	if old.same(f) {
		return nil
	}
	f.loaded, err = h.engine.Load(ctx, module, runtime.FunctionConfig{
		Name:     f.name,
		Protocol: f.settings.Protocol, Isolation: f.settings.Isolation,
		Limits: runtime.Limits{
			MemoryPages: uint32(f.settings.MemoryBytes / abi.PageBytes),
			Timeout:     f.settings.Timeout,
			Fuel:        f.settings.Fuel,
			StackBytes:  h.options.StackBytes,
		},
		Env: f.variables, TmpBytes: f.settings.TmpBytes, Files: f.included.fs,
		Log: h.guestLog(f.name), Fetch: h.fetcher(f.hosts),
	})
	return err
}

// warm has a handler get ready ahead of its first request. A command shows that
// it gets ready with its first answer: it may be all it does, and take as long.
func (f *function) warm(ctx context.Context) error {
	if f.loaded == nil || f.loaded.Kind() != runtime.KindHandler || f.warmed.Swap(true) {
		return nil
	}
	err := f.loaded.Warm(ctx)
	var fault abi.Faulter
	if errors.As(err, &fault) && fault.Fault() == abi.FaultDeadline { // perhaps the machine was busy
		err = f.loaded.Warm(ctx)
	}
	var busy *abi.Error
	if errors.As(err, &busy) || ctx.Err() != nil { // its requests will tell
		return nil
	}
	return err
}

// warm has the site's functions get ready, one after the other, whenever there
// are new ones.
func (h *Host) warm(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-h.cold:
		}
		if s, err := h.acquire(); err == nil {
			s.warm(ctx, h)
			s.release()
		}
	}
}

func (s *site) warm(ctx context.Context, h *Host) {
	for _, name := range slices.Sorted(maps.Keys(s.functions)) {
		f := s.functions[name]
		if err := f.warm(ctx); err != nil {
			reason := err.Error()
			f.unready.Store(&reason)
			h.log.Error("function not ready", "function", name, "error", reason)
		}
	}
}

// digest is SHA-256 with moments between at which the scheduler and the collector
// can have the thread: it is assembly, and 32 MiB take it 25 ms or more.
func digest(content []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	for piece := range slices.Chunk(content, 64<<10) {
		h.Write(piece)
	}
	h.Sum(sum[:0])
	return sum
}

// dataWithin is the data directory as the site sees it, "" if it lies elsewhere.
func (h *Host) dataWithin(site *os.Root) string {
	data, err := filepath.Abs(h.options.Data)
	if err != nil {
		return ""
	}
	relative, err := filepath.Rel(site.Name(), data)
	if err != nil || !filepath.IsLocal(relative) {
		return ""
	}
	return filepath.ToSlash(relative)
}

// same reports whether f would be what old is.
func (old *function) same(f *function) bool {
	return old != nil && old.loaded != nil && old.digest == f.digest && old.included.digest == f.included.digest &&
		reflect.DeepEqual(old.settings, f.settings) && reflect.DeepEqual(old.variables, f.variables)
}

func (f *function) retain() { f.sites.Add(1) }

func (f *function) release(ctx context.Context) {
	if f.sites.Add(-1) == 0 && f.loaded != nil {
		_ = f.loaded.Close(ctx)
	}
}

// ready is nil if the function can be called.
func (f *function) ready() error {
	if f.loaded != nil {
		return nil
	}
	return &abi.Error{What: abi.FaultFunctionNotReady, Message: "function " + f.name + " could not be loaded", Detail: f.broken.Error()}
}

// kind is how the function is called, "" if it is not loaded.
func (f *function) kind() string {
	if f.loaded == nil {
		return ""
	}
	return f.loaded.Kind()
}

// guestLog returns what takes the lines a function logs: the log, and the job if
// one runs.
func (h *Host) guestLog(name string) func(*abi.Request, []byte) {
	return func(req *abi.Request, line []byte) {
		attrs := []slog.Attr{slog.String("function", name), slog.String("request", ""), slog.String("stream", "stderr")}
		if req != nil { // else the guest gets ready
			attrs[1] = slog.String("request", req.ID)
			if a, ok := h.attempts.Load(req); ok {
				a.(*jobs.Attempt).Log(line)
				attrs = append(attrs, slog.String("job", req.Header.Get(abi.HeaderJob)))
			}
		}
		h.log.LogAttrs(context.Background(), slog.LevelInfo, string(line), attrs...)
	}
}
