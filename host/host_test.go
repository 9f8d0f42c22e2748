package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi/tck"
	"github.com/cloche-run/cloche/host"
	"github.com/cloche-run/cloche/host/logs"
)

const (
	compileArgument = "compile-apart"
	serveArgument   = "serve-apart"
)

// TestMain makes the test binary a compiler or a server when it is run as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == compileArgument {
		os.Exit(host.Compile(context.Background()))
	}
	if len(os.Args) == 3 && os.Args[1] == serveArgument {
		os.Exit(serveUntilKilled(os.Args[2]))
	}
	os.Exit(m.Run())
}

// serveUntilKilled serves a site and prints its two addresses.
func serveUntilKilled(dir string) int {
	ctx := context.Background()
	h, err := host.Open(ctx, host.Options{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	public, err := net.Listen("tcp", "127.0.0.1:0")
	private, err2 := net.Listen("tcp", "127.0.0.1:0")
	if err := errors.Join(err, err2); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Printf("http://%s http://%s\n", public.Addr(), private.Addr())
	fmt.Fprintln(os.Stderr, h.Run(ctx, public, private, nil))
	return 1
}

// site is a site directory that a test fills.
type site struct {
	t   testing.TB
	dir string
}

func newSite(t testing.TB, toml string) site {
	s := site{t, t.TempDir()}
	s.write("netlify.toml", toml)
	return s
}

func (s site) write(name, content string) {
	s.t.Helper()
	file := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s site) function(name string, module []byte) {
	s.write("netlify/functions/"+name+".wasm", string(module))
}

// server is a host that runs.
type server struct {
	t     testing.TB
	host  *host.Host
	url   string
	admin string
	stop  func() error
}

func (s site) serve(options host.Options) *server {
	s.t.Helper()
	options.Dir = s.dir
	ctx, cancel := context.WithCancel(context.Background())
	h, err := host.Open(ctx, options)
	if err != nil {
		s.t.Fatal(err)
	}
	public, private := listen(s.t), listen(s.t)
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(h.Run(ctx, public, private, nil), h.Close()) }()
	v := &server{t: s.t, host: h, url: "http://" + public.Addr().String(), admin: "http://" + private.Addr().String()}
	var once bool
	v.stop = func() error {
		if once {
			return nil
		}
		once = true
		cancel()
		return <-ended
	}
	s.t.Cleanup(func() {
		if err := v.stop(); err != nil {
			s.t.Error(err)
		}
	})
	return v
}

func listen(t testing.TB) net.Listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func (v *server) function(name string) string { return v.url + "/.netlify/functions/" + name }

// get makes the guest of abi/tck do command.
func (v *server) get(ctx context.Context, name, command string) (status int, body string, header http.Header, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.function(name), nil)
	if err != nil {
		return 0, "", nil, err
	}
	req.Header.Set("x-tck", command)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), resp.Header, err
}

func (v *server) mustGet(name, command string) (status int, body string) {
	v.t.Helper()
	status, body, _, err := v.get(v.t.Context(), name, command)
	if err != nil {
		v.t.Fatal(err)
	}
	return status, body
}

func TestTheContractHolds(t *testing.T) {
	s := newSite(t, "[functions]\ntimeout = \"3s\"\nmemory = \"64mb\"\n")
	s.function("tck", tck.Guest)
	v := s.serve(host.Options{})
	tck.Run(t, v.function("tck"))
}

func TestFunctionURLsAreNetlifys(t *testing.T) {
	s := newSite(t, "")
	s.function("hello", tck.Guest)
	s.function("dot.name", tck.Guest)
	s.write("netlify/functions/folder/folder.wasm", string(tck.Guest))
	s.write("netlify/functions/indexed/index.wasm", string(tck.Guest))
	s.write("netlify/functions/helper/util.txt", "no function")
	v := s.serve(host.Options{})
	for path, want := range map[string]int{
		"hello": 200, "hello/": 200, "hello/any/sub": 200, "folder": 200, "indexed": 200,
		"HELLO": 404, "hello.wasm": 404, "he$llo": 404, "helper": 404, "nope": 404, "": 404, "dot.name": 400,
	} {
		status, body := v.mustGet(path, "event")
		if status != want {
			t.Errorf("%q: status %d, want %d", path, status, want)
		}
		if want == 404 && body != "Function not found..." {
			t.Errorf("%q: body %q", path, body)
		}
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "PURGE"} {
		req, _ := http.NewRequestWithContext(t.Context(), method, v.function("hello"), nil)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 || resp.Header.Get("access-control-allow-origin") != "" {
			t.Errorf("%s: status %d, header %v", method, resp.StatusCode, resp.Header)
		}
	}
}

func TestAFunctionThatCannotBeLoadedDoesNotStopTheOthers(t *testing.T) {
	s := newSite(t, "")
	s.function("hello", tck.Guest)
	s.function("garbage", []byte("hello, world"))
	s.function("component", []byte("\x00asm\x0d\x00\x01\x00"))
	s.write("netlify/functions/script.js", "exports.handler = async () => ({statusCode: 200})")
	if err := os.Symlink("/etc/passwd", filepath.Join(s.dir, "netlify/functions/link.wasm")); err != nil {
		t.Fatal(err)
	}
	for _, dev := range []bool{false, true} {
		v := s.serve(host.Options{Dev: dev})
		if status, _ := v.mustGet("hello", "event"); status != 200 {
			t.Errorf("hello: status %d", status)
		}
		for name, why := range map[string]string{
			"garbage": "not a WebAssembly module", "component": "preview 2", "script": "JavaScript",
			"link": "cannot read it",
		} {
			status, body := v.mustGet(name, "event")
			if status != 502 || strings.Contains(body, why) != dev {
				t.Errorf("dev = %v: %s: %d %s", dev, name, status, body)
			}
		}
		if err := v.stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenSaysWhatIsWrongWithASite(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(site)
		want  string
	}{
		"no functions directory":    {func(site) {}, "no functions directory"},
		"an empty one":              {func(s site) { s.write("netlify/functions/README.md", "") }, "no functions in"},
		"a broken toml":             {func(s site) { s.write("netlify.toml", "[functions\n") }, "netlify.toml:2"},
		"an unknown key":            {func(s site) { s.write("netlify.toml", "[functions]\ntimout = 5\n") }, `did you mean "timeout"`},
		"data of another version":   {func(s site) { s.write(".cloche/version", "99\n") }, "version"},
		"a ledger that is none":     {func(s site) { s.write(".cloche/ledger.db", strings.Repeat("no database ", 1000)) }, "ledger"},
		"a data directory is taken": {func(s site) { s.write(".cloche", "a file") }, "choose another"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, "")
			test.spoil(s)
			h, err := host.Open(t.Context(), host.Options{Dir: s.dir})
			if err == nil {
				h.Close()
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	t.Run("a directory that is in use", func(t *testing.T) {
		s := newSite(t, "")
		s.function("hello", tck.Guest)
		s.serve(host.Options{})
		if _, err := host.Open(t.Context(), host.Options{Dir: s.dir}); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no directory", func(t *testing.T) {
		if _, err := host.Open(t.Context(), host.Options{Dir: "/nonexistent"}); err == nil || !strings.Contains(err.Error(), "no directory") {
			t.Errorf("got %v", err)
		}
	})
}

func TestTheQueueIsBounded(t *testing.T) {
	s := newSite(t, "[functions]\ntimeout = \"5s\"\n[functions.one]\nconcurrency = 1\nqueue = 0\n[functions.slow]\ntimeout = \"1s\"\n")
	for _, name := range []string{"one", "two", "slow"} {
		s.function(name, tck.Guest)
	}
	v := s.serve(host.Options{Concurrency: 2, Queue: 1, Dev: true})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	occupy := func(name string) {
		go v.get(ctx, name, "spin")
		v.until("running", func(stats string) bool {
			return strings.Contains(stats, `cloche_instances_running{function="`+name+`"} 1`)
		})
	}
	occupy("one")
	if status, _, header, _ := v.get(ctx, "one", "event"); status != 429 || header.Get("retry-after") == "" {
		t.Errorf("a full function: %d %v", status, header)
	}
	if status, _ := v.mustGet("two", "event"); status != 200 {
		t.Errorf("its neighbour: %d", status)
	}
	occupy("two")
	go v.get(ctx, "slow", "event") // waits
	v.until("waiting", func(stats string) bool { return strings.Contains(stats, `cloche_queue_length{function="slow"} 1`) })
	if status, _, header, _ := v.get(ctx, "slow", "event"); status != 503 || header.Get("retry-after") == "" {
		t.Errorf("a full host: %d %v", status, header)
	}
}

// until waits until the metrics say so.
func (v *server) until(what string, done func(string) bool) {
	v.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		resp, err := http.Get(v.admin + "/metrics")
		if err != nil {
			v.t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if done(string(text)) {
			return
		}
	}
	v.t.Fatalf("never %s", what)
}

func TestGuestsSeeOnlyGrantedVariables(t *testing.T) {
	t.Setenv("CANARY", "secret of the host")
	t.Setenv("PASSED", "on")
	s := newSite(t, "[build.environment]\nBUILD = \"b\"\n[context.production.environment]\nSITE = \"s\"\n[functions.less]\nenv = [\"PASSED\"]\n")
	s.function("all", tck.Guest)
	s.function("less", tck.Guest)
	s.write(".env", "LOCAL=l\n")
	secrets := filepath.Join(t.TempDir(), "secrets")
	if err := os.WriteFile(secrets, []byte("TOKEN=t\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		dev  bool
		want map[string]map[string]string
	}{
		{false, map[string]map[string]string{"all": {"SITE": "s", "TOKEN": "t", "PASSED": "on"}, "less": {"PASSED": "on"}}},
		{true, map[string]map[string]string{"all": {"BUILD": "b", "SITE": "s", "LOCAL": "l", "TOKEN": "t", "PASSED": "on"}, "less": {"PASSED": "on"}}},
	} {
		v := s.serve(host.Options{Dev: test.dev, EnvFile: secrets, Env: []string{"PASSED"}})
		for name, want := range test.want {
			_, body := v.mustGet(name, "env")
			var got map[string]string
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatal(err)
			}
			if len(got) != len(want) {
				t.Errorf("dev = %v: %s sees %v, want %v", test.dev, name, got, want)
			}
			for variable, value := range want {
				if got[variable] != value {
					t.Errorf("dev = %v: %s: %s = %q", test.dev, name, variable, got[variable])
				}
			}
		}
		if err := v.stop(); err != nil {
			t.Error(err)
		}
	}
	if err := os.Chmod(secrets, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := host.Open(t.Context(), host.Options{Dir: s.dir, EnvFile: secrets}); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file of secrets for all: %v", err)
	}
}

func TestWhatReachesNoFunctionIsLoggedAndCounted(t *testing.T) {
	s := newSite(t, "")
	s.function("hello", tck.Guest)
	s.function("dot.name", tck.Guest)
	s.function("broken", []byte("x"))
	v := s.serve(host.Options{})
	for _, name := range []string{"nope", "dot.name", "broken"} {
		v.mustGet(name, "event")
	}
	for _, want := range []string{
		`cloche_requests_refused_total{fault="unknown_function"} 1`,
		`cloche_requests_refused_total{fault="bad_function_name"} 1`,
		`cloche_invocations_total{function="broken",outcome="load_failed"} 1`,
		`cloche_invocation_exec_seconds_count{function="broken"} 0`,
	} {
		v.until("counted "+want, func(stats string) bool { return strings.Contains(stats, want) })
	}
	if err := v.stop(); err != nil {
		t.Fatal(err)
	}
	log := ""
	for record, err := range logs.Read(filepath.Join(s.dir, ".cloche"), logs.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		log += record.Message + " " + record.Attr("path").String() + " " + record.Attr("status").String() + "\n"
	}
	for _, want := range []string{
		"request refused /.netlify/functions/nope 404", "request refused /.netlify/functions/dot.name 400",
		"request /.netlify/functions/broken 502",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
}

// TestShutdownIsSeenBeforeItHappens: a load balancer asks /readyz, which must say
// no while a request still runs.
func TestShutdownIsSeenBeforeItHappens(t *testing.T) {
	s := newSite(t, "[functions]\ntimeout = \"1s\"\n")
	s.function("hello", tck.Guest)
	v := s.serve(host.Options{})
	answered := make(chan int, 1)
	go func() {
		status, _, _, _ := v.get(context.Background(), "hello", "spin")
		answered <- status
	}()
	v.until("running", func(stats string) bool {
		return strings.Contains(stats, `cloche_instances_running{function="hello"} 1`)
	})
	stopped := make(chan error, 1)
	go func() { stopped <- v.stop() }()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		resp, err := http.Get(v.admin + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == 503 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("ready for ever")
		}
	}
	if status := <-answered; status != 504 {
		t.Errorf("the request that ran got %d", status)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
