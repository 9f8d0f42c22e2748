// Package tck tests a host against the rules of ABI.md, over HTTP, with one
// guest. Load Guest as a function, serve it, and call Run with its URL.
package tck

import (
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Guest is the command guest that Run talks to. Its source is guest/guest.c.
//
//go:embed guest/guest.wasm
var Guest []byte

// Run tests the host that serves Guest at function, an URL such as
// http://localhost:8888/.netlify/functions/tck. The guest's deadline should be
// short (a second): two rules wait for it.
func Run(t *testing.T, function string) {
	k := kit{url: function, client: &http.Client{
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	t.Run("event", k.event)
	t.Run("body", k.body)
	t.Run("response", k.response)
	t.Run("failure", k.failure)
	t.Run("sandbox", k.sandbox)
}

type kit struct {
	url    string
	client *http.Client
}

// answer is a response, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// call sends a request that makes the guest do command.
func (k kit) call(t *testing.T, command, method, suffix, body string, header http.Header) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, k.url+suffix, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("x-tck", command)
	resp, err := k.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// eventJSON is the event as a guest may rely on it.
type eventJSON struct {
	Path, HTTPMethod                string
	QueryStringParameters           map[string]string
	MultiValueQueryStringParameters map[string][]string
	Headers                         map[string]string
	MultiValueHeaders               map[string][]string
	Body                            string
	IsBase64Encoded                 bool
	RawURL                          string `json:"rawUrl"`
	RawQuery                        string
}

func (k kit) eventOf(t *testing.T, method, suffix, body string, header http.Header) (e eventJSON) {
	t.Helper()
	a := k.call(t, "event", method, suffix, body, header)
	if a.status != 200 {
		t.Fatalf("status %d: %.200s", a.status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), &e); err != nil {
		t.Fatalf("rule 19: the event is no JSON: %v: %.200s", err, a.body)
	}
	return e
}

func (k kit) event(t *testing.T) {
	path := k.path(t)
	e := k.eventOf(t, "PURGE", "/a%20b/c%2Fd?q=1&q=2&flag&plus=a+b&bad=%zz&sc=1;b=2", "", http.Header{
		"X-Rep": {"1", "2"}, "X-Nf-Forged": {"1"}, "X-Cloche-Attempt": {"9"}, "Client-Ip": {"192.0.2.1"},
		"X-Forwarded-For": {"192.0.2.1"}, "Connection": {"x-hop"}, "X-Hop": {"1"},
	})
	check(t, 10, "path", e.Path, path+"/a%20b/c%2Fd")
	check(t, 11, "method", e.HTTPMethod, "PURGE")
	for name, want := range map[string]string{"q": "1, 2", "flag": "", "plus": "a b", "bad": "%zz", "sc": "1;b=2"} {
		check(t, 12, "query "+name, e.QueryStringParameters[name], want)
	}
	check(t, 12, "query list", strings.Join(e.MultiValueQueryStringParameters["q"], "|"), "1|2")
	check(t, 13, "repeated header", e.Headers["x-rep"], "1, 2")
	check(t, 13, "header list", strings.Join(e.MultiValueHeaders["x-rep"], "|"), "1|2")
	for _, name := range []string{"connection", "x-hop", "x-nf-forged", "x-cloche-attempt"} {
		check(t, 14, name, e.Headers[name], "")
	}
	check(t, 14, "client-ip", e.Headers["client-ip"], e.Headers["x-nf-client-connection-ip"])
	check(t, 14, "x-forwarded-for", e.Headers["x-forwarded-for"], "192.0.2.1, "+e.Headers["client-ip"])
	if len(e.Headers["x-nf-request-id"]) != 26 {
		t.Errorf("rule 14: x-nf-request-id %q is no ULID", e.Headers["x-nf-request-id"])
	}
	if !strings.HasSuffix(e.RawURL, e.Path+"?"+e.RawQuery) {
		t.Errorf("rule 17: rawUrl %q", e.RawURL)
	}

	bare := k.eventOf(t, "GET", "?", "", nil)
	if bare.QueryStringParameters == nil || len(bare.QueryStringParameters) > 0 || bare.MultiValueQueryStringParameters == nil {
		t.Error("rule 12: the maps of an empty query are not {}")
	}
	if strings.Contains(bare.RawURL, "?") {
		t.Errorf("rule 17: rawUrl %q", bare.RawURL)
	}
}

func (k kit) path(t *testing.T) string {
	u, err := url.Parse(k.url)
	if err != nil {
		t.Fatal(err)
	}
	return u.EscapedPath()
}

func (k kit) body(t *testing.T) {
	for _, test := range []struct {
		contentType string
		body, want  string
		isBase64    bool
	}{
		{"application/json", `{"a":"é"}`, `{"a":"é"}`, false},
		{"Application/JSON; charset=utf-8", `{}`, `{}`, false},
		{"text/plain", "a\"\\\n\x01", "a\"\\\n\x01", false},
		{"text/plain", "a\xffb", "a\uFFFDb", false},
		{"text/plain; charset=iso-8859-1", "h\xe9", "hé", false},
		{"image/svg+xml", "<svg/>", "<svg/>", false},
		{"application/x-www-form-urlencoded", "a=1", "a=1", false},
		{"image/png", "\x00\xff", "AP8=", true},
		{"multipart/form-data; boundary=x", "x", "eA==", true},
		{"", "x", "eA==", true},
	} {
		header := http.Header{"Content-Type": {test.contentType}}
		if test.contentType == "" {
			header = nil
		}
		e := k.eventOf(t, "POST", "", test.body, header)
		check(t, 15, test.contentType+" body", e.Body, test.want)
		if e.IsBase64Encoded != test.isBase64 {
			t.Errorf("rule 15: %q: isBase64Encoded = %v", test.contentType, e.IsBase64Encoded)
		}
	}
	large := strings.Repeat("x", 6<<20)
	text := http.Header{"Content-Type": {"text/plain"}}
	check(t, 4, "length of a body of 6 MiB", k.call(t, "length", "POST", "", large, text).body, "6291456")
	if a := k.call(t, "length", "POST", "", large+"x", text); a.status != 413 {
		t.Errorf("rule 4: a body of 6 MiB and a byte: status %d", a.status)
	}
}

// raw makes the guest print text as its response.
func (k kit) raw(t *testing.T, text string) answer {
	t.Helper()
	return k.call(t, "raw", "POST", "", text, http.Header{"Content-Type": {"application/octet-stream"}})
}

func (k kit) response(t *testing.T) {
	a := k.raw(t, ` {"statusCode":"201","headers":{"x-n":42,"x-b":true,"x-null":null,"x-same":"h","connection":"x-hop","x-hop":1,"content-length":"999","server":"me"},`+
		`"multiValueHeaders":{"X-Same":["1","2"],"set-cookie":["a=1","b=2"]},"body":"`+base64.StdEncoding.EncodeToString([]byte("\x00\xff"))+`","isBase64Encoded":true,"ttl":1}`+"\n")
	check(t, 21, "body", a.body, "\x00\xff")
	if a.status != 201 {
		t.Fatalf("rule 21: status %d: %.200s", a.status, a.body)
	}
	for name, want := range map[string]string{"x-n": "42", "x-b": "true", "x-null": ""} {
		check(t, 22, name, a.header.Get(name), want)
	}
	check(t, 23, "x-same", strings.Join(a.header.Values("x-same"), "|"), "1|2")
	check(t, 27, "connection", a.header.Get("connection"), "")
	check(t, 27, "x-hop", a.header.Get("x-hop"), "")
	check(t, 27, "set-cookie", strings.Join(a.header.Values("set-cookie"), "|"), "a=1|b=2")
	if a.header.Get("server") == "me" {
		t.Error("rule 27: the guest chose the server header")
	}
	for text, rule := range map[string]int{
		``: 20, `hello`: 20, `{"statusCode":200} x`: 20, `[]`: 20, `null`: 20,
		`{}`: 21, `{"statusCode":99}`: 21, `{"statusCode":101}`: 21, `{"statusCode":600}`: 21, `{"statusCode":"x"}`: 21,
		`{"statusCode":200,"headers":{"a":{}}}`: 22, `{"statusCode":200,"multiValueHeaders":[]}`: 23,
		`{"statusCode":200,"headers":{"a":"b\r\nc: d"}}`: 24, `{"statusCode":200,"headers":{"a b":"c"}}`: 24,
		`{"statusCode":200,"body":{}}`: 25, `{"statusCode":200,"body":"%","isBase64Encoded":true}`: 25,
	} {
		if a := k.raw(t, text); a.status != 502 {
			t.Errorf("rule %d: %q: status %d", rule, text, a.status)
		}
	}
}

func (k kit) failure(t *testing.T) {
	for _, test := range []struct {
		command string
		rule    int
		status  int
	}{{"exit3", 33, 502}, {"trap", 8, 502}, {"flood", 32, 502}, {"spin", 8, 504}, {"sleep", 6, 504}} {
		t.Run(test.command, func(t *testing.T) {
			t.Parallel()
			a := k.call(t, test.command, "GET", "", "", nil)
			var said struct{ ErrorType, ErrorMessage, RequestID string }
			if err := json.Unmarshal([]byte(a.body), &said); err != nil || said.ErrorType == "" || said.ErrorMessage == "" || said.RequestID == "" {
				t.Errorf("rule 8: the body says %.200q", a.body)
			}
			if a.status != test.status {
				t.Errorf("rule %d: status %d", test.rule, a.status)
			}
		})
	}
}

func (k kit) sandbox(t *testing.T) {
	if a := k.call(t, "log", "GET", "", "", nil); a.status != 204 || a.body != "" {
		t.Errorf("rule 7: status %d, body %q", a.status, a.body)
	}
	one, two := k.call(t, "random", "GET", "", "", nil), k.call(t, "random", "GET", "", "", nil)
	if one.status != 200 || len(one.body) < 32 || one.body == two.body {
		t.Errorf("rule 6: random bytes %q, then %q", one.body, two.body)
	}
	if a := k.call(t, "files", "GET", "", "", nil); a.status != 200 || strings.Contains(a.body, "root:") {
		t.Errorf("rule 6: status %d, files: %.200s", a.status, a.body)
	}
	if a := k.call(t, "clock", "GET", "", "", nil); a.status != 200 {
		t.Errorf("rule 6: clock: status %d", a.status)
	}
}

func check(t *testing.T, rule int, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("rule %d: %s is %.200q, want %.200q", rule, what, got, want)
	}
}
