package front

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/cloche-run/cloche/abi"
)

// listener lets connections in and keeps count of them.
type listener struct {
	net.Listener
	server   *Server
	ctx      context.Context // of the requests; not that of Serve
	draining atomic.Bool

	mu     sync.Mutex
	conns  map[*conn]struct{}
	perIP  map[netip.Addr]int
	turned int // of conns, those admitted to be refused
}

// spareConns is how many connections over the limit are let in to be told so;
// those beyond are closed unheard.
const spareConns = 64

// Accept returns the next connection. Running out of file descriptors is no
// reason to stop: it waits for some to come free.
func (l *listener) Accept() (net.Conn, error) {
	for wait := 5 * time.Millisecond; ; {
		nc, err := l.Listener.Accept()
		switch {
		case err == nil:
			if c := l.admit(nc); c != nil {
				return c, nil
			}
			nc.Close()
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ECONNABORTED):
			l.server.cfg.Log.Warn("cannot accept a connection", "error", err)
			time.Sleep(wait)
			wait = min(2*wait, time.Second)
		default:
			return nil, err
		}
	}
}

// admit takes a connection in, or returns nil. One that is over a limit is
// admitted to hear so: its first request is refused.
func (l *listener) admit(nc net.Conn) *conn {
	c := &conn{Conn: nc, listener: l, peer: l.server.meet(nc), opened: time.Now()}
	cfg := &l.server.cfg
	l.mu.Lock()
	defer l.mu.Unlock()
	var full error
	switch {
	case len(l.conns)-l.turned >= cfg.Connections:
		full = refusal(abi.FaultHostBusy, "too many connections")
	case l.perIP[c.peer.holder()] >= cfg.MaxConnsPerIP && c.peer.counted(cfg):
		full = refusal(abi.FaultClientBusy, "too many connections from one address")
	}
	if full != nil {
		if l.turned == spareConns {
			return nil
		}
		l.turned++
	}
	l.conns[c] = struct{}{}
	l.perIP[c.peer.holder()]++
	c.ctx, c.cancel = context.WithCancel(l.ctx)
	c.seat, _ = l.server.seats.Get().(*seat)
	c.seat.reader.open(nc, c, full)
	return c
}

// counted reports whether the limit per address applies to p.
func (p *peer) counted(cfg *Config) bool {
	return cfg.MaxConnsPerIP > 0 && !p.trusted && !p.ip.IsLoopback()
}

// state learns from fasthttp, in the goroutine that served it, that a
// connection is over.
func (l *listener) state(nc net.Conn, s fasthttp.ConnState) {
	c, ok := nc.(*conn)
	if !ok || s != fasthttp.StateClosed {
		return
	}
	c.cancel()
	l.mu.Lock()
	delete(l.conns, c)
	if c.seat.reader.full != nil {
		l.turned--
	}
	holder := c.peer.holder()
	if l.perIP[holder]--; l.perIP[holder] == 0 {
		delete(l.perIP, holder)
	}
	l.mu.Unlock()
	c.seat.reader.open(nil, nil, nil)
	l.server.seats.Put(c.seat)
	c.seat = nil
}

// each calls f with every open connection.
func (l *listener) each(f func(*conn)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		f(c)
	}
}

// open is how many connections there are.
func (l *listener) open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
}
