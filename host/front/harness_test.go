package front

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
)

// handlerFunc is a Handler.
type handlerFunc func(context.Context, *abi.Request, *abi.Response) error

func (f handlerFunc) Invoke(ctx context.Context, req *abi.Request, resp *abi.Response) error {
	return f(ctx, req, resp)
}

// recorder answers 200 with the request's body and keeps what it was asked.
type recorder struct {
	mu   sync.Mutex
	seen []*abi.Request
}

func (r *recorder) Invoke(_ context.Context, req *abi.Request, resp *abi.Response) error {
	r.mu.Lock()
	r.seen = append(r.seen, req.Clone())
	r.mu.Unlock()
	resp.Status = 200
	_, err := resp.Body.Write(req.Body)
	return err
}

// targets are what the recorder was asked for, as "METHOD target".
func (r *recorder) targets() (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, req := range r.seen {
		list = append(list, req.Method+" "+req.Target())
	}
	return list
}

// last is the most recent request.
func (r *recorder) last(t *testing.T) *abi.Request {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.seen) == 0 {
		t.Fatal("the handler was not called")
	}
	return r.seen[len(r.seen)-1]
}

// start serves h on loopback until the test ends and returns the address.
func start(t testing.TB, h Handler, cfg Config) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, h, cfg, ln)
	return ln.Addr().String()
}

// serve serves h on ln until the test ends; the function it returns ends it
// sooner and gives what Serve returned.
func serve(t testing.TB, h Handler, cfg Config, ln net.Listener) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- New(h, cfg).Serve(ctx, ln) }()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { _ = stop() })
	return stop
}

// client is a connection that writes raw bytes.
type client struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func dial(t testing.TB, addr string) *client {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	return &client{t, nc, bufio.NewReader(nc)}
}

// send writes raw. An error is no failure: the server may have hung up already.
func (c *client) send(raw string) { _, _ = io.WriteString(c.Conn, raw) }

// response is one answer with its body.
type response struct {
	*http.Response
	body string
}

// receive reads one final response to a request of that method, skipping 1xx
// and counting them.
func (c *client) receive(method string) (r response, interim int, err error) {
	for {
		resp, err := http.ReadResponse(c.r, &http.Request{Method: method})
		if err != nil {
			return response{}, interim, err
		}
		if resp.StatusCode < 200 {
			interim++
			continue
		}
		body, err := io.ReadAll(resp.Body)
		return response{resp, string(body)}, interim, err
	}
}

// ended reports whether the server has closed the connection and nothing came
// before that.
func (c *client) ended() bool {
	_, err := c.r.ReadByte()
	return errors.Is(err, io.EOF) || err != nil && strings.Contains(err.Error(), "reset")
}

// ask sends one request on a fresh connection and returns the answer.
func ask(t testing.TB, addr, method, raw string) response {
	t.Helper()
	c := dial(t, addr)
	c.send(raw)
	r, _, err := c.receive(method)
	if err != nil {
		t.Fatalf("no answer to %.80q: %v", raw, err)
	}
	return r
}

// get asks for path with more header lines, each ending in CRLF.
func get(t testing.TB, addr, path, lines string) response {
	t.Helper()
	return ask(t, addr, "GET", fmt.Sprintf("GET %s HTTP/1.1\r\nHost: site.test\r\n%s\r\n", path, lines))
}

// post makes a request with a body of n bytes.
func post(n int) string {
	return fmt.Sprintf("POST /big HTTP/1.1\r\nHost: site.test\r\nContent-Length: %d\r\n\r\n", n) +
		string(bytes.Repeat([]byte("x"), n))
}
