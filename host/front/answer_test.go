package front

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
)

// reply is a Handler that always answers the same.
func reply(status int, body string, header ...abi.Field) Handler {
	return handlerFunc(func(_ context.Context, _ *abi.Request, resp *abi.Response) error {
		resp.Status = status
		resp.Header = append(resp.Header, header...)
		_, err := resp.Body.Write([]byte(body))
		return err
	})
}

// TestBadResponses wants 502, and a connection that is still in step, for
// everything a function must not send.
func TestBadResponses(t *testing.T) {
	t.Parallel()
	field := func(name, value string) Handler { return reply(200, "body", abi.Field{Name: name, Value: value}) }
	many := make([]abi.Field, abi.ResponseFields+1)
	for i := range many {
		many[i] = abi.Field{Name: "x", Value: "y"}
	}
	for name, handler := range map[string]Handler{
		"status 0":                    reply(0, "body"),
		"status 99":                   reply(99, "body"),
		"status 100":                  reply(100, "body"),
		"status 101":                  reply(101, "body"),
		"status 103":                  reply(103, "body"),
		"status 600":                  reply(600, "body"),
		"status 1000":                 reply(1000, "body"),
		"negative status":             reply(-200, "body"),
		"CR LF in a value":            field("x-a", "1\r\nSet-Cookie: a=b"),
		"LF in a value":               field("x-a", "1\nSet-Cookie: a=b"),
		"NUL in a value":              field("x-a", "1\x002"),
		"CR LF in a name":             field("x-a: 1\r\nSet-Cookie", "a=b"),
		"space in a name":             field("x a", "1"),
		"colon in a name":             field("x:a", "1"),
		"an empty name":               field("", "1"),
		"a body that is too large":    reply(200, strings.Repeat("x", abi.ResponseBodyBytes+1)),
		"a header that is too large":  field("x-a", strings.Repeat("a", abi.ResponseHeaderBytes)),
		"a header with too many rows": reply(200, "body", many...),
		"a write error that is swallowed": handlerFunc(func(_ context.Context, _ *abi.Request, resp *abi.Response) error {
			resp.Status = 200
			_, _ = resp.Body.Write(make([]byte, abi.ResponseBodyBytes))
			_, _ = resp.Body.Write([]byte("x"))
			return nil
		}),
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, start(t, handler, Config{}))
			c.send("GET /a HTTP/1.1\r\n" + h + "\r\nGET /b HTTP/1.1\r\n" + h + "Connection: close\r\n\r\n")
			for range 2 {
				r, interim, err := c.receive("GET")
				if err != nil || interim != 0 || r.StatusCode != 502 {
					t.Fatalf("got %v %v and %d interim responses, want 502 alone", r.Response, err, interim)
				}
				if r.Header.Get("Set-Cookie") != "" || r.Header.Get("X-A") != "" || strings.Contains(r.body, "body\x00") {
					t.Errorf("got %v %q, want nothing of the function's", r.Header, r.body)
				}
			}
			if !c.ended() {
				t.Error("bytes follow the last response")
			}
		})
	}
}

func TestFramingIsOurs(t *testing.T) {
	t.Parallel()
	addr := start(t, reply(200, "body",
		abi.Field{Name: "Connection", Value: "keep-alive, Upgrade"},
		abi.Field{Name: "Upgrade", Value: "websocket"},
		abi.Field{Name: "Content-Length", Value: "1"},
		abi.Field{Name: "transfer-encoding", Value: "chunked"},
		abi.Field{Name: "Trailer", Value: "X-T"},
		abi.Field{Name: "Server", Value: "evil"},
		abi.Field{Name: "Date", Value: "never"},
		abi.Field{Name: "X-NF-Request-Id", Value: "evil"},
		abi.Field{Name: "ETag", Value: `"1"`},
	), Config{})
	r := get(t, addr, "/", "")
	if r.body != "body" || r.ContentLength != 4 || len(r.TransferEncoding) != 0 || r.Close {
		t.Errorf("got %+v %q, want a framed body of 4", r.Response, r.body)
	}
	for _, name := range []string{"Connection", "Upgrade", "Trailer"} {
		if v := r.Header.Get(name); v != "" {
			t.Errorf("got %s: %s", name, v)
		}
	}
	if r.Header.Get("Server") != "cloche" || r.Header.Get("Date") == "never" || len(r.Header.Get("X-Nf-Request-Id")) != 26 {
		t.Errorf("got %v, want our own", r.Header)
	}
	if r.Header.Get("Etag") != `"1"` {
		t.Errorf("got %v, want the ETag", r.Header)
	}
}

func TestCookiesAndOtherRepeatedFieldsStayApart(t *testing.T) {
	t.Parallel()
	addr := start(t, reply(200, "", abi.Field{Name: "set-cookie", Value: "a=1; Path=/"}, abi.Field{Name: "vary", Value: "a"},
		abi.Field{Name: "set-cookie", Value: "a=2, b"}, abi.Field{Name: "vary", Value: "b"}), Config{})
	r := get(t, addr, "/", "")
	if got := fmt.Sprint(r.Header["Set-Cookie"]); got != "[a=1; Path=/ a=2, b]" {
		t.Errorf("got cookies %s", got)
	}
	if got := fmt.Sprint(r.Header["Vary"]); got != "[a b]" {
		t.Errorf("got vary %s", got)
	}
}

func TestNoBodyWhereHTTPHasNone(t *testing.T) {
	t.Parallel()
	for _, status := range []int{204, 205, 304} {
		c := dial(t, start(t, reply(status, "body"), Config{}))
		c.send("GET /a HTTP/1.1\r\n" + h + "Connection: close\r\n\r\n")
		all, _ := io.ReadAll(c.r)
		if _, body, _ := strings.Cut(string(all), "\r\n\r\n"); body != "" {
			t.Errorf("%d: got body %q", status, body)
		}
		if strings.Contains(string(all), "Content-Length: 4") || strings.Contains(string(all), "Content-Type") {
			t.Errorf("%d: got %q", status, all)
		}
	}
}

func TestHEADGetsTheLengthOfWhatGETWouldGet(t *testing.T) {
	t.Parallel()
	addr := start(t, reply(200, "body"), Config{})
	c := dial(t, addr)
	c.send("HEAD /a HTTP/1.1\r\n" + h + "\r\nGET /b HTTP/1.1\r\n" + h + "\r\n")
	r, _, err := c.receive("HEAD")
	if err != nil || r.Header.Get("Content-Length") != "4" || r.Header.Get("Content-Type") == "" {
		t.Errorf("got %+v %v", r.Response, err)
	}
	if r, _, err = c.receive("GET"); err != nil || r.body != "body" {
		t.Errorf("after HEAD: got %+v %q %v", r.Response, r.body, err)
	}
}

func TestHEADWithoutBodySaysNothingOfALength(t *testing.T) {
	t.Parallel()
	r := ask(t, start(t, reply(200, ""), Config{}), "HEAD", "HEAD /a HTTP/1.1\r\n"+h+"\r\n")
	if v, ok := r.Header["Content-Length"]; ok {
		t.Errorf("got Content-Length %v", v)
	}
}

func TestADefaultTypeForABodyOnly(t *testing.T) {
	t.Parallel()
	if got := get(t, start(t, reply(200, "body"), Config{}), "/", "").Header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
		t.Errorf("got %q", got)
	}
	if got := get(t, start(t, reply(200, ""), Config{}), "/", "").Header.Get("Content-Type"); got != "" {
		t.Errorf("without body: got %q", got)
	}
	html := reply(200, "body", abi.Field{Name: "content-type", Value: "text/html"})
	if got := get(t, start(t, html, Config{}), "/", "").Header["Content-Type"]; fmt.Sprint(got) != "[text/html]" {
		t.Errorf("got %q, want the function's", got)
	}
}

func TestTheLargestBody(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", abi.ResponseBodyBytes)
	if r := get(t, start(t, reply(200, big), Config{}), "/", ""); r.body != big {
		t.Errorf("got %d bytes, status %d", len(r.body), r.StatusCode)
	}
}

func TestABodyThatWasTakenBack(t *testing.T) {
	t.Parallel()
	handler := handlerFunc(func(_ context.Context, _ *abi.Request, resp *abi.Response) error {
		_, _ = resp.Body.Write(make([]byte, abi.ResponseBodyBytes+1))
		_, _ = resp.Body.Write([]byte("first"))
		_ = resp.Body.Reset()
		resp.Status = 201
		_, err := resp.Body.Write([]byte("second"))
		return err
	})
	if r := get(t, start(t, handler, Config{}), "/", ""); r.StatusCode != 201 || r.body != "second" {
		t.Errorf("got %d %q", r.StatusCode, r.body)
	}
}

// TestBodies wants request bodies whole at the sizes where the reader changes its
// way of passing them.
func TestBodies(t *testing.T) {
	t.Parallel()
	rec := &recorder{}
	addr := start(t, rec, Config{})
	for _, n := range []int{0, 1, windowBytes, HeadBytes, stepBytes - 1, stepBytes, stepBytes + 1, 3*stepBytes + 7, abi.RequestBodyBytes} {
		for _, proto := range []string{"HTTP/1.1", "HTTP/1.0"} {
			r := ask(t, addr, "POST", strings.Replace(post(n), "HTTP/1.1", proto, 1))
			if r.StatusCode != 200 || r.body != strings.Repeat("x", n) {
				t.Errorf("%d bytes by %s: got %d and %d bytes", n, proto, r.StatusCode, len(r.body))
			}
			if got := rec.last(t).Header.Get("content-length"); got != fmt.Sprint(n) {
				t.Errorf("%d bytes: the function sees content-length %q", n, got)
			}
		}
	}
	if r := ask(t, addr, "POST", post(abi.RequestBodyBytes+1)); r.StatusCode != 413 {
		t.Errorf("one byte over: got %d", r.StatusCode)
	}
}

// trapped is a Faulter with a stack, as a guest makes it.
var trapped = &abi.Error{What: abi.FaultTrap, Message: "<b>unreachable</b>", Detail: "at <main>\nat _start\n"}

func fails(err error) Handler {
	return handlerFunc(func(_ context.Context, _ *abi.Request, resp *abi.Response) error {
		resp.Status = 200
		resp.Header.Add("x-a", "1")
		_, _ = resp.Body.Write([]byte("half a page"))
		return err
	})
}

func TestJSONInTheShapeOfNetlify(t *testing.T) {
	t.Parallel()
	r := get(t, start(t, fails(fmt.Errorf("host: secret path: %w", trapped)), Config{}), "/", "Accept: text/html\r\n")
	var got map[string]any
	if err := json.Unmarshal([]byte(r.body), &got); err != nil {
		t.Fatalf("%q: %v", r.body, err)
	}
	want := map[string]any{
		"errorType": "Runtime.Trap", "errorMessage": "<b>unreachable</b>", "requestId": r.Header.Get("X-Nf-Request-Id"),
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || r.StatusCode != 502 || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %d %v %v, want %v", r.StatusCode, r.Header, got, want)
	}
	if r.Header.Get("X-A") != "" {
		t.Error("a header of the failed response was sent")
	}
}

func TestAStackInDev(t *testing.T) {
	t.Parallel()
	r := get(t, start(t, fails(trapped), Config{Dev: true}), "/", "")
	if !strings.Contains(r.body, `"trace":["at \u003cmain\u003e","at _start"]`) {
		t.Errorf("got %s", r.body)
	}
}

func TestAPageForBrowsersInDev(t *testing.T) {
	t.Parallel()
	r := get(t, start(t, fails(trapped), Config{Dev: true}), "/%3Cscript%3E?<script>", "Accept: text/html,*/*;q=0.8\r\n")
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") || r.StatusCode != 502 {
		t.Fatalf("got %d %v", r.StatusCode, r.Header)
	}
	for _, want := range []string{"&lt;b&gt;unreachable", "at &lt;main&gt;", "502 Bad Gateway", r.Header.Get("X-Nf-Request-Id"), "?&lt;script&gt;"} {
		if !strings.Contains(r.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(r.body, "<script>") || strings.Contains(r.body, "<b>") {
		t.Errorf("the page is not escaped: %s", r.body)
	}
}

func TestAnUnknownFunctionIsPlainText(t *testing.T) {
	t.Parallel()
	err := &abi.Error{What: abi.FaultUnknownFunction, Message: "no function hello"}
	for _, dev := range []bool{false, true} {
		r := get(t, start(t, fails(err), Config{Dev: dev}), "/", "Accept: text/html\r\n")
		if r.StatusCode != 404 || r.body != "Function not found..." || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("got %d %v %q", r.StatusCode, r.Header, r.body)
		}
	}
}

func TestABadNameIsPlainText(t *testing.T) {
	t.Parallel()
	const message = "Function name should consist only of alphanumeric characters, hyphen & underscores."
	r := get(t, start(t, fails(&abi.Error{What: abi.FaultBadName, Message: message}), Config{}), "/", "")
	if r.StatusCode != 400 || r.body != message {
		t.Errorf("got %d %q", r.StatusCode, r.body)
	}
}

func TestBusyComesWithRetryAfter(t *testing.T) {
	t.Parallel()
	for delay, want := range map[time.Duration]string{0: "1", 1500 * time.Millisecond: "2", time.Minute: "60"} {
		err := &abi.Error{What: abi.FaultFunctionBusy, Message: "queue full", RetryAfter: delay}
		if r := get(t, start(t, fails(err), Config{}), "/", ""); r.StatusCode != 429 || r.Header.Get("Retry-After") != want {
			t.Errorf("got %d, Retry-After %q, want %s", r.StatusCode, r.Header.Get("Retry-After"), want)
		}
	}
	if r := get(t, start(t, fails(&abi.Error{What: abi.FaultNotReady}), Config{}), "/", ""); r.StatusCode != 503 || r.Header.Get("Retry-After") != "1" {
		t.Errorf("got %d %v", r.StatusCode, r.Header)
	}
}

func TestHEADGetsNoErrorBody(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t, fails(trapped), Config{}))
	c.send("HEAD /a HTTP/1.1\r\n" + h + "\r\nHEAD /a HTTP/1.1\r\n" + h + "X Y: 1\r\n\r\n")
	for _, want := range []int{502, 400} {
		if r, _, err := c.receive("HEAD"); err != nil || r.StatusCode != want {
			t.Fatalf("got %v %v, want %d", r.Response, err, want)
		}
	}
	if !c.ended() {
		t.Error("bytes follow the answer to HEAD")
	}
}

func TestMethodNotAllowedNamesTheMethods(t *testing.T) {
	t.Parallel()
	r := ask(t, start(t, &recorder{}, Config{}), "TRACE", "TRACE /a HTTP/1.1\r\n"+h+"\r\n")
	if r.StatusCode != 405 || r.Header.Get("Allow") != allowed {
		t.Errorf("got %d %v", r.StatusCode, r.Header)
	}
}

// TestSecrets wants errors that are not meant for clients in the log alone.
func TestSecrets(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]Handler{
		"an error that is no Faulter": fails(errors.New("secret")),
		"a panic":                     handlerFunc(func(context.Context, *abi.Request, *abi.Response) error { panic("secret") }),
		"a nil dereference": handlerFunc(func(_ context.Context, req *abi.Request, _ *abi.Response) error {
			var secret *abi.Request
			req.Path = secret.Path
			return nil
		}),
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			ready := make(chan struct{}, 1)
			logger := slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
				defer func() { ready <- struct{}{} }()
				return log.Write(p)
			}), nil))
			addr := start(t, handler, Config{Dev: true, Log: logger})
			c := dial(t, addr)
			c.send("GET /a HTTP/1.1\r\n" + h + "\r\n")
			r, _, err := c.receive("GET")
			if err != nil || r.StatusCode != 500 || strings.Contains(r.body, "secret") || !strings.Contains(r.body, "Host.Internal") {
				t.Errorf("got %v %q %v, want 500 and no secret", r.Response, r.body, err)
			}
			<-ready
			if got := log.String(); !strings.Contains(got, r.Header.Get("X-Nf-Request-Id")) ||
				!strings.Contains(got, "secret") && !strings.Contains(got, "nil pointer") {
				t.Errorf("got log %q, want the request id and the error", got)
			}
			c.send("GET /a HTTP/1.1\r\n" + h + "\r\n")
			if r, _, err := c.receive("GET"); err != nil || r.StatusCode != 500 {
				t.Errorf("the connection does not go on: %v", err)
			}
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestRefused wants the host told about requests that never reached it.
func TestRefused(t *testing.T) {
	t.Parallel()
	type refused struct {
		req *abi.Request
		err error
	}
	told := make(chan refused, 1)
	addr := start(t, &recorder{}, Config{Refused: func(req *abi.Request, err error) { told <- refused{req.Clone(), err} }})
	r := ask(t, addr, "POST", "POST /a/./b?c HTTP/1.1\r\n"+h+"Content-Length: 99999999\r\n\r\n")
	got := <-told
	if got.req.ID != r.Header.Get("X-Nf-Request-Id") || got.req.Target() != "/a/b?c" || got.req.RemoteAddr == "" || Status(got.err) != 413 {
		t.Errorf("got %+v %v", got.req, got.err)
	}
}
