// Package front is HTTP in and out: it checks what a client sent, gives a
// clean abi.Request to a Handler, and writes what the Handler answered. It is
// the only room that knows fasthttp, and the only one where an error becomes an
// HTTP status.
//
// A connection passes through three hands. The listener lets it in (listen.go).
// The reader reads it from the wire, judges every byte of the head and of the
// framing, and feeds fasthttp one request at a time in a form of our own making
// (reader.go, head.go, chunk.go). The exchange calls the Handler and writes the
// answer (answer.go, failure.go).
package front

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/cloche-run/cloche/abi"
)

// Handler answers one request. It fills resp.Status and resp.Header and writes
// resp.Body; an error replaces whatever it set. The request's strings and body
// die when Invoke returns. ctx ends when the client has gone away or when the
// server has run out of patience while draining.
type Handler interface {
	Invoke(ctx context.Context, req *abi.Request, resp *abi.Response) error
}

// Config is what a Server can be told. Its zero value is ready for use.
type Config struct {
	// Dev shows stacks to clients and an HTML page to browsers.
	Dev bool
	// Log receives panics, internal errors and trouble with the listener. nil
	// discards them.
	Log *slog.Logger

	// Hosts are the names that are answered, without regard to case or port; all
	// others get 421. Empty accepts every name. From a trusted proxy the name is
	// that of X-Forwarded-Host, if there is one.
	Hosts []string
	// TrustedProxies are the peers whose X-Forwarded-* headers are believed.
	TrustedProxies []netip.Prefix

	// Connections is how many may be open at once (default 4096). Those above
	// it are answered 503, or closed when there are too many even for that.
	Connections int
	// MaxConnsPerIP is how many one IPv4 address or IPv6 /64 may hold (default
	// 256, negative is no limit); those above it are answered 429. It never
	// applies to loopback and trusted proxies.
	MaxConnsPerIP int

	// ReadTimeout is for a whole request from its first byte to the end of its
	// body (default 10 s), WriteTimeout for a whole response (30 s), IdleTimeout
	// for the wait for a next request (30 s).
	ReadTimeout, WriteTimeout, IdleTimeout time.Duration
	// DrainTimeout is how long requests may go on once Serve was told to stop
	// (default 15 s).
	DrainTimeout time.Duration

	// AccountID and SiteID are what functions see in x-nf-account-id and
	// x-nf-site-id; an empty SiteID is sent as "unlinked", as netlify-cli does.
	AccountID, SiteID string

	// Refused, if set, is told about every request that did not reach the
	// Handler. req holds what was understood of it and dies on return.
	Refused func(req *abi.Request, err error)
}

// Limits of a connection that are not configurable.
const (
	// HeadBytes is the largest request line and fields: 414 or 431 beyond it.
	HeadBytes = 16 << 10
	// TargetBytes is the longest request target: 414 beyond it.
	TargetBytes = 8 << 10
	// MethodBytes is the longest method: 400 beyond it.
	MethodBytes = 32
	// RequestFields is how many header fields a request may have, and how many
	// trailer fields: 431 beyond it.
	RequestFields = 100
	// ChunkLineBytes is the longest chunk-size line, extensions included.
	ChunkLineBytes = 256
	// FramingBytes is what the chunk-size lines of one body may take together;
	// with HeadBytes, TrailerBytes and abi.RequestBodyBytes it bounds what one
	// request can put on the wire.
	FramingBytes = abi.RequestBodyBytes / 10
	// TrailerBytes is the largest trailer section. Trailers are checked, then
	// dropped.
	TrailerBytes = 4 << 10
	// RequestsPerConn is how many requests a connection serves before it closes.
	RequestsPerConn = 1000
)

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Connections = orInt(c.Connections, 4096)
	c.MaxConnsPerIP = orInt(c.MaxConnsPerIP, 256)
	c.ReadTimeout = orDuration(c.ReadTimeout, 10*time.Second)
	c.WriteTimeout = orDuration(c.WriteTimeout, 30*time.Second)
	c.IdleTimeout = orDuration(c.IdleTimeout, 30*time.Second)
	c.DrainTimeout = orDuration(c.DrainTimeout, 15*time.Second)
	if c.SiteID == "" {
		c.SiteID = "unlinked"
	}
	return c
}

func orInt(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

func orDuration(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// Server answers requests with a Handler. It is immutable and may serve several
// listeners.
type Server struct {
	handler Handler
	cfg     Config
	hosts   map[string]bool
	seats   sync.Pool
}

// New makes a Server. It listens to nothing until Serve.
func New(h Handler, cfg Config) *Server {
	s := &Server{handler: h, cfg: cfg.withDefaults(), hosts: map[string]bool{}}
	for _, name := range cfg.Hosts {
		s.hosts[hostKey(name)] = true
	}
	s.seats.New = func() any { return newSeat() }
	return s
}
