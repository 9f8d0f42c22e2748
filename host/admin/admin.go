// Package admin is the listener of whoever runs the host: health, metrics,
// functions, usage and logs over HTTP, and the client that the CLI uses.
//
//	GET  /healthz                      200 while serving
//	GET  /readyz                       200 when functions can be called, 503 with reasons
//	GET  /metrics                      Prometheus, see Metrics
//	GET  /api/functions                {"functions":[Function...]}
//	POST /api/functions/{name}/invoke  Call -> Answer
//	POST /api/functions/{name}/pause   and resume: {"function","paused"}
//	GET  /api/jobs                     JobPage; ?function= &status= &limit= &cursor=
//	GET  /api/jobs/{id}                JobDetail
//	POST /api/jobs/{id}/cancel         Job
//	POST /api/jobs/{id}/replay         {"id"}
//	POST /api/jobs/purge               JobPurge -> {"purged"}
//	GET  /api/stats                    Stats
//	GET  /api/logs                     logs.Record a line; ?function= &request= &level= &since= &limit= &follow=1
//
// The first three are open when the listener is on a loopback address.
// Everything else needs "Authorization: Bearer" with the content of
// DATA/admin.token, and so does everything on any other listener. A Host header
// that is neither the listener's address nor a configured name is refused, so
// that no web page reaches the listener through a name of its own (DNS
// rebinding); there is no CORS. Errors are {"error":"what, and what to do"}.
package admin

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/cloche-run/cloche/host/logs"
	"github.com/cloche-run/cloche/host/usage"
)

// Limits of the listener.
const (
	// CallBytes is the largest JSON of a call: a payload of
	// abi.RequestBodyBytes in base64, or escaped, with its headers.
	CallBytes = 16 << 20
	// HeaderBytes is the largest header of a request.
	HeaderBytes = 16 << 10
	// DefaultRecords is how many records /api/logs returns, MaxRecords how many
	// it may be asked for.
	DefaultRecords = 1000
	MaxRecords     = 100_000
	// MaxFollowers is how many may follow the log at a time.
	MaxFollowers = 32
	// DrainTimeout is how long running calls may take once Serve has to end.
	DrainTimeout = 10 * time.Second
)

// Functions are those of the site that is served now.
type Functions interface {
	// List returns them in the order in which to show them. Usage is filled in
	// by the Server.
	List() []Function
}

// Invoker calls a function as a client of the site would.
type Invoker interface {
	// Invoke runs one invocation. An abi.Faulter says how it failed, with
	// abi.FaultUnknownFunction for a name there is none of; usage and logs of the
	// answer are reported also then. call belongs to the callee.
	Invoke(ctx context.Context, name string, call Call) (Answer, error)
}

// Readiness knows whether functions can be called.
type Readiness interface {
	// Unready returns the reasons why not, none when ready.
	Unready() []string
}

// Log is the log of the data directory; a *logs.Store is one.
type Log interface {
	Query(logs.Query) iter.Seq2[logs.Record, error]
	Follow(context.Context, logs.Query) iter.Seq2[logs.Record, error]
}

// Counters is what functions took; a *usage.Store is one.
type Counters interface {
	Snapshot() usage.Snapshot
}

// Config is what a Server needs. Every field is required but Hosts and Log.
type Config struct {
	// Data is the data directory; New makes admin.token in it if there is none.
	Data string
	// Hosts are names, without a port, by which clients may reach the listener.
	Hosts     []string
	Functions Functions
	Invoker   Invoker
	Ready     Readiness
	Jobs      Jobs
	Counters  Counters
	Logs      Log
	Metrics   *Metrics
	// Log takes what goes wrong in the Server itself; nil says nothing.
	Log *slog.Logger
}

// Server answers on one admin listener.
type Server struct {
	config Config
	token  token
	// followers holds one value for each that follows the log.
	followers chan struct{}
	// timeouts are fields so that tests need not wait for them.
	timeouts timeouts
}

// timeouts bound how long a client may take.
type timeouts struct {
	// header and request: to send its header, and all of it.
	header, request time.Duration
	// write: to take an answer, or a piece of one that is streamed.
	write time.Duration
	// idle: between two requests.
	idle time.Duration
	// drain: to end a call once Serve has to.
	drain time.Duration
}

// New makes a Server, and the token on the first start.
func New(config Config) (*Server, error) {
	c := config
	if c.Functions == nil || c.Invoker == nil || c.Ready == nil || c.Jobs == nil || c.Counters == nil || c.Logs == nil || c.Metrics == nil {
		return nil, errors.New("admin: incomplete Config")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	token, err := ensureToken(c.Data)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	return &Server{
		config:    c,
		token:     token,
		followers: make(chan struct{}, MaxFollowers),
		timeouts: timeouts{
			header: 5 * time.Second, request: 30 * time.Second,
			write: 30 * time.Second, idle: time.Minute, drain: DrainTimeout,
		},
	}, nil
}

// Serve answers on ln, which it closes, until ctx ends: then followers of the
// log are cut off, and running calls have DrainTimeout before their context
// ends. It returns when the last is over: nil if ctx ended.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	calls, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running running
	defer running.wait()
	defer cancel()
	server := s.server(calls)
	server.Handler = running.count(s.handler(ctx, ln.Addr()))
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }()
	select {
	case err := <-failed:
		_ = server.Close() // the listener is gone, and so must its connections
		return fmt.Errorf("admin: serve: %w", err)
	case <-ctx.Done():
	}
	drain, stop := context.WithTimeout(calls, s.timeouts.drain)
	defer stop()
	if err := server.Shutdown(drain); err != nil {
		s.config.Log.Warn("admin calls cut off at shutdown", "error", err)
		_ = server.Close() // they did not end in time
	}
	<-failed
	return nil
}

func (s *Server) server(calls context.Context) *http.Server {
	return &http.Server{
		ReadHeaderTimeout: s.timeouts.header,
		ReadTimeout:       s.timeouts.request,
		WriteTimeout:      s.timeouts.write,
		IdleTimeout:       s.timeouts.idle,
		MaxHeaderBytes:    HeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return calls },
		ErrorLog:          slog.NewLogLogger(s.config.Log.Handler(), slog.LevelWarn),
	}
}

// running counts requests, because closing an http.Server does not wait for them.
type running struct {
	mu   sync.RWMutex // held for reading by every request
	over bool
}

func (r *running) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.mu.RLock()
		defer r.mu.RUnlock()
		if !r.over {
			next.ServeHTTP(w, request)
		}
	})
}

// wait returns when the last request has ended; later ones do nothing.
func (r *running) wait() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
}

// handler routes requests; stopping ends when followers have to.
func (s *Server) handler(stopping context.Context, addr net.Addr) http.Handler {
	routes := http.NewServeMux()
	for pattern, handle := range map[string]http.Handler{
		"/healthz":                     only(http.MethodGet, healthy),
		"/readyz":                      only(http.MethodGet, s.ready),
		"/metrics":                     only(http.MethodGet, s.config.Metrics.handler(s.config.Log).ServeHTTP),
		"/api/functions":               only(http.MethodGet, s.functions),
		"/api/functions/{name}/invoke": only(http.MethodPost, s.invoke),
		"/api/functions/{name}/pause":  only(http.MethodPost, s.setPaused(true)),
		"/api/functions/{name}/resume": only(http.MethodPost, s.setPaused(false)),
		"/api/jobs":                    only(http.MethodGet, s.listJobs),
		"/api/jobs/{id}":               only(http.MethodGet, s.showJob),
		"/api/jobs/{id}/cancel":        only(http.MethodPost, s.cancelJob),
		"/api/jobs/{id}/replay":        only(http.MethodPost, s.replayJob),
		"/api/jobs/purge":              only(http.MethodPost, s.purgeJobs),
		"/api/stats":                   only(http.MethodGet, s.stats),
		"/api/logs": only(http.MethodGet, func(w http.ResponseWriter, r *http.Request) {
			s.logs(stopping, w, r)
		}),
		"/": http.HandlerFunc(unknown),
	} {
		routes.Handle(pattern, handle)
	}
	return s.guard(routes, addr)
}

// only answers other methods with 405. HEAD goes where GET goes.
func only(method string, handle http.HandlerFunc) http.Handler {
	allow := method
	if method == http.MethodGet {
		allow = "GET, HEAD"
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method && !(method == http.MethodGet && r.Method == http.MethodHead) {
			w.Header().Set("Allow", allow)
			fail(w, http.StatusMethodNotAllowed, "%s is not allowed here: use %s", r.Method, allow)
			return
		}
		handle(w, r)
	})
}

func unknown(w http.ResponseWriter, r *http.Request) {
	fail(w, http.StatusNotFound, "there is no %s on the admin listener", r.URL.Path)
}
