package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/abi/tck"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// TestMain makes the test binary the command itself when a test runs it, or when
// that command runs itself as its compiler.
func TestMain(m *testing.M) {
	if os.Getenv("CLOCHE_TEST_COMMAND") == "1" || len(os.Args) == 2 && os.Args[1] == compileCommand {
		os.Exit(Main("notices\n"))
	}
	os.Exit(m.Run())
}

func command(ctx context.Context, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append([]string{"CLOCHE_TEST_COMMAND=1", "HOME=/nonexistent", "TERM=dumb"}, env...)
	return cmd
}

// run runs a command to its end.
func run(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := command(ctx, env, args...)
	var out, aside bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &aside
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), aside.String(), cmd.ProcessState.ExitCode()
}

func newSite(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	functions := filepath.Join(dir, "netlify", "functions")
	if err := os.MkdirAll(functions, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(functions, "tck.wasm"), tck.Guest, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCommandsWithoutAServer(t *testing.T) {
	site := newSite(t)
	for name, test := range map[string]struct {
		args []string
		out  string // part of standard output
		err  string // part of standard error
		code int
	}{
		"help":                           {[]string{"--help"}, "cloche dev ./my-site", "", 0},
		"help of a command":              {[]string{"serve", "--help"}, "--memory-budget", "", 0},
		"version":                        {[]string{"version"}, "cloche devel", "", 0},
		"licenses":                       {[]string{"licenses"}, "notices", "", 0},
		"an unknown command":             {[]string{"srve"}, "", `did you mean "serve"`, 2},
		"an unknown flag":                {[]string{"serve", "--prot", "1"}, "", "see `cloche serve --help`", 2},
		"a bad size":                     {[]string{"serve", site, "--memory-budget", "lots"}, "", "write 512mb", 2},
		"help of the caps":               {[]string{"serve", "--help"}, "module-bytes     33554432", "", 0},
		"a bad cap":                      {[]string{"serve", site, "--cap", "tables"}, "", "write NAME=NUMBER", 2},
		"an unknown cap":                 {[]string{"invoke", "tck", "--site", site, "--cap", "tables=17,chairs=4"}, "", `--cap chairs=4: there is no cap "chairs": they are module-bytes,`, 2},
		"a cap lowered":                  {[]string{"run", "--cap", "tables=15", "x.wasm"}, "", "the cap tables is 16 and cannot be lowered to 15", 2},
		"a bad proxy":                    {[]string{"serve", site, "--trusted-proxy", "me"}, "", "10.0.0.0/8", 2},
		"too many arguments":             {[]string{"serve", "a", "b"}, "", "at most 1", 2},
		"a site that is none":            {[]string{"functions", "/nonexistent"}, "", "name the directory of a site", 1},
		"functions":                      {[]string{"functions", site}, "tck   command", "", 0},
		"functions as JSON":              {[]string{"functions", site, "--json"}, `"name":"tck"`, "", 0},
		"invoke":                         {[]string{"invoke", "tck", "--site", site}, `"httpMethod":"GET"`, "200 in", 0},
		"invoke with a body":             {[]string{"invoke", "tck", "--site", site, "--data", `{"a":1}`}, `"body":"{\"a\":1}"`, "200 in", 0},
		"invoke with a query":            {[]string{"invoke", "tck", "--site", site, "--querystring", "a=b"}, `"a":"b"`, "", 0},
		"invoke with a method":           {[]string{"invoke", "tck", "--site", site, "--method", "PURGE"}, `"httpMethod":"PURGE"`, "", 0},
		"invoke with a file":             {[]string{"invoke", "tck", "--site", site, "--file", "cli_test.go", "-H", "content-type: text/plain"}, `package cli`, "", 0},
		"invoke with a file not there":   {[]string{"invoke", "tck", "--site", site, "--file", "/nonexistent"}, "", "no such file", 1},
		"invoke with two bodies":         {[]string{"invoke", "tck", "--site", site, "--file", "x", "--data", "y"}, "", "give one", 2},
		"invoke showing the header":      {[]string{"invoke", "tck", "--site", site, "-i"}, "200\ncontent-type: application/json", "", 0},
		"invoke showing the log":         {[]string{"invoke", "tck", "--site", site, "-H", "x-tck: log"}, "", "| ", 0},
		"invoke of a function that ends": {[]string{"invoke", "tck", "--site", site, "-H", "x-tck: exit3"}, "", "exit: RequestId", 1},
		"invoke of no function":          {[]string{"invoke", "--site", site}, "", "name one function", 2},
		"invoke of an unknown function":  {[]string{"invoke", "nope", "--site", site}, "", "`cloche functions` lists", 1},
		"logs with a bad time":           {[]string{"logs", "--site", site, "--since", "yesterday"}, "", "10m", 2},
		"logs with a time to come":       {[]string{"logs", "--site", site, "--since=-5m"}, "", "10m", 2},
		"logs of no records":             {[]string{"logs", "--site", site, "-n", "0"}, "", "from 1 to", 2},
		"following what never was":       {[]string{"logs", "--site", t.TempDir(), "-f"}, "", "serve the site", 1},
		"no connections":                 {[]string{"serve", site, "--connections", "0"}, "", "at least 1", 2},
		"logs with a bad level":          {[]string{"logs", "--site", site, "--level", "loud"}, "", "use debug, info", 2},
	} {
		t.Run(name, func(t *testing.T) {
			out, aside, code := run(t, nil, test.args...)
			if code != test.code || !strings.Contains(out, test.out) || !strings.Contains(aside, test.err) {
				t.Errorf("code %d, want %d\nstdout: %.2000s\nstderr: %.2000s\nwant %q and %q", code, test.code, out, aside, test.out, test.err)
			}
			if strings.Contains(out+aside, "\x1b") {
				t.Error("colours on what is no terminal")
			}
		})
	}
	if err := os.WriteFile(filepath.Join(site, "netlify", "functions", "tables.wasm"), tables(17), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		env, args []string
		want      string
	}{
		{nil, nil, "the number of tables is 17, the cap is 16; an operator can raise it: --cap tables=17"},
		{nil, []string{"--cap", "tables=17"}, "unexpected end of JSON"},
		{nil, nil, "--cap tables=17"}, // not from the cache
		{[]string{"CLOCHE_CAP=types=9000,tables=20"}, nil, "unexpected end of JSON"},
	} {
		if _, aside, _ := run(t, test.env, append([]string{"invoke", "tables", "--site", site}, test.args...)...); !strings.Contains(aside, test.want) {
			t.Errorf("%q %q: %s, want %q", test.env, test.args, aside, test.want)
		}
	}
	if out, _, _ := run(t, nil, "logs", "tck", "--site", site); !strings.Contains(out, "status=200") {
		t.Errorf("the log of what was invoked: %q", out)
	}
}

// tables is a program with n tables that answers nothing.
func tables(n int) []byte {
	var m w.Module
	m.Memory(1)
	for range n {
		m.Table(1, 1)
	}
	m.ExportFunc(abi.ExportStart, m.Func(nil, nil))
	return m.Bytes()
}

// server is a `cloche serve` that runs.
type server struct {
	t          *testing.T
	cmd        *exec.Cmd
	url, admin string
	stderr     *bytes.Buffer
}

func start(t *testing.T, env []string, args ...string) *server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	v := &server{t: t, cmd: command(ctx, env, args...), stderr: new(bytes.Buffer)}
	v.cmd.Stderr = v.stderr
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.cmd.Process.Kill(); _ = v.cmd.Wait() })
	lines := bufio.NewScanner(out)
	for v.admin == "" && lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "listening on "); ok {
			v.url = url
		}
		if url, ok := strings.CutPrefix(lines.Text(), "admin on "); ok {
			v.admin = url
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	if v.admin == "" {
		_ = v.cmd.Wait()
		t.Fatalf("did not start: %s", v.stderr)
	}
	return v
}

// status is that of a GET; 0 if there was no answer.
func (v *server) status(url string) int {
	resp, err := http.Get(url)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

func (v *server) until(url string, want int) {
	v.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); v.status(url) != want; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			v.t.Fatalf("%s never answers %d: %s", url, want, v.stderr)
		}
	}
}

// end sends SIGTERM and waits for a clean end.
func (v *server) end() {
	v.t.Helper()
	if err := v.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		v.t.Fatal(err)
	}
	if err := v.cmd.Wait(); err != nil {
		v.t.Errorf("after SIGTERM: %v: %s", err, v.stderr)
	}
}

func TestServeFromStartToEnd(t *testing.T) {
	site := newSite(t)
	v := start(t, []string{"CLOCHE_ADMIN=127.0.0.1:0"}, "serve", site, "--addr", "127.0.0.1:0")
	v.until(v.admin+"/readyz", 200)
	v.until(v.url+"/.netlify/functions/tck", 200)

	admin := strings.TrimPrefix(v.admin, "http://")
	if out, aside, code := run(t, nil, "functions", site); code != 0 || !strings.Contains(out, "tck") {
		t.Errorf("functions through the server: %d %s %s", code, out, aside)
	}
	if out, aside, code := run(t, nil, "invoke", "tck", "--site", site); code != 0 || !strings.Contains(out, "httpMethod") {
		t.Errorf("invoke through the server: %d %s %s", code, out, aside)
	}
	if out, aside, code := run(t, nil, "logs", "--site", site, "--admin", admin); code != 0 || strings.Count(out, "status=200") < 2 {
		t.Errorf("logs through the server: %d %s %s", code, out, aside)
	}
	if _, aside, code := run(t, nil, "functions", site, "--admin", "127.0.0.1:1"); code != 1 || !strings.Contains(aside, "in use") {
		t.Errorf("a data directory that is in use: %d %s", code, aside)
	}

	if err := os.WriteFile(filepath.Join(site, "netlify/functions/two.wasm"), tck.Guest, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := v.status(v.url + "/.netlify/functions/two"); got != 404 {
		t.Errorf("before SIGHUP: %d", got)
	}
	if err := v.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	v.until(v.url+"/.netlify/functions/two", 200)
	v.end()
}

func TestATakenPort(t *testing.T) {
	site := newSite(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, aside, code := run(t, nil, "serve", site, "--addr", ln.Addr().String(), "--admin", "127.0.0.1:0")
	if code != 1 || !strings.Contains(aside, "is taken") || !strings.Contains(aside, "--addr") {
		t.Errorf("serve: %d %s", code, aside)
	}
	one := start(t, nil, "dev", site)
	two := start(t, nil, "dev", newSite(t))
	if one.url == two.url || one.admin == two.admin {
		t.Errorf("both on %s and %s", one.url, one.admin)
	}
	two.until(two.url+"/.netlify/functions/tck", 200)
	two.end()
	one.end()
}

func TestSizesAreWrittenAsPeopleDo(t *testing.T) {
	for text, want := range map[string]int64{"64kb": 64 << 10, "512MB": 512 << 20, "4 gb": 4 << 30, "0b": 0, "100b": 100} {
		var s size
		if err := s.Set(text); err != nil || int64(s) != want {
			t.Errorf("%q: %d, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "4", "gb", "-1gb", "1.5gb", "99999999999999gb", "4tb"} {
		var s size
		if err := s.Set(text); err == nil {
			t.Errorf("%q is taken for %d bytes", text, s)
		}
	}
}
