package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/logs"
	"github.com/cloche-run/cloche/host/usage"
)

// fakeSite is a host with one function, hello, and one background function.
type fakeSite struct {
	invoke  func(ctx context.Context, name string, call Call) (Answer, error)
	unready atomic.Pointer[[]string]
}

func (*fakeSite) List() []Function {
	return []Function{
		{
			Name: "hello", Kind: "command", Bytes: 1000, Route: "/.netlify/functions/hello",
			Timeout: Millis(10 * time.Second), MemoryBytes: 1 << 30, Concurrency: 64, Queue: 256, State: StateReady,
		},
		{Name: "mail-background", Route: "/mail", Background: true, State: StateFailed, Error: "no such import"},
	}
}

func (f *fakeSite) Invoke(ctx context.Context, name string, call Call) (Answer, error) {
	return f.invoke(ctx, name, call)
}

func (f *fakeSite) Unready() []string {
	if reasons := f.unready.Load(); reasons != nil {
		return *reasons
	}
	return nil
}

// host is a running Server and what it stands on.
type host struct {
	*Server
	site  *fakeSite
	jobs  *fakeJobs
	log   *logs.Store
	usage *usage.Store
	data  string
	addr  string
	stop  func() // ends Serve and waits for it
}

// start serves on listen until the test ends.
func start(t *testing.T, listen string, change ...func(*Server)) *host {
	t.Helper()
	h := &host{site: new(fakeSite), jobs: newFakeJobs(), data: t.TempDir()}
	var err error
	if h.log, err = logs.Open(h.data, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.log.Close() })
	if h.usage, err = usage.Open(h.data, nil); err != nil {
		t.Fatal(err)
	}
	h.Server, err = New(Config{
		Data: h.data, Hosts: []string{"Cloche.Internal"}, Functions: h.site, Invoker: h.site, Ready: h.site, Jobs: h.jobs,
		Counters: h.usage, Logs: h.log, Metrics: NewMetrics("v1", func() int64 { return 100 }, 200),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(h.Server)
	}
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		t.Skipf("cannot listen on %s: %v", listen, err)
	}
	h.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(ctx, ln) }()
	h.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
		ended <- nil
	}
	t.Cleanup(h.stop)
	return h
}

func (h *host) client(t *testing.T) *Client {
	t.Helper()
	c, err := NewClient(h.addr, h.data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// send makes a request with the token; change may take it away again.
func (h *host) send(t *testing.T, method, path, body string, change func(*http.Request)) *http.Response {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+h.addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+string(h.token))
	if change != nil {
		change(r)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func noToken(r *http.Request) { r.Header.Del("Authorization") }

// errorIn is the error of a reply, which must be one.
func errorIn(t *testing.T, response *http.Response) string {
	t.Helper()
	var f failure
	if err := json.NewDecoder(response.Body).Decode(&f); err != nil || f.Error == "" {
		t.Errorf("%d without an error in JSON: %v", response.StatusCode, err)
	}
	return f.Error
}

func TestHealthIsOpenOnLoopback(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		response := h.send(t, "GET", path, "", noToken)
		if response.StatusCode != 200 {
			t.Errorf("%s answers %d", path, response.StatusCode)
		}
		if got := response.Header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options is %q", path, got)
		}
	}
}

func TestEverythingNeedsTheTokenOnAnotherListener(t *testing.T) {
	h := start(t, "0.0.0.0:0") // reached on loopback, open to the world
	_, port, _ := net.SplitHostPort(h.addr)
	h.addr = "127.0.0.1:" + port
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/api/stats"} {
		response := h.send(t, "GET", path, "", noToken)
		if response.StatusCode != 401 {
			t.Errorf("%s without a token answers %d", path, response.StatusCode)
		}
		if response := h.send(t, "GET", path, "", nil); response.StatusCode != 200 {
			t.Errorf("%s with the token answers %d", path, response.StatusCode)
		}
	}
}

func TestTheAPINeedsTheToken(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	secret := string(h.token)
	for name, lines := range map[string][]string{
		"none":          nil,
		"empty":         {"Bearer "},
		"another":       {"Bearer " + strings.Repeat("x", len(secret))},
		"a prefix":      {"Bearer " + secret[:len(secret)-1]},
		"basic":         {"Basic " + secret},
		"bare":          {secret},
		"two, one good": {"Bearer " + secret, "Bearer x"},
	} {
		for _, path := range []string{"/api/functions", "/api/functions/hello/invoke", "/api/nothing", "/"} {
			response := h.send(t, "POST", path, "", func(r *http.Request) { r.Header["Authorization"] = lines })
			if response.StatusCode != 401 || response.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: %s answers %d", name, path, response.StatusCode)
			}
			if text := errorIn(t, response); !strings.Contains(text, TokenFile) {
				t.Errorf("%s: no remedy in %q", name, text)
			}
		}
	}
	response := h.send(t, "GET", "/api/stats", "", func(r *http.Request) {
		r.Header.Set("Authorization", "bearer  "+secret)
	})
	if response.StatusCode != 200 {
		t.Errorf("another spelling of the scheme answers %d", response.StatusCode)
	}
}

func TestAForeignHostIsRefused(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	for name, want := range map[string]int{
		"localhost": 200, "LocalHost.:1": 200, "127.0.0.1": 200, "127.8.7.6:80": 200, "[::1]:8889": 200, "[::1]": 200,
		"cloche.internal": 200, "CLOCHE.internal:8889": 200, "[::ffff:127.0.0.1]": 200,
		"evil.example": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421, "192.168.1.2": 421,
		"0.0.0.0": 421, "evil.example:8889": 421, "2130706433": 421, "[::2]": 421,
	} {
		for _, path := range []string{"/healthz", "/api/stats"} {
			response := h.send(t, "GET", path, "", func(r *http.Request) { r.Host = name })
			if response.StatusCode != want {
				t.Errorf("Host %s: %s answers %d, want %d", name, path, response.StatusCode, want)
			}
			if want == 421 && path == "/healthz" {
				errorIn(t, response)
			}
		}
	}
}

func TestARequestWithoutAHostIsRefused(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET /healthz HTTP/1.0\r\n\r\n")
	answer, _ := io.ReadAll(c)
	if !strings.HasPrefix(string(answer), "HTTP/1.0 421 ") {
		t.Errorf("got %q", answer)
	}
}

func TestTheListenersOwnAddressIsAHost(t *testing.T) {
	h := start(t, "0.0.0.0:0")
	_, port, _ := net.SplitHostPort(h.addr)
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		network, ok := a.(*net.IPNet)
		if !ok || network.IP.IsLoopback() || network.IP.To4() == nil {
			continue
		}
		h.addr = net.JoinHostPort(network.IP.String(), port)
		if response := h.send(t, "GET", "/healthz", "", nil); response.StatusCode != 200 {
			t.Errorf("%s answers %d", h.addr, response.StatusCode)
		}
		return
	}
	t.Skip("this machine has loopback only")
}

func TestMethodsAndPathsThatAreNotThere(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	tests := []struct {
		method, path string
		want         int
		allow        string
	}{
		{"POST", "/healthz", 405, "GET, HEAD"},
		{"OPTIONS", "/api/logs", 405, "GET, HEAD"},
		{"DELETE", "/api/functions", 405, "GET, HEAD"},
		{"GET", "/api/functions/hello/invoke", 405, "POST"},
		{"HEAD", "/api/stats", 200, ""},
		{"HEAD", "/api/logs?follow=1", 200, ""},
		{"GET", "/api/functions/hello/pause", 405, "POST"},
		{"POST", "/api/functions/hello/stop", 404, ""},
		{"PUT", "/api/jobs", 405, "GET, HEAD"},
		{"GET", "/api/job", 404, ""},
		{"GET", "/", 404, ""},
	}
	for _, test := range tests {
		response := h.send(t, test.method, test.path, "", nil)
		if response.StatusCode != test.want || response.Header.Get("Allow") != test.allow {
			t.Errorf("%s %s answers %d, Allow %q; want %d, %q", test.method, test.path,
				response.StatusCode, response.Header.Get("Allow"), test.want, test.allow)
		}
		if response.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s %s has a CORS header", test.method, test.path)
		}
		if test.want != 200 {
			errorIn(t, response)
		}
	}
}

func TestReadyNamesEveryReason(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	h.site.unready.Store(&[]string{"functions are still compiling"})
	os.Remove(filepath.Join(h.data, TokenFile))
	response := h.send(t, "GET", "/readyz", "", noToken)
	var got readiness
	json.NewDecoder(response.Body).Decode(&got)
	if response.StatusCode != 503 || got.Ready || len(got.Reasons) != 2 || !strings.Contains(got.Reasons[1], "restart") {
		t.Errorf("answers %d %+v", response.StatusCode, got)
	}
	os.WriteFile(filepath.Join(h.data, TokenFile), []byte(strings.Repeat("y", 43)), 0o600)
	h.site.unready.Store(nil)
	if response := h.send(t, "GET", "/readyz", "", noToken); response.StatusCode != 503 {
		t.Errorf("with another token on disk it answers %d", response.StatusCode)
	}
	os.WriteFile(filepath.Join(h.data, TokenFile), []byte(h.token), 0o600)
	if response := h.send(t, "GET", "/readyz", "", noToken); response.StatusCode != 200 {
		t.Errorf("ready again it answers %d", response.StatusCode)
	}
	if response := h.send(t, "GET", "/healthz", "", noToken); response.StatusCode != 200 {
		t.Errorf("/healthz answers %d", response.StatusCode)
	}
}

func TestAnIncompleteConfigIsRefused(t *testing.T) {
	if _, err := New(Config{Data: t.TempDir()}); err == nil {
		t.Error("no error")
	}
}

func TestServeWaitsForCallsAndCutsFollowers(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	entered, release := make(chan struct{}), make(chan struct{})
	h.site.invoke = func(ctx context.Context, _ string, _ Call) (Answer, error) {
		close(entered)
		<-release
		return Answer{Status: 200}, ctx.Err()
	}
	client := h.client(t)
	invoked := make(chan error, 1)
	go func() {
		_, err := client.Invoke(context.Background(), "hello", Call{})
		invoked <- err
	}()
	<-entered
	slog.New(h.log.Handler()).Info("seen")
	followed, following := make(chan error, 1), make(chan struct{})
	go func() {
		var last error
		for r, err := range client.Logs(context.Background(), logs.Query{}, true) {
			if last = err; r.Message == "seen" {
				close(following)
			}
		}
		followed <- last
	}()
	<-following

	stopped := make(chan struct{})
	go func() { h.stop(); close(stopped) }()
	if err := <-followed; err != nil {
		t.Errorf("the follower got %v", err)
	}
	select {
	case <-stopped:
		t.Error("Serve ended before the call")
	default:
	}
	close(release)
	if err := <-invoked; err != nil {
		t.Errorf("the call got %v", err)
	}
	<-stopped
}

func TestACallThatDoesNotEndIsEndedAtShutdown(t *testing.T) {
	h := start(t, "127.0.0.1:0", func(s *Server) { s.timeouts.drain = 50 * time.Millisecond })
	entered, ended := make(chan struct{}), make(chan struct{})
	h.site.invoke = func(ctx context.Context, _ string, _ Call) (Answer, error) {
		close(entered)
		<-ctx.Done()
		close(ended)
		return Answer{}, ctx.Err()
	}
	client := h.client(t)
	invoked := make(chan error, 1)
	go func() {
		_, err := client.Invoke(context.Background(), "hello", Call{})
		invoked <- err
	}()
	<-entered
	h.stop()
	select {
	case <-ended:
	default:
		t.Error("Serve ended before the call")
	}
	if err := <-invoked; err == nil {
		t.Error("the client got an answer")
	}
}

func TestServeReportsAListenerThatFails(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := h.Serve(context.Background(), ln); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestASlowClientIsCutOff(t *testing.T) {
	h := start(t, "127.0.0.1:0", func(s *Server) { s.timeouts.header = 50 * time.Millisecond })
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET /healthz HTTP/1.1\r\n")
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is still open after the deadline")
	}
}

var _ abi.Faulter = (*abi.Error)(nil)
