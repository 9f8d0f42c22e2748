package front

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
)

// hello is the hot path: a request as curl or a browser makes it, a short answer.
var hello = handlerFunc(func(_ context.Context, _ *abi.Request, resp *abi.Response) error {
	resp.Status = 200
	resp.Header.Add("content-type", "text/plain")
	_, err := resp.Body.Write(greeting)
	return err
})

var greeting = []byte("hello")

const browser = "GET /.netlify/functions/hello?name=world HTTP/1.1\r\nHost: 127.0.0.1:8888\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\nConnection: keep-alive\r\nCookie: session=0123456789abcdef\r\n\r\n"

// loop is a connection without a network: it plays the same request again and
// again, each when the one before was answered.
type loop struct {
	raw     []byte
	left    int           // requests to play
	unread  []byte        // of the current one
	written bytes.Buffer  // the latest answer
	over    chan struct{} // closed when all were answered
	once    sync.Once
}

func (l *loop) Read(p []byte) (int, error) {
	if len(l.unread) == 0 {
		if l.left--; l.left < 0 {
			l.once.Do(func() { close(l.over) })
			return 0, io.EOF
		}
		l.unread = l.raw
		l.written.Reset()
	}
	n := copy(p, l.unread)
	l.unread = l.unread[n:]
	return n, nil
}

func (l *loop) Write(p []byte) (int, error) { return l.written.Write(p) }
func (l *loop) Close() error                { return nil }
func (l *loop) LocalAddr() net.Addr         { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (l *loop) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 99} }
func (l *loop) SetDeadline(time.Time) error      { return nil }
func (l *loop) SetReadDeadline(time.Time) error  { return nil }
func (l *loop) SetWriteDeadline(time.Time) error { return nil }

// single is a listener that hands out the connections it is given.
type single struct {
	conns chan net.Conn
	once  sync.Once
}

func (s *single) Accept() (net.Conn, error) {
	if c, ok := <-s.conns; ok {
		return c, nil
	}
	return nil, errors.New("use of closed network connection")
}
func (s *single) Close() error   { s.once.Do(func() { close(s.conns) }); return nil }
func (s *single) Addr() net.Addr { return &net.TCPAddr{} }

// play sends raw n times through a whole server, over as many connections as
// RequestsPerConn asks for.
func play(t testing.TB, ln *single, raw string, n int) {
	t.Helper()
	for n > 0 {
		l := &loop{raw: []byte(raw), left: min(n, RequestsPerConn-1), over: make(chan struct{})}
		n -= l.left
		ln.conns <- l
		<-l.over
		if !strings.HasPrefix(l.written.String(), "HTTP/1.1 200") {
			t.Fatalf("got %q", l.written.String())
		}
	}
}

// TestAllocations holds the hot path to its budget: what a request costs in
// front. One is fasthttp's: the first byte of a request when ReduceMemoryUsage
// is on.
func TestAllocations(t *testing.T) {
	if raced() {
		t.Skip("the race detector allocates")
	}
	for name, c := range map[string]struct {
		raw    string
		budget float64
	}{
		"hello":   {browser, 1.5},
		"a body":  {"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 1.5},
		"chunked": {"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 1.5},
	} {
		ln := &single{conns: make(chan net.Conn)}
		stop := serve(t, hello, Config{}, ln)
		play(t, ln, c.raw, 1000)
		const rounds = RequestsPerConn - 1
		got := testing.AllocsPerRun(5, func() { play(t, ln, c.raw, rounds) }) / rounds
		if got > c.budget {
			t.Errorf("%s: %.2f allocations a request, want at most %.2f", name, got, c.budget)
		}
		t.Logf("%s: %.3f allocations a request", name, got)
		_ = stop()
	}
}

// BenchmarkFront is the cost of front and fasthttp without a network.
func BenchmarkFront(b *testing.B) {
	ln := &single{conns: make(chan net.Conn)}
	serve(b, hello, Config{}, ln)
	play(b, ln, browser, 1000)
	b.ReportAllocs()
	b.ResetTimer()
	play(b, ln, browser, b.N)
}

// BenchmarkReader is the cost of reading and judging one request.
func BenchmarkReader(b *testing.B) {
	c := &conn{
		Conn:     &loop{raw: []byte(browser), left: math.MaxInt},
		listener: &listener{server: New(hello, Config{})},
		seat:     newSeat(),
	}
	c.peer = c.listener.server.meet(c.Conn)
	g, p := &c.seat.reader, make([]byte, 4096)
	g.open(c.Conn, c, nil)
	b.ReportAllocs()
	for b.Loop() {
		g.answered = g.phase == phaseDone
		for done := false; !done; done = g.phase == phaseDone && len(g.out) == 0 {
			if _, err := c.Read(p); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkLoopback is a request and its answer over a real connection.
func BenchmarkLoopback(b *testing.B) {
	addr := start(b, hello, Config{})
	var c *client
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%(RequestsPerConn-1) == 0 {
			c = dial(b, addr)
		}
		c.send(browser)
		for line := []byte(nil); !bytes.HasSuffix(line, []byte("\n\r\n")); {
			if _, err := c.r.Peek(c.r.Buffered() + 1); err != nil {
				b.Fatal(err)
			}
			line, _ = c.r.Peek(c.r.Buffered())
			line = bytes.TrimSuffix(line, []byte("hello"))
		}
		_, _ = c.r.Discard(c.r.Buffered())
	}
}

// raced reports whether the race detector is on: sync.Pool then drops at random.
func raced() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
