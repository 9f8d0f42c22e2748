package host_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/abi/tck"
	"github.com/cloche-run/cloche/host"
	"github.com/cloche-run/cloche/host/admin"
)

// example reads a guest of examples/hello-background.
func example(t *testing.T, name string) []byte {
	t.Helper()
	module, err := os.ReadFile("../examples/hello-background/netlify/functions/" + name + ".wasm")
	if err != nil {
		t.Fatalf("%v: run make guests", err)
	}
	return module
}

// api is the client of a server's admin listener.
func (v *server) api(s site) *admin.Client {
	v.t.Helper()
	c, err := admin.NewClient(strings.TrimPrefix(v.admin, "http://"), filepath.Join(s.dir, ".cloche"))
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(c.Close)
	return c
}

// submit sends a request that is to become a job; header is name, value, ....
func (v *server) submit(method, name string, body io.Reader, header ...string) (*http.Response, string) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.function(name), body)
	if err != nil {
		v.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp, string(text)
}

// job submits and returns the id.
func (v *server) job(name, body string, header ...string) string {
	v.t.Helper()
	resp, text := v.submit("POST", name, strings.NewReader(body), header...)
	id := resp.Header.Get("X-Cloche-Job")
	if resp.StatusCode != 202 || id == "" || text != "" {
		v.t.Fatalf("%s: %d %q, job %q", name, resp.StatusCode, text, id)
	}
	return id
}

// reaches waits until a job has the status.
func reaches(t *testing.T, c *admin.Client, id, status string) admin.JobDetail {
	t.Helper()
	var job admin.JobDetail
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var err error
		if job, err = c.Job(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if job.Status == status {
			return job
		}
	}
	t.Fatalf("job %s is %s %s (%s), never %s", id, job.Status, job.Reason, job.Error, status)
	return job
}

func outcomes(job admin.JobDetail) (text string) {
	for _, a := range job.Attempts {
		text += fmt.Sprintf("%d %s ", a.N, a.Outcome)
	}
	return strings.TrimSpace(text)
}

func TestABackgroundRequestIsAnsweredAtOnce(t *testing.T) {
	s := newSite(t, "[functions.set]\nbackground = true\n[functions.not-background]\nbackground = false\n")
	for _, name := range []string{"tck-background", "set", "not-background"} {
		s.function(name, tck.Guest)
	}
	v := s.serve(host.Options{})
	c := v.api(s)
	for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "PUT", "PURGE"} {
		resp, body := v.submit(method, "tck-background", nil, "x-tck", "event", "accept", "text/html",
			"x-cloche-job", "mine", "x-cloche-attempt", "9", "x-cloche-depth", "99")
		id := resp.Header.Get("X-Cloche-Job")
		if resp.StatusCode != 202 || body != "" || id == "" || id == "mine" || resp.ContentLength > 0 {
			t.Errorf("%s: %d %q %v", method, resp.StatusCode, body, resp.Header)
			continue
		}
		if job := reaches(t, c, id, "succeeded"); outcomes(job) != "1 ok" || job.Origin != "http" || job.Attempts[0].Fuel == 0 || job.Depth != 0 {
			t.Errorf("%s: got %+v", method, job)
		}
	}
	reaches(t, c, v.job("set", "", "x-tck", "log"), "succeeded")
	if status, _ := v.mustGet("not-background", "event"); status != 200 {
		t.Errorf("a function that was taken out of the background: %d", status)
	}
	v.until("without drift", func(stats string) bool {
		return strings.Contains(stats, "cloche_jobs_drift 0\n") && strings.Contains(stats, `cloche_jobs{status="succeeded"} 7`)
	})
}

func TestAJobThatFailsIsTriedAgainAndTold(t *testing.T) {
	s := newSite(t, "[functions.hello-background]\nretries = [\"100ms\", \"200ms\"]\non_failure = \"hello\"\n")
	s.function("hello", example(t, "hello"))
	s.function("hello-background", example(t, "hello-background"))
	v := s.serve(host.Options{})
	c := v.api(s)
	id := v.job("hello-background", "fail", "content-type", "text/plain")
	job := reaches(t, c, id, "dead")
	if outcomes(job) != "1 error 2 error 3 error" || job.Reason != "exhausted" || job.Attempt != 3 {
		t.Errorf("got %s, %s", outcomes(job), job.Reason)
	}
	for i, a := range job.Attempts {
		if want := fmt.Sprintf("job %s, attempt %d\nas you wish\n", id, i+1); a.Log != want {
			t.Errorf("attempt %d logged %q", i+1, a.Log)
		}
		if wait := []time.Duration{0, 100 * time.Millisecond, 200 * time.Millisecond}[i]; i > 0 && a.StartedAt.Sub(job.Attempts[i-1].EndedAt) < wait {
			t.Errorf("attempt %d after %v", i+1, a.StartedAt.Sub(job.Attempts[i-1].EndedAt))
		}
	}
	told := func() string {
		page, err := c.Jobs(t.Context(), admin.JobQuery{Function: "hello"})
		if err != nil || len(page.Jobs) == 0 {
			return ""
		}
		return page.Jobs[0].ID
	}
	for deadline := time.Now().Add(10 * time.Second); told() == "" && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
	}
	if log := reaches(t, c, told(), "succeeded").Attempts[0].Log; !strings.Contains(log, "job "+id+" of hello-background: dead exhausted") {
		t.Errorf("hello was told %q", log)
	}
}

func TestHowAJobFailsIsSaid(t *testing.T) {
	s := newSite(t, "[functions]\nretries = []\n[functions.slow-background]\ntimeout = \"200ms\"\n[functions.poor-background]\nfuel = 1000\n")
	for _, name := range []string{"tck-background", "slow-background", "poor-background"} {
		s.function(name, tck.Guest)
	}
	v := s.serve(host.Options{})
	c := v.api(s)
	for name, test := range map[string]struct{ function, does, body, status, reason, outcomes string }{
		"a trap":                   {"tck-background", "trap", "", "dead", "exhausted", "1 error"},
		"an exit by 3":             {"tck-background", "exit3", "", "dead", "exhausted", "1 error"},
		"a deadline":               {"slow-background", "spin", "", "dead", "timeout", "1 timeout"},
		"no fuel":                  {"poor-background", "event", "", "dead", "exhausted", "1 error"},
		"a 500 is an answer":       {"tck-background", "raw", `{"statusCode":500}`, "succeeded", "", "1 ok"},
		"so is what is no answer":  {"tck-background", "raw", `nothing`, "succeeded", "", "1 ok"},
		"so is too much of it":     {"tck-background", "flood", "", "succeeded", "", "1 ok"},
		"a body that is not UTF-8": {"tck-background", "length", "\xff\xfe\x00", "succeeded", "", "1 ok"},
	} {
		job := reaches(t, c, v.job(test.function, test.body, "x-tck", test.does), test.status)
		if outcomes(job) != test.outcomes || job.Reason != test.reason {
			t.Errorf("%s: got %s %s", name, outcomes(job), job.Reason)
		}
	}
}

func TestWhatIsRefusedMakesNoJob(t *testing.T) {
	s := newSite(t, "[functions.few-background]\nconcurrency = 1\nqueue = 1\n")
	s.function("tck-background", tck.Guest)
	s.function("few-background", tck.Guest)
	s.function("broken-background", []byte("no module"))
	v := s.serve(host.Options{Dev: true})
	c := v.api(s)
	full := bytes.Repeat([]byte("x"), abi.BackgroundBodyBytes)
	chunked := func(b []byte) io.Reader { return io.MultiReader(bytes.NewReader(b)) } // no Content-Length
	for name, test := range map[string]struct {
		function string
		body     io.Reader
		status   int
		header   []string
	}{
		"the largest body":                 {"tck-background", bytes.NewReader(full), 202, nil},
		"the largest body, chunked":        {"tck-background", chunked(full), 202, nil},
		"a byte more":                      {"tck-background", bytes.NewReader(append(full, 'x')), 413, nil},
		"a byte more, chunked":             {"tck-background", chunked(append(full, 'x')), 413, nil},
		"an unknown function":              {"nope-background", nil, 404, nil},
		"a function that cannot be called": {"broken-background", nil, 502, nil},
		"the longest key":                  {"tck-background", nil, 202, []string{"Idempotency-Key", strings.Repeat("k", 255)}},
		"a longer key":                     {"tck-background", nil, 400, []string{"Idempotency-Key", strings.Repeat("k", 256)}},
	} {
		resp, body := v.submit("POST", test.function, test.body, append(test.header, "x-tck", "length")...)
		if id := resp.Header.Get("X-Cloche-Job"); resp.StatusCode != test.status || (id != "") != (test.status == 202) {
			t.Errorf("%s: %d, job %q: %s", name, resp.StatusCode, id, body)
		}
	}
	running := v.job("few-background", "", "x-tck", "spin")
	reaches(t, c, running, "running")
	v.job("few-background", "", "x-tck", "event")
	if resp, body := v.submit("POST", "few-background", nil); resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a flood of one function: %d %s", resp.StatusCode, body)
	}
	if stats, err := c.Stats(t.Context()); err != nil || stats.Jobs["running"]+stats.Jobs["queued"]+stats.Jobs["succeeded"] != 5 {
		t.Errorf("got %v, %v; want 5 jobs", stats.Jobs, err)
	}
	if _, err := c.CancelJob(t.Context(), running); err != nil {
		t.Error(err)
	}
	reaches(t, c, running, "canceled")
}

func TestAFloodOfTheHostIsRefused(t *testing.T) {
	s := newSite(t, "")
	s.function("tck-background", tck.Guest)
	v := s.serve(host.Options{JobBytes: 1 << 20})
	if err := v.api(s).SetPaused(t.Context(), "tck-background", true); err != nil {
		t.Fatal(err)
	}
	body := strings.Repeat("x", 250_000)
	for range 4 {
		v.job("tck-background", body)
	}
	resp, text := v.submit("POST", "tck-background", strings.NewReader(body))
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || resp.Header.Get("X-Cloche-Job") != "" {
		t.Errorf("got %d %s", resp.StatusCode, text)
	}
}

func TestTheSameKeyIsTheSameJob(t *testing.T) {
	s := newSite(t, "")
	s.function("one-background", tck.Guest)
	s.function("two-background", tck.Guest)
	v := s.serve(host.Options{})
	first := v.job("one-background", "a", "idempotency-key", "k", "x-tck", "event")
	if again := v.job("one-background", "b", "idempotency-key", "k", "x-tck", "event"); again != first {
		t.Errorf("got %s and %s", first, again)
	}
	if other := v.job("two-background", "a", "idempotency-key", "k", "x-tck", "event"); other == first {
		t.Error("two functions share a job")
	}
	if err := v.stop(); err != nil {
		t.Fatal(err)
	}
	v = s.serve(host.Options{})
	if again := v.job("one-background", "c", "idempotency-key", "k", "x-tck", "event"); again != first {
		t.Errorf("after a restart: got %s and %s", first, again)
	}
}

func TestJobsAreSteered(t *testing.T) {
	s := newSite(t, "")
	s.function("tck-background", tck.Guest)
	s.function("hello", tck.Guest)
	v := s.serve(host.Options{})
	c, ctx := v.api(s), t.Context()

	running := v.job("tck-background", "", "x-tck", "sleep")
	reaches(t, c, running, "running")
	if _, err := c.ReplayJob(ctx, running); refusal(err) != 409 {
		t.Errorf("replay of what runs: %v", err)
	}
	if _, err := c.CancelJob(ctx, running); err != nil {
		t.Fatal(err)
	}
	if job := reaches(t, c, running, "canceled"); outcomes(job) != "1 canceled" {
		t.Errorf("got %s", outcomes(job))
	}

	if err := c.SetPaused(ctx, "tck-background", true); err != nil {
		t.Fatal(err)
	}
	if err := c.SetPaused(ctx, "nope", true); refusal(err) != 404 {
		t.Errorf("pause of nothing: %v", err)
	}
	waiting := v.job("tck-background", "", "x-tck", "event")
	if err := v.stop(); err != nil { // a pause outlives it
		t.Fatal(err)
	}
	v = s.serve(host.Options{})
	c = v.api(s)
	reaches(t, c, waiting, "queued")
	if list, err := c.Functions(ctx); err != nil || !list[1].Paused || list[0].Paused {
		t.Errorf("got %+v, %v", list, err)
	}
	if err := c.SetPaused(ctx, "tck-background", false); err != nil {
		t.Fatal(err)
	}
	reaches(t, c, waiting, "succeeded")

	again, err := c.ReplayJob(ctx, waiting)
	if err != nil {
		t.Fatal(err)
	}
	if job := reaches(t, c, again, "succeeded"); job.ReplayOf != waiting {
		t.Errorf("got %+v", job)
	}
	page, err := c.Jobs(ctx, admin.JobQuery{Limit: 2})
	if err != nil || len(page.Jobs) != 2 || page.Jobs[0].ID != again || page.NextCursor == "" {
		t.Errorf("got %+v, %v", page, err)
	}
	page, err = c.Jobs(ctx, admin.JobQuery{Limit: 2, Cursor: page.NextCursor})
	if err != nil || len(page.Jobs) != 1 || page.Jobs[0].ID != running {
		t.Errorf("the next page: got %+v, %v", page, err)
	}
	for _, q := range []admin.JobQuery{{Status: "sleeping"}, {Cursor: "nowhere"}, {Limit: 100_000}} {
		if _, err := c.Jobs(ctx, q); refusal(err) != 400 {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if n, err := c.PurgeJobs(ctx, admin.JobPurge{Statuses: []string{"canceled"}}); n != 1 || err != nil {
		t.Errorf("purged %d, %v", n, err)
	}
	for _, id := range []string{running, "nothing", "01KAN0M7VJ3F5ZK6C5Q8S1W2XE"} {
		_, show := c.Job(ctx, id)
		_, cancel := c.CancelJob(ctx, id)
		_, replay := c.ReplayJob(ctx, id)
		if refusal(show) != 404 || refusal(cancel) != 404 || refusal(replay) != 404 {
			t.Errorf("%s: %v, %v, %v", id, show, cancel, replay)
		}
	}
	if resp, _ := v.submit("GET", "../../api/jobs", nil); resp.StatusCode != 404 {
		t.Errorf("the public port knows jobs: %d", resp.StatusCode)
	}
}

// refusal is the status of what the admin API refused.
func refusal(err error) int {
	var refused *admin.StatusError
	if errors.As(err, &refused) {
		return refused.Status
	}
	return 0
}

func TestAShutdownBreaksAJobOffAndItGoesOn(t *testing.T) {
	s := newSite(t, "")
	s.function("tck-background", tck.Guest)
	v := s.serve(host.Options{Drain: -1})
	id := v.job("tck-background", "", "x-tck", "sleep")
	reaches(t, v.api(s), id, "running")
	if err := v.stop(); err != nil {
		t.Fatal(err)
	}
	v = s.serve(host.Options{Drain: -1})
	job := reaches(t, v.api(s), id, "running")
	if job.Attempt != 1 || outcomes(job) != "1 interrupted" || job.Interrupts != 0 {
		t.Errorf("got attempt %d, %s, %d interrupts", job.Attempt, outcomes(job), job.Interrupts)
	}
}

// TestAHostThatIsKilledEatsNoAttempt kills a process of its own while a job runs,
// as often as a job may outlive it.
func TestAHostThatIsKilledEatsNoAttempt(t *testing.T) {
	s := newSite(t, "")
	s.function("tck-background", tck.Guest)
	var id string
	const deaths = 2
	for n := range deaths {
		v := s.serveApart()
		if n == 0 {
			id = v.job("tck-background", "", "x-tck", "sleep")
		}
		if job := reaches(t, v.api(s), id, "running"); job.Attempt != 1 || job.Interrupts != n {
			t.Errorf("death %d: attempt %d, %d interrupts", n, job.Attempt, job.Interrupts)
		}
		if err := v.stop(); err != nil {
			t.Fatal(err)
		}
	}
	v := s.serve(host.Options{})
	job, err := v.api(s).Job(t.Context(), id)
	if err != nil || outcomes(job) != "1 interrupted 1 interrupted" || job.Interrupts != deaths {
		t.Errorf("got %s, %d interrupts, %v", outcomes(job), job.Interrupts, err)
	}
	if _, err := v.api(s).CancelJob(t.Context(), id); err != nil {
		t.Error(err)
	}
}

// serveApart serves the site in another process, which stop kills.
func (s site) serveApart() *server {
	s.t.Helper()
	cmd := exec.Command(os.Args[0], serveArgument, s.dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	kill := func() error { _ = cmd.Process.Kill(); _ = cmd.Wait(); return nil }
	s.t.Cleanup(func() { _ = kill() })
	v := &server{t: s.t, stop: kill}
	if _, err := fmt.Fscan(out, &v.url, &v.admin); err != nil {
		s.t.Fatal(err)
	}
	return v
}

func TestAJobThatFindsNoMemoryWaits(t *testing.T) {
	s := newSite(t, "")
	s.function("tck-background", tck.Guest)
	v := s.serve(host.Options{MemoryBudget: 64 << 10})
	c := v.api(s)
	id := v.job("tck-background", "", "x-tck", "event")
	job := reaches(t, c, id, "retrying")
	if job.Attempt != 0 || outcomes(job) != "1 interrupted" || !strings.Contains(job.Error, "no memory left") || job.Interrupts != 0 {
		t.Errorf("got attempt %d, %s, %s", job.Attempt, outcomes(job), job.Error)
	}
	if err := v.stop(); err != nil {
		t.Fatal(err)
	}
	v = s.serve(host.Options{})
	if job := reaches(t, v.api(s), id, "succeeded"); job.Attempt != 1 {
		t.Errorf("got attempt %d", job.Attempt)
	}
}
