package outbound_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/outbound"
)

// site is an own site that answers with what it was asked.
type site struct{ asked []*abi.Request }

func (s *site) Call(_ context.Context, req *abi.Request, resp *abi.Response) {
	s.asked = append(s.asked, req)
	resp.Status = 200
	if req.Path == "/.netlify/functions/moved" {
		resp.Status = 307
		resp.Header.Add("Location", req.RawQuery)
	}
	resp.Header.Add("X-Cloche-Job", "7")
	resp.Header.Add("Connection", "close")
	_, _ = resp.Body.Write(req.Body)
}

// world is a client, its own site on port 8888 and a server of somebody else's.
type world struct {
	*testing.T
	client *outbound.Client
	site   *site
	server *httptest.Server
	caller outbound.Caller
}

func newWorld(t *testing.T, handler http.HandlerFunc, config outbound.Config) *world {
	w := &world{T: t, site: &site{}, server: httptest.NewServer(handler)}
	t.Cleanup(w.server.Close)
	config.Site = w.site
	w.client = outbound.New(config)
	t.Cleanup(w.client.Close)
	w.caller.Own = outbound.OwnOrigins(8888, "https://www.example.com/", "nonsense")
	w.allow(strings.TrimPrefix(w.server.URL, "http://"))
	return w
}

func (w *world) allow(patterns ...string) {
	w.Helper()
	hosts, err := outbound.ParseHosts(patterns)
	if err != nil {
		w.Fatal(err)
	}
	w.caller.Allowed = hosts
}

func (w *world) fetch(req abi.FetchRequest) (abi.FetchResponse, error) {
	if req.Method == "" {
		req.Method = "GET"
	}
	return w.client.Fetch(w.Context(), w.caller, req)
}

func (w *world) get(address string) (abi.FetchResponse, error) {
	return w.fetch(abi.FetchRequest{URL: address})
}

// expect fails the test unless err has the code and the words.
func expect(t *testing.T, what string, err error, code abi.FetchCode, words string) {
	t.Helper()
	var known *abi.FetchError
	if !errors.As(err, &known) || known.Code != code || !strings.Contains(known.Message, words) {
		t.Errorf("%s: got %v, want code %d and %q", what, err, code, words)
	}
}

func TestAnAllowedHostAnswers(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Set-Cookie", "a=1")
		w.WriteHeader(201)
		fmt.Fprintf(w, "%s %s %s %s %q %v", r.Method, r.URL, r.UserAgent(), body, r.Header.Values("X-Two"), r.Header)
	}, outbound.Config{})
	for range 2 {
		resp, err := w.fetch(abi.FetchRequest{Method: "PUT", URL: w.server.URL + "/a/./b?c=d#e", Body: []byte("hi"), Header: abi.Header{
			{Name: "x-two", Value: "1"},
			{Name: "X-Two", Value: "2"},
			{Name: "host", Value: "elsewhere"},
			{Name: "Connection", Value: "x-two"},
			{Name: "x-cloche-depth", Value: "0"},
			{Name: "X_Cloche_Depth", Value: "0"},
			{Name: "content-length", Value: "9"},
		}})
		if err != nil {
			t.Fatal(err)
		}
		text := string(resp.Body)
		if resp.Status != 201 || resp.URL != w.server.URL+"/a/b?c=d#e" || !strings.HasPrefix(text, `PUT /a/b?c=d cloche hi ["1" "2"]`) {
			t.Errorf("got %+v %s", resp, text)
		}
		if strings.Contains(text, "Cloche") || strings.Contains(text, "Cookie") || resp.Header.Get("set-cookie") != "a=1" {
			t.Errorf("got %s %v", text, resp.Header)
		}
	}
	if resp, err := w.fetch(abi.FetchRequest{URL: w.server.URL, Header: abi.Header{{Name: "user-agent", Value: "me"}}}); err != nil ||
		!strings.Contains(string(resp.Body), " me ") {
		t.Errorf("got %s %v", resp.Body, err)
	}
}

func TestTheOwnSiteIsCalledWithoutASocket(t *testing.T) {
	w := newWorld(t, nil, outbound.Config{})
	w.caller.Depth, w.caller.Allowed = 4, outbound.Hosts{}
	for _, origin := range []string{
		"http://localhost:8888", "http://LOCALHOST:8888", "http://127.0.0.1:8888", "http://[::1]:8888",
		"http://[::ffff:127.0.0.1]:8888", "https://www.example.com", "https://www.example.com:443",
	} {
		resp, err := w.fetch(abi.FetchRequest{
			Method: "POST", URL: origin + "/.netlify/functions/hello?a=b", Body: []byte("hi"),
			Header: abi.Header{
				{Name: "X-Mine", Value: "1"},
				{Name: "x-cloche-depth", Value: "0"},
				{Name: "x_cloche_depth", Value: "0"},
				{Name: "X-Nf-Request-Id", Value: "forged"},
				{Name: "X-Forwarded-For", Value: "forged"},
				{Name: "Client-Ip", Value: "forged"},
			},
		})
		if err != nil || resp.Status != 200 || string(resp.Body) != "hi" || resp.Header.Get("x-cloche-job") != "7" || resp.Header.Has("connection") {
			t.Fatalf("%s: %+v %v", origin, resp, err)
		}
		u, _ := url.Parse(origin)
		got := w.site.asked[len(w.site.asked)-1]
		want := fmt.Sprint(abi.Header{
			{Name: "host", Value: u.Host},
			{Name: "user-agent", Value: "cloche"},
			{Name: "x-mine", Value: "1"},
			{Name: "content-length", Value: "2"},
			{Name: "x-cloche-depth", Value: "5"},
		})
		if fmt.Sprint(got.Header) != want || got.Path != "/.netlify/functions/hello" || got.RawQuery != "a=b" || !got.HasQuery || got.Scheme != u.Scheme {
			t.Errorf("%s: got %+v, want header %s", origin, got, want)
		}
	}
	for _, other := range []string{"http://localhost:8889/", "http://localhost/", "https://localhost:8888/", "http://127.0.0.2:8888/", "http://www.example.com/"} {
		_, err := w.get(other)
		expect(t, other, err, abi.FetchRefused, "allow_hosts")
	}
}

func TestRedirectsAreFollowedAndJudgedAnew(t *testing.T) {
	var hops int
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		var left int
		if n, _ := fmt.Sscanf(r.URL.Path, "/hops/%d", &left); n == 1 && left > 0 {
			hops++
			http.Redirect(w, r, fmt.Sprintf("/hops/%d", left-1), http.StatusFound)
			return
		}
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
			return
		}
		fmt.Fprint(w, "there")
	}, outbound.Config{})
	if resp, err := w.get(w.server.URL + "/hops/10"); err != nil || string(resp.Body) != "there" || resp.URL != w.server.URL+"/hops/0" {
		t.Errorf("ten: %+v %v", resp, err)
	}
	hops = 0
	_, err := w.get(w.server.URL + "/hops/11")
	expect(t, "eleven", err, abi.FetchFailed, "more than 10 redirects")
	if hops != 11 {
		t.Errorf("the server was asked %d times", hops)
	}
	for to, want := range map[string]string{
		"http://127.0.0.1:1/":               "allow_hosts",
		"http://169.254.169.254/":           "allow_hosts",
		"file:///etc/passwd":                "only http and https",
		"http://0x7f000001/":                "ends in a number",
		"http://localhost:8889/api/jobs":    "allow_hosts",
		"gopher://example.com":              "only http and https",
		"//[::ffff:10.0.0.1]/":              "allow_hosts",
		"http://user@metadata.internal/x/y": "allow_hosts",
	} {
		_, err := w.get(w.server.URL + "/?to=" + url.QueryEscape(to))
		expect(t, "redirect to "+to, err, abi.FetchRefused, want)
	}
	resp, err := w.fetch(abi.FetchRequest{Method: "POST", Body: []byte("kept"), URL: w.server.URL + "/?to=http://localhost:8888/.netlify/functions/x"})
	if err != nil || string(resp.Body) != "kept" || len(w.site.asked) != 1 || w.site.asked[0].Header.Get("x-cloche-depth") != "1" {
		t.Errorf("to the own site: %+v %v", resp, err)
	}
	if _, err := w.get("http://localhost:8888/.netlify/functions/moved?http://127.0.0.1:1/"); err == nil {
		t.Error("from the own site to a private address: no error")
	}
	resp, err = w.fetch(abi.FetchRequest{Manual: true, URL: w.server.URL + "/?to=http://127.0.0.1:1/"})
	if err != nil || resp.Status != 307 || resp.Header.Get("location") != "http://127.0.0.1:1/" {
		t.Errorf("manual: %+v %v", resp, err)
	}
}

func TestAnswersAndRequestsAreCapped(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		var n int
		fmt.Sscanf(r.URL.Path, "/%d", &n)
		switch r.URL.RawQuery {
		case "header":
			w.Header().Set("X", strings.Repeat("x", n))
		case "gzip":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(make([]byte, n))
			z.Close()
		case "chunked":
			w.(http.Flusher).Flush()
			fallthrough
		default:
			_, _ = w.Write(make([]byte, n))
		}
	}, outbound.Config{})
	for _, how := range []string{"", "chunked", "gzip"} {
		at := func(n int) string { return fmt.Sprintf("%s/%d?%s", w.server.URL, n, how) }
		if resp, err := w.get(at(abi.FetchBodyBytes)); err != nil || len(resp.Body) != abi.FetchBodyBytes {
			t.Errorf("the most, %q: %d bytes, %v", how, len(resp.Body), err)
		}
		_, err := w.get(at(abi.FetchBodyBytes + 1))
		expect(t, "one more, "+how, err, abi.FetchTooLarge, "6291456")
	}
	if resp, err := w.fetch(abi.FetchRequest{Method: "HEAD", URL: fmt.Sprintf("%s/%d", w.server.URL, abi.FetchBodyBytes+1)}); err != nil || len(resp.Body) > 0 {
		t.Errorf("HEAD of what is too large: %v", err)
	}
	if _, err := w.get(w.server.URL + "/60000?header"); err != nil {
		t.Errorf("a large header: %v", err)
	}
	_, err := w.get(w.server.URL + "/70000?header")
	expect(t, "too large a header", err, abi.FetchTooLarge, "header")

	body := make([]byte, abi.RequestBodyBytes+1)
	if _, err := w.fetch(abi.FetchRequest{Method: "POST", URL: w.server.URL, Body: body[1:]}); err != nil {
		t.Errorf("the largest body: %v", err)
	}
	_, err = w.fetch(abi.FetchRequest{Method: "POST", URL: w.server.URL, Body: body})
	expect(t, "a body of one more", err, abi.FetchTooLarge, "body")
	_, err = w.fetch(abi.FetchRequest{URL: w.server.URL, Header: abi.Header{{Name: "x", Value: strings.Repeat("x", abi.FetchHeadBytes)}}})
	expect(t, "a head of one more", err, abi.FetchTooLarge, "head")
}

func TestWhatIsNoRequestIsNotSent(t *testing.T) {
	w := newWorld(t, nil, outbound.Config{})
	w.allow("*")
	for name, req := range map[string]abi.FetchRequest{
		"no URL":                   {URL: "http://exa mple.com"},
		"a relative URL":           {URL: "/a"},
		"another scheme":           {URL: "ftp://example.com/"},
		"a file":                   {URL: "file:///etc/passwd"},
		"a user":                   {URL: "http://a:b@example.com/"},
		"no host":                  {URL: "http:///a"},
		"an empty port":            {URL: "http://example.com:0/"},
		"a port beyond all":        {URL: "http://example.com:65536/"},
		"a zone":                   {URL: "http://[fe80::1%25eth0]/"},
		"letters beyond ASCII":     {URL: "http://ex\u00e4mple.com/"},
		"full-width digits":        {URL: "http://\uff11\uff12\uff17.0.0.1/"},
		"CONNECT":                  {Method: "CONNECT", URL: "http://example.com/"},
		"trace":                    {Method: "trace", URL: "http://example.com/"},
		"a method with a line end": {Method: "GET\r\nX:", URL: "http://example.com/"},
		"a value with a line end":  {URL: "http://example.com/", Header: abi.Header{{Name: "x", Value: "a\r\nb: c"}}},
		"a name with a blank":      {URL: "http://example.com/", Header: abi.Header{{Name: "x y", Value: "a"}}},
	} {
		_, err := w.fetch(req)
		expect(t, name, err, abi.FetchInvalid, "")
	}
}

func TestAFetchEndsWithItsCaller(t *testing.T) {
	arrived, release := make(chan bool, 2), make(chan bool)
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
		}
		arrived <- true
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}, outbound.Config{Concurrency: 1})
	defer close(release)
	for _, path := range []string{"/head", "/body"} {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-arrived; cancel() }()
		if _, err := w.client.Fetch(ctx, w.caller, abi.FetchRequest{Method: "GET", URL: w.server.URL + path}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", path, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := w.client.Fetch(ctx, w.caller, abi.FetchRequest{Method: "GET", URL: w.server.URL}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a deadline: got %v", err)
	}
}

func TestFetchesThatLeaveWaitForASlotAndOwnOnesDoNot(t *testing.T) {
	arrived, release := make(chan bool), make(chan bool)
	w := newWorld(t, func(http.ResponseWriter, *http.Request) {
		arrived <- true
		<-release
	}, outbound.Config{Concurrency: 1})
	done := make(chan error, 1)
	go func() {
		_, err := w.get(w.server.URL)
		done <- err
	}()
	<-arrived
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := w.client.Fetch(ctx, w.caller, abi.FetchRequest{Method: "GET", URL: w.server.URL}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second: got %v", err)
	}
	if _, err := w.get("http://localhost:8888/.netlify/functions/x"); err != nil {
		t.Errorf("the own site: %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	go func() { <-arrived }()
	if _, err := w.get(w.server.URL); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestErrorsDoNotTellOfTheHost(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	listener.Close()
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
		c, _, _ := w.(http.Hijacker).Hijack()
		_, _ = c.Write(bytes.Repeat([]byte("no HTTP\n"), 10))
		c.Close()
	}, outbound.Config{Resolver: resolver(nil)})
	w.allow(closed, "nowhere.example", strings.TrimPrefix(w.server.URL, "http://"))
	for address, want := range map[string]string{
		"http://" + closed:        "dial: connect: connection refused",
		"http://nowhere.example/": "look up nowhere.example: no such host",
		w.server.URL:              "malformed HTTP",
	} {
		_, err := w.get(address)
		expect(t, address, err, abi.FetchFailed, want)
	}
}
