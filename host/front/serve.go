package front

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/cloche-run/cloche/abi"
)

// Serve answers requests on ln until ctx is done. Then it stops accepting,
// closes the connections that wait for a request, lets those at work finish,
// and returns. Requests still running after Config.DrainTimeout have their
// context ended and a moment to say so; connections left after that are cut and
// reported as an error. Serve closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	l := &listener{
		Listener: ln, server: s, ctx: requests,
		conns: map[*conn]struct{}{}, perIP: map[netip.Addr]int{},
	}
	http := s.fasthttp(l)
	served, watched := make(chan error, 1), make(chan struct{})
	go func() { served <- http.Serve(l) }()
	go func() { l.watch(requests); close(watched) }()

	var err error
	select {
	case err = <-served:
		if err == nil {
			err = net.ErrClosed
		}
		err = fmt.Errorf("front: accept: %w", err)
		_ = l.drain(http, cut)
	case <-ctx.Done():
		err = l.drain(http, cut)
		_ = ln.Close() // fasthttp does not close what it has not begun to serve
		<-served
	}
	cut()
	<-watched
	return err
}

// fasthttp is the engine below: what it reads has passed the reader, so its own
// limits are only a second line.
func (s *Server) fasthttp(l *listener) *fasthttp.Server {
	return &fasthttp.Server{
		Name:         "cloche",
		Handler:      l.answer,
		ErrorHandler: l.refuse,
		ConnState:    l.state,
		Logger:       quiet{s.cfg.Log},

		ReadTimeout:        s.cfg.ReadTimeout,
		WriteTimeout:       s.cfg.WriteTimeout,
		IdleTimeout:        s.cfg.IdleTimeout,
		Concurrency:        s.cfg.Connections + 2*spareConns, // ours counts first
		MaxRequestsPerConn: RequestsPerConn,
		MaxRequestBodySize: abi.RequestBodyBytes,

		// Buffers go back to their pools between requests: an idle connection
		// costs the reader's buffer, and no 6 MiB body stays with it.
		ReduceMemoryUsage:             true,
		CloseOnShutdown:               true,
		DisablePreParseMultipartForm:  true,
		DisableHeaderNamesNormalizing: true,
		NoDefaultContentType:          true,
		SecureErrorLogMessage:         true,
	}
}

// quiet keeps fasthttp's messages, which are about single clients, at the debug
// level.
type quiet struct{ log *slog.Logger }

func (q quiet) Printf(format string, args ...any) {
	if q.log.Enabled(context.Background(), slog.LevelDebug) {
		q.log.Debug("connection failed", "error", fmt.Sprintf(format, args...))
	}
}

const (
	// drainTick is how often a drain looks at its connections.
	drainTick = 20 * time.Millisecond
	// firstRequestTime is how long a connection that was just opened may take
	// to send its request although we are draining: it may be on the way.
	firstRequestTime = 500 * time.Millisecond
	// cutTime is how long requests have to end after their context did.
	cutTime = 2 * time.Second
)

// drain ends the listener's connections: idle ones now, busy ones when they
// have answered or when time is up.
func (l *listener) drain(http *fasthttp.Server, cut context.CancelFunc) error {
	l.draining.Store(true)
	down, stop := context.WithCancel(context.Background())
	defer stop()
	shutdown := make(chan struct{})
	go func() { _ = http.ShutdownWithContext(down); close(shutdown) }()

	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	soft := time.After(l.server.cfg.DrainTimeout)
	var hard <-chan time.Time
	for {
		select {
		case <-shutdown:
			return nil
		case <-soft:
			cut()
			hard = time.After(cutTime)
		case <-hard:
			stop()
			<-shutdown
			n := l.open()
			l.each(func(c *conn) { c.Conn.Close() })
			return fmt.Errorf("front: drain: %d connections cut", n)
		case <-tick.C:
			l.each(func(c *conn) {
				if c.served.Load() || time.Since(c.opened) > firstRequestTime {
					c.closeIdle()
				}
			})
		}
	}
}
