package host

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/config"
	"github.com/cloche-run/cloche/host/jobs"
)

// site is the functions of one netlify.toml as they stood at one moment. It is
// immutable and closes when its last invocation has ended.
type site struct {
	config    *config.Config
	functions map[string]*function
	policies  map[string]jobs.Policy // of the jobs of each
	misnamed  map[string]string      // name to file of what cannot be served
	url       string                 // of the site as its visitors know it; "" if nobody said

	// users is 1 while the site is current, plus 1 for each invocation.
	users atomic.Int64
	done  func()
}

var errNotReady = &abi.Error{What: abi.FaultNotReady, Message: "the site is not being served"}

// openSite reads the site directory. old, if not nil, lends what did not change.
func (h *Host) openSite(ctx context.Context, old *site) (*site, error) {
	cfg, err := config.Load(h.options.Dir, h.options.Context)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(cfg.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	dir, err := filepath.Rel(cfg.Root, cfg.Functions)
	if err != nil {
		return nil, err
	}
	sources, misnamed, err := discover(root, filepath.ToSlash(dir))
	if err != nil {
		return nil, err
	}
	if len(sources) == 0 {
		return nil, fmt.Errorf("no functions in %s: put a NAME.wasm there, or name another directory in netlify.toml, [functions] directory", cfg.Functions)
	}
	variables, err := h.siteVariables(cfg)
	if err != nil {
		return nil, err
	}
	s := &site{config: cfg, url: variables["URL"], misnamed: map[string]string{}, functions: make(map[string]*function, len(sources)), policies: make(map[string]jobs.Policy, len(sources))}
	for _, m := range misnamed {
		s.misnamed[m.name] = m.file
	}
	s.users.Store(1)
	s.done = func() { s.close(context.WithoutCancel(ctx)) }
	s.loadAll(ctx, h, root, sources, variables, old)
	return s, ctx.Err()
}

// loadAll loads the functions, as many at a time as there are processors.
func (s *site) loadAll(ctx context.Context, h *Host, root *os.Root, sources []source, variables map[string]string, old *site) {
	loaded := make([]*function, len(sources))
	base, _ := filepath.Rel(s.config.Root, s.config.Base) // both are absolute
	var group sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, src := range sources {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			settings := s.config.Function(src.name)
			loaded[i] = h.load(ctx, root, filepath.ToSlash(base), src, settings, granted(variables, settings.Env), old.function(src.name))
		})
	}
	group.Wait()
	for _, f := range loaded {
		f.retain()
		s.functions[f.name] = f
		s.policies[f.name] = policyOf(f.settings)
	}
}

func (s *site) function(name string) *function {
	if s == nil {
		return nil
	}
	return s.functions[name]
}

// acquire returns the current site, held until release. Matching and invoking
// use the same site, or a reload in between would route by one and run another.
func (h *Host) acquire() (*site, error) {
	for {
		s := h.site.Load()
		if s == nil {
			return nil, errNotReady
		}
		if s.hold() {
			return s, nil
		}
	}
}

func (s *site) hold() bool {
	for {
		n := s.users.Load()
		if n == 0 {
			return false
		}
		if s.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (s *site) release() {
	if s.users.Add(-1) == 0 {
		s.done()
	}
}

func (s *site) close(ctx context.Context) {
	for _, f := range s.functions {
		f.release(ctx)
	}
}

// Reload reads the site anew and swaps it in; running invocations end on the old
// one. After an error the old one stays.
func (h *Host) Reload(ctx context.Context) error {
	h.reloading.Lock()
	defer h.reloading.Unlock()
	old := h.site.Load()
	next, err := h.openSite(ctx, old)
	if err != nil {
		if next != nil {
			next.release()
		}
		return err
	}
	h.report(next)
	h.site.Store(next)
	select {
	case h.cold <- struct{}{}:
	default:
	}
	h.metrics.Retain(slices.Collect(maps.Keys(next.functions)))
	h.dispatcher.Changed()
	if old != nil {
		old.release()
	}
	return nil
}

// report logs what a person should know about a site that was read.
func (h *Host) report(s *site) {
	warnings := append(s.config.Unmatched(slices.Collect(maps.Keys(s.functions))), s.config.Warnings...)
	for _, w := range warnings {
		h.log.Warn("netlify.toml", "line", w.Line, "key", w.Key, "error", w.Message)
	}
	for _, name := range slices.Sorted(maps.Keys(s.functions)) {
		for _, to := range []string{s.policies[name].OnSuccess, s.policies[name].OnFailure} {
			if reason := h.unreachable(s, name, to); reason != "" {
				h.log.Warn("nobody to tell how jobs end", "function", name, "error", reason)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.misnamed)) {
		h.log.Warn("not a function name", "file", s.misnamed[name],
			"error", fmt.Sprintf("%q: use letters, digits, hyphen and underscore, at most %d", name, abi.NameBytes))
	}
}

// errUnknown is Netlify's answer, word for word.
var errUnknown = &abi.Error{What: abi.FaultUnknownFunction, Message: "Function not found..."}

// errBadName is Netlify's answer to a file with a name it does not serve.
var errBadName = &abi.Error{
	What:    abi.FaultBadName,
	Message: "Function name should consist only of alphanumeric characters, hyphen & underscores.",
}
