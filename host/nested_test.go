package host_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// fetcher is a handler that fetches what its request's body says, with that body as
// the body, and answers with what it got: head and body, or the error. Before that
// it tells itself that it stands at the beginning of a chain of calls.
func fetcher() []byte {
	const i32, at, room, wrap, lessThan = w.I32, 0x1000, 0x4000, 0xa7, 0x48
	const depth = abi.HeaderDepth
	var m w.Module
	three, result := []byte{i32, i32, i32}, []byte{i32}
	fetch := m.Import(abi.ModuleCloche, abi.ImportFetch, []byte{i32, i32, i32, i32}, result)
	head := m.Import(abi.ModuleCloche, abi.ImportFetchHead, three, result)
	body := m.Import(abi.ModuleCloche, abi.ImportFetchBody, three, result)
	fault := m.Import(abi.ModuleCloche, abi.ImportFetchError, []byte{i32, i32}, result)
	read := m.Import(abi.ModuleHandler, "read_body", three, []byte{w.I64})
	write := m.Import(abi.ModuleHandler, "write_body", three, nil)
	set := m.Import(abi.ModuleHandler, "set_header_value", []byte{i32, i32, i32, i32, i32}, nil)
	m.Memory(1)
	m.ExportMemory(abi.ExportMemory)
	m.Data(0, depth)
	m.Data(0x100, "0")
	say := func(length w.Code) w.Code {
		return length.Index(w.LocalSet, 1).I32(1, room).Index(w.LocalGet, 1).Call(write)
	}
	code := w.Code{}.I32(0, 0, int64(len(depth)), 0x100, 1).Call(set).
		I32(0, at, 0x1000).Call(read).Op(wrap).Index(w.LocalSet, 1).
		I32(at).Index(w.LocalGet, 1).I32(at).Index(w.LocalGet, 1).Call(fetch).Index(w.LocalTee, 0).
		I32(0).Op(lessThan).If(say(w.Code{}.I32(room, 0x4000).Call(fault)).I64(0).Op(w.Return)).
		Then(say(w.Code{}.Index(w.LocalGet, 0).I32(room, 0x4000).Call(head))).
		Then(say(w.Code{}.Index(w.LocalGet, 0).I32(room, 0x4000).Call(body))).I64(0)
	m.ExportFunc(abi.ExportHandleRequest, m.FuncLocals(nil, []byte{w.I64}, []w.Locals{{Count: 2, Type: i32}}, code))
	m.ExportFunc(abi.ExportHandleResponse, m.Func([]byte{i32, i32}, nil))
	return m.Bytes()
}

// fetch has a function fetch.
func (v *server) fetch(name, head string) (status int, answer string) {
	v.t.Helper()
	resp, text := v.submit("POST", name, strings.NewReader(head), "content-type", "text/plain")
	return resp.StatusCode, text
}

func TestAChainOfCallsEnds(t *testing.T) {
	s := newSite(t, "[context.production.environment]\nURL = \"https://www.example.com\"\n")
	s.function("chain", fetcher())
	v := s.serve(host.Options{})
	port := v.url[strings.LastIndexByte(v.url, ':'):]
	for _, origin := range []string{"http://localhost" + port, "http://127.0.0.1" + port, "https://www.example.com"} {
		status, answer := v.fetch("chain", "POST "+origin+"/.netlify/functions/chain\nx-cloche-depth: 0\n")
		if status != 200 || strings.Count(answer, "200 "+origin) != abi.ChainDepth || strings.Count(answer, "508 "+origin) != 1 {
			t.Errorf("%s: got %d %s", origin, status, answer)
		}
	}
}

func TestANestedCallNeverWaitsForItsCaller(t *testing.T) {
	s := newSite(t, "[functions.single]\nconcurrency = 1\n")
	s.function("single", fetcher())
	s.function("other", fetcher())
	v := s.serve(host.Options{})
	single := "POST " + v.function("single")
	if status, answer := v.fetch("single", single); status != 200 || !strings.HasPrefix(answer, "429 ") || !strings.Contains(answer, "retry-after: 1") || !strings.Contains(answer, "Function.Busy") {
		t.Errorf("got %d %s", status, answer)
	}
	if status, answer := v.fetch("other", single); status != 200 || !strings.Contains(answer, "429 ") {
		t.Errorf("through another: got %d %s", status, answer)
	}
}

func TestACallOfTheOwnSiteIsARequest(t *testing.T) {
	s := newSite(t, "")
	s.function("ask", fetcher())
	s.function("job-background", fetcher())
	v := s.serve(host.Options{})
	for head, want := range map[string]string{
		"GET " + v.function("nobody"):  "404 ",
		"GET " + v.url + "/index.html": "404 ",
		"GET " + v.admin + "/healthz":  "not in the function's allow_hosts",
		"GET http://192.0.2.1/":        "not in the function's allow_hosts",
		"nonsense":                     "begins with",
		"GET https://localhost" + v.url[strings.LastIndexByte(v.url, ':'):] + "/x": "not in the function's allow_hosts",
	} {
		if status, answer := v.fetch("ask", head); status != 200 || !strings.Contains(answer, want) {
			t.Errorf("%s: got %d %s, want %s", head, status, answer, want)
		}
	}
	_, answer := v.fetch("ask", "GET "+v.function("job-background"))
	_, rest, found := strings.Cut(answer, "x-cloche-job: ")
	id, _, _ := strings.Cut(rest, "\n")
	if !strings.HasPrefix(answer, "202 ") || !found {
		t.Fatalf("a background function: %s", answer)
	}
	if job := reaches(t, v.api(s), id, "succeeded"); job.Depth != 1 {
		t.Errorf("the job has depth %d", job.Depth)
	}
}

func TestAllowHostsSayWhomAFunctionMayCall(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "depth %q", r.Header.Get(abi.HeaderDepth))
	}))
	t.Cleanup(other.Close)
	address := strings.TrimPrefix(other.URL, "http://")
	for name, test := range map[string]struct {
		toml string
		dev  bool
		want string
	}{
		"nothing in production":      {"", false, "not in the function's allow_hosts"},
		"what is public in dev":      {"", true, "no public address"},
		"nothing in dev if told so":  {"[functions]\nallow_hosts = []", true, "not in the function's allow_hosts"},
		"a host that is named":       {"[functions]\nallow_hosts = [\"" + address + "\"]", false, "200 " + other.URL + "/\n"},
		"a host that is not":         {"[functions]\nallow_hosts = [\"127.0.0.1:1\"]", false, "not in the function's allow_hosts"},
		"everything that is public":  {"[functions]\nallow_hosts = [\"*\"]", false, "no public address"},
		"what another may is not it": {"[functions.other]\nallow_hosts = [\"" + address + "\"]", false, "not in the function's allow_hosts"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, test.toml)
			s.function("ask", fetcher())
			s.function("other", fetcher())
			v := s.serve(host.Options{Dev: test.dev})
			if status, answer := v.fetch("ask", "GET "+other.URL+"/"); status != 200 || !strings.Contains(answer, test.want) {
				t.Errorf("got %d %s, want %s", status, answer, test.want)
			}
		})
	}
}

func TestAFetchEndsWithItsFunction(t *testing.T) {
	gone := make(chan bool, 1)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		<-r.Context().Done()
		gone <- true
	}))
	t.Cleanup(other.Close)
	s := newSite(t, "[functions]\ntimeout = \"300ms\"\nallow_hosts = [\"127.0.0.1\"]")
	s.function("ask", fetcher())
	v := s.serve(host.Options{})
	if status, answer := v.fetch("ask", "GET "+other.URL); status != 504 || !strings.Contains(answer, "timed out after 0.30 seconds") {
		t.Errorf("got %d %s", status, answer)
	}
	<-gone
}

// receiver takes what is posted to it, and answers with statuses, the last of them
// for ever.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	keys   []string
}

func newReceiver(t *testing.T, statuses ...int) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		w.WriteHeader(statuses[min(len(r.bodies), len(statuses)-1)])
		r.bodies = append(r.bodies, req.Method+" "+string(body))
		r.keys = append(r.keys, req.Header.Get("Idempotency-Key"))
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.bodies)
}

// posts waits for n of them.
func (r *receiver) posts(t *testing.T, n int) []string {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		r.mu.Lock()
		bodies := r.bodies
		r.mu.Unlock()
		if len(bodies) >= n {
			return bodies
		}
	}
	t.Fatalf("not posted %d times", n)
	return nil
}

func TestAnAddressIsToldHowAJobEnded(t *testing.T) {
	r, never := newReceiver(t, 500, 204), newReceiver(t, 204)
	s := newSite(t, fmt.Sprintf(`
[functions.told-background]
on_success = %q
allow_hosts = [%q]
retries = ["100ms"]
[functions.untold-background]
on_success = %q
retries = []
`, r.URL+"/hook?a=b", strings.TrimPrefix(r.URL, "http://"), never.URL))
	s.function("told-background", fetcher())
	s.function("untold-background", fetcher())
	v := s.serve(host.Options{})
	c := v.api(s)
	untold, told := v.job("untold-background", "x"), v.job("told-background", "x")
	for i, body := range r.posts(t, 2) {
		if !strings.HasPrefix(body, `POST {"job":"`+told+`"`) || !strings.Contains(body, `"status":"succeeded"`) {
			t.Errorf("post %d: %s", i, body)
		}
	}
	if r.keys[0] == "" || r.keys[0] != r.keys[1] {
		t.Errorf("keys %q", r.keys)
	}
	for _, id := range []string{told, untold} { // whatever becomes of the news
		if job := reaches(t, c, id, "succeeded"); outcomes(job) != "1 ok" {
			t.Errorf("%s: %s", id, outcomes(job))
		}
	}
	v.until("no news left", func(stats string) bool { return strings.Contains(stats, "cloche_outcomes_pending 0\n") })
	if never.count() > 0 {
		t.Error("an address that is not allowed was told")
	}
}

func TestTheExamplePostsItsResult(t *testing.T) {
	s := newSite(t, "[context.production.environment]\nWORK = \"1ms\"\nURL = \"https://www.example.com\"\n")
	s.function("hello", example(t, "hello"))
	s.function("hello-background", example(t, "hello-background"))
	v := s.serve(host.Options{})
	job := reaches(t, v.api(s), v.job("hello-background", ""), "succeeded")
	if log := job.Attempts[0].Log; outcomes(job) != "1 ok" || !strings.Contains(log, "hello answered 200: hello") {
		t.Errorf("got %s, %s", outcomes(job), log)
	}
}
