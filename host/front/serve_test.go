package front

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
)

// blocker is a Handler that says when it has begun and ends when told.
type blocker struct {
	began, end chan struct{}
	ended      chan error // why ctx ended
}

func newBlocker() *blocker {
	return &blocker{make(chan struct{}, 16), make(chan struct{}), make(chan error, 16)}
}

func (b *blocker) Invoke(ctx context.Context, _ *abi.Request, resp *abi.Response) error {
	b.began <- struct{}{}
	select {
	case <-b.end:
		resp.Status = 200
		return nil
	case <-ctx.Done():
		b.ended <- ctx.Err()
		return &abi.Error{What: abi.FaultCanceled, Message: "canceled"}
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

const simple = "GET /a HTTP/1.1\r\nHost: site.test\r\n\r\n"

func TestDrain(t *testing.T) {
	t.Parallel()
	ln, b := listen(t), newBlocker()
	stop := serve(t, b, Config{}, ln)
	busy, idle, half := dial(t, ln.Addr().String()), dial(t, ln.Addr().String()), dial(t, ln.Addr().String())
	idle.send(simple)
	<-b.began
	b.end <- struct{}{}
	if r, _, err := idle.receive("GET"); err != nil || r.StatusCode != 200 {
		t.Fatal(err)
	}
	busy.send(simple)
	<-b.began
	half.send(simple[:20])
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()

	if !idle.ended() {
		t.Error("an idle connection outlives the drain's begin")
	}
	half.send(simple[20:])
	<-b.began
	if c, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		c.Close()
		t.Error("the listener still accepts")
	}
	select {
	case err := <-stopped:
		t.Fatalf("Serve returned %v before its requests ended", err)
	default:
	}
	close(b.end)
	for name, c := range map[string]*client{"busy": busy, "half sent": half} {
		if r, _, err := c.receive("GET"); err != nil || r.StatusCode != 200 || !r.Close {
			t.Errorf("%s: got %v %v, want 200 and Connection: close", name, r.Response, err)
		}
		if !c.ended() {
			t.Errorf("%s: the connection goes on", name)
		}
	}
	if err := <-stopped; err != nil {
		t.Errorf("Serve returned %v", err)
	}
}

func TestDrainRunsOutOfPatience(t *testing.T) {
	t.Parallel()
	ln, b := listen(t), newBlocker()
	stop := serve(t, b, Config{DrainTimeout: 50 * time.Millisecond}, ln)
	c := dial(t, ln.Addr().String())
	c.send(simple)
	<-b.began
	if err := stop(); err != nil {
		t.Errorf("Serve returned %v", err)
	}
	if err := <-b.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the request's context ended by %v", err)
	}
	if r, _, err := c.receive("GET"); err != nil || r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("got %v %v, want 503", r.Response, err)
	}
}

func TestDrainCutsWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	ln := listen(t)
	began, end := make(chan struct{}), make(chan struct{})
	stop := serve(t, handlerFunc(func(context.Context, *abi.Request, *abi.Response) error {
		close(began)
		<-end
		return nil
	}), Config{DrainTimeout: 10 * time.Millisecond}, ln)
	c := dial(t, ln.Addr().String())
	c.send(simple)
	<-began
	if err := stop(); err == nil || !strings.Contains(err.Error(), "1 connections cut") {
		t.Errorf("Serve returned %v", err)
	}
	if !c.ended() {
		t.Error("the connection was not cut")
	}
	close(end)
}

func TestClientThatGoesAway(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("this system has no way to look")
	}
	b := newBlocker()
	addr := start(t, b, Config{})
	stays, goes := dial(t, addr), dial(t, addr)
	stays.send(simple)
	goes.send(simple)
	<-b.began
	<-b.began
	goes.Conn.Close()
	<-b.ended
	close(b.end)
	if r, _, err := stays.receive("GET"); err != nil || r.StatusCode != 200 {
		t.Errorf("the client that stayed got %v %v", r.Response, err)
	}
}

// from is a listener whose peers have addresses of our choosing.
type from struct {
	net.Listener
	next func() netip.Addr
}

type fromConn struct {
	net.Conn
	peer net.Addr
}

func (c fromConn) RemoteAddr() net.Addr { return c.peer }

func (f from) Accept() (net.Conn, error) {
	c, err := f.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return fromConn{c, net.TCPAddrFromAddrPort(netip.AddrPortFrom(f.next(), 1234))}, nil
}

func TestConnectionsPerIP(t *testing.T) {
	t.Parallel()
	for ip, limited := range map[string]bool{
		"192.0.2.1": true, "::ffff:192.0.2.1": true, "2001:db8::1": true, "127.0.0.1": false, "::1": false, "10.0.0.1": false,
	} {
		ln := listen(t)
		addr := netip.MustParseAddr(ip)
		serve(t, &recorder{}, Config{MaxConnsPerIP: 2, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
			from{ln, func() netip.Addr {
				if addr.Is6() && !addr.Is4In6() && !addr.IsLoopback() {
					addr = addr.Next()
				}
				return addr
			}})
		one, two := dial(t, ln.Addr().String()), dial(t, ln.Addr().String())
		for _, c := range []*client{one, two} {
			c.send(simple)
			if r, _, err := c.receive("GET"); err != nil || r.StatusCode != 200 {
				t.Fatalf("%s: got %v %v", ip, r.Response, err)
			}
		}
		three := dial(t, ln.Addr().String())
		three.send(simple)
		r, _, err := three.receive("GET")
		if err != nil || (r.StatusCode == 429) != limited || limited && r.Header.Get("Retry-After") == "" {
			t.Fatalf("%s: the third connection got %v %v", ip, r.Response, err)
		}
		if limited && !three.ended() {
			t.Errorf("%s: the third connection goes on", ip)
		}
		two.Conn.Close()
		waitFor(t, func() bool {
			c := dial(t, ln.Addr().String())
			defer c.Conn.Close()
			c.send(simple)
			r, _, err := c.receive("GET")
			return err == nil && r.StatusCode == 200
		})
	}
}

// waitFor tries until ok, for as long as a test may take.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(5 * time.Second)
	for !ok() {
		select {
		case <-end:
			t.Fatal("it never came true")
		case <-tick.C:
		}
	}
}

func TestConnectionsInAll(t *testing.T) {
	t.Parallel()
	ln := listen(t)
	serve(t, &recorder{}, Config{Connections: 2}, ln)
	answer := func() (int, *client) {
		c := dial(t, ln.Addr().String())
		c.send(simple)
		r, _, err := c.receive("GET")
		if err != nil {
			return 0, c
		}
		return r.StatusCode, c
	}
	for range 2 {
		if got, _ := answer(); got != 200 {
			t.Fatalf("got %d within the limit", got)
		}
	}
	for range 3 {
		if got, _ := answer(); got != 503 {
			t.Errorf("got %d over the limit, want 503", got)
		}
	}
	silent := make([]*client, spareConns)
	for i := range silent {
		silent[i] = dial(t, ln.Addr().String())
	}
	waitFor(t, func() bool { got, _ := answer(); return got == 0 })
	for _, c := range silent {
		c.Conn.Close()
	}
	waitFor(t, func() bool { got, _ := answer(); return got == 503 })
}

func TestRequestsPerConnection(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t, &recorder{}, Config{}))
	go func() {
		for range RequestsPerConn + 1 {
			c.send(simple)
		}
	}()
	for i := 1; i <= RequestsPerConn; i++ {
		r, _, err := c.receive("GET")
		if err != nil || r.Close != (i == RequestsPerConn) {
			t.Fatalf("request %d: got %v %v", i, r.Response, err)
		}
	}
}

// scarce is a listener that has run out of file descriptors for a while.
type scarce struct {
	net.Listener
	failures atomic.Int32
}

func (s *scarce) Accept() (net.Conn, error) {
	if s.failures.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return s.Listener.Accept()
}

func TestAcceptOutlivesScarcity(t *testing.T) {
	t.Parallel()
	ln := &scarce{Listener: listen(t)}
	ln.failures.Store(3)
	serve(t, &recorder{}, Config{}, ln)
	if r := ask(t, ln.Addr().String(), "GET", simple); r.StatusCode != 200 {
		t.Errorf("got %d", r.StatusCode)
	}
}

// broke is a listener that fails for good.
type broke struct{ net.Listener }

func (broke) Accept() (net.Conn, error) { return nil, errors.New("broken for good") }

func TestServeReturnsWhatStoppedIt(t *testing.T) {
	t.Parallel()
	err := New(&recorder{}, Config{}).Serve(t.Context(), broke{listen(t)})
	if err == nil || !strings.Contains(err.Error(), "broken for good") {
		t.Errorf("got %v", err)
	}
	ln := listen(t)
	ln.Close()
	if err := New(&recorder{}, Config{}).Serve(t.Context(), ln); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// TestTenants hammers one server with clients whose requests must not mix: the
// memory of a request is used again for the next.
func TestTenants(t *testing.T) {
	t.Parallel()
	addr := start(t, handlerFunc(func(_ context.Context, req *abi.Request, resp *abi.Response) error {
		resp.Status = 200
		resp.Header.Add("x-tenant", strings.Clone(req.Header.Get("x-tenant")))
		_, err := fmt.Fprintf(resp.Body, "%s %s", req.Path, req.Body)
		return err
	}), Config{})
	done := make(chan error)
	const clients, rounds = 8, 200
	for i := range clients {
		go func() { done <- tenant(dial(t, addr), i, rounds) }()
	}
	for range clients {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func tenant(c *client, id, rounds int) error {
	for i := range rounds {
		name, body := fmt.Sprintf("tenant-%d-%d", id, i), strings.Repeat(fmt.Sprint(id), i%100)
		if i%2 == 0 {
			c.send(fmt.Sprintf("POST /%s HTTP/1.1\r\nHost: a\r\nX-Tenant: %s\r\nContent-Length: %d\r\n\r\n%s", name, name, len(body), body))
		} else {
			c.send(fmt.Sprintf("POST /%s HTTP/1.1\r\nHost: a\r\nX-Tenant: %s\r\nTransfer-Encoding: chunked\r\n\r\n", name, name))
			if body != "" {
				c.send(fmt.Sprintf("%x\r\n%s\r\n", len(body), body))
			}
			c.send("0\r\n\r\n")
		}
		r, _, err := c.receive("POST")
		if err != nil {
			return err
		}
		if want := "/" + name + " " + body; r.body != want || r.Header.Get("X-Tenant") != name {
			return fmt.Errorf("got %q for %q, want %q", r.body, r.Header.Get("X-Tenant"), want)
		}
	}
	return nil
}

func TestServeThatIsStoppedBeforeItBegan(t *testing.T) {
	for range 50 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		served := make(chan error, 1)
		go func() { served <- New(nil, Config{}).Serve(ctx, ln) }()
		select {
		case err := <-served:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("Serve goes on")
		}
	}
}
