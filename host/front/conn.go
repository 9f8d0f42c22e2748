package front

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/cloche-run/cloche/abi"
)

// conn is one connection, between the wire and fasthttp.
type conn struct {
	net.Conn
	listener *listener
	peer     peer
	opened   time.Time
	// ctx is that of every request on the connection: it ends when the client
	// has gone, when the connection is over, or when draining is.
	ctx    context.Context
	cancel context.CancelFunc

	// seat belongs to the goroutine that serves the connection.
	seat *seat

	busy     atomic.Int32 // one of idle, taken, shut
	served   atomic.Bool  // a request has been answered
	invoking atomic.Bool  // the Handler is at work
	lingers  atomic.Bool  // the client may still be sending what we will not read
}

// What a connection is doing, as far as draining is concerned. Whoever changes
// it from idle decides: the request that arrives, or the drain.
const (
	idle int32 = iota
	taken
	shut
)

// seat is the memory one connection needs for one request at a time.
type seat struct {
	reader    reader
	resp      abi.Response
	header    abi.Header // room for that of resp
	sink      sink
	id        [ulid.EncodedSize]byte
	forwarded []byte
}

func newSeat() *seat {
	return &seat{
		reader: reader{buf: make([]byte, HeadBytes+windowBytes)},
		header: make(abi.Header, 0, 32),
	}
}

// Read is where fasthttp gets its bytes from: the reader.
func (c *conn) Read(p []byte) (int, error) {
	g := &c.seat.reader
	if g.phase == phaseDone && g.answered {
		c.served.Store(true)
		c.busy.CompareAndSwap(taken, idle)
		if c.listener.draining.Load() {
			return 0, io.EOF
		}
	}
	fresh := g.phase == phaseIdle || g.phase == phaseDone
	n, err := g.Read(p)
	if err == nil && fresh && !c.busy.CompareAndSwap(idle, taken) {
		return 0, net.ErrClosed
	}
	return n, err
}

// admit gives a request with a sound head its identity, its client and its
// header, and refuses those meant for somebody else.
func (c *conn) admit(q *request) error {
	s := c.listener.server
	c.identify()
	o := s.origin(&c.peer, q)
	if o.host == "" {
		o.host = c.peer.local
	}
	q.req.Scheme, q.req.Host = o.scheme, o.host
	switch {
	case !validAuthority(o.host):
		return refusal(abi.FaultBadRequest, "bad X-Forwarded-Host")
	case len(s.hosts) > 0 && !s.hosts[hostKey(o.host)]:
		return refusal(abi.FaultMisdirected, "this host is not served here")
	}
	c.seat.forwarded = s.dress(q, &c.peer, o, c.seat.forwarded[:0])
	return nil
}

// identify gives the request its id, once.
func (c *conn) identify() {
	req := &c.seat.reader.req
	if req.ID != "" {
		return
	}
	putID(c.seat.id[:])
	req.ID, req.RemoteAddr = text(c.seat.id[:]), c.peer.addr
}

// NewID makes a request's id, for requests that come in otherwise.
func NewID() string {
	var id [ulid.EncodedSize]byte
	putID(id[:])
	return string(id[:])
}

// putID writes a ULID: the time and 80 random bits.
func putID(dst []byte) {
	var id ulid.ULID
	_ = id.SetTime(ulid.Now())
	_, _ = rand.Read(id[6:])
	_ = id.MarshalTextTo(dst)
}

// closeIdle closes the connection unless a request has begun on it.
func (c *conn) closeIdle() {
	if c.busy.CompareAndSwap(idle, shut) {
		c.Conn.Close()
	}
}

// How long, and for how much, such a client is listened to.
const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 2 * abi.RequestBodyBytes
)

// Close ends the connection. A client that is still sending when we close would
// get a reset, and might lose the answer that says why: then we stop writing and
// read on for a moment.
func (c *conn) Close() error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok && c.lingers.Swap(false) {
		_ = tcp.CloseWrite()
		_ = tcp.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.CopyN(io.Discard, tcp, lingerBytes)
	}
	return c.Conn.Close()
}
