package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeJobs is three jobs that nobody runs.
type fakeJobs struct {
	mu     sync.Mutex
	jobs   []JobDetail
	paused []string
	purge  JobPurge // the last one
	query  JobQuery // the last one
	broken error
}

func newFakeJobs() *fakeJobs {
	at := time.Date(2026, 11, 23, 18, 0, 0, 123_456_000, time.UTC)
	job := func(id, status string) JobDetail {
		return JobDetail{Job: Job{ID: id, Function: "f", Status: status, Attempt: 1, Origin: "http", CreatedAt: at}}
	}
	dead := job("c", "dead")
	dead.Reason, dead.Error, dead.FinishedAt = "exhausted", "oops", at.Add(time.Second)
	dead.Attempts = []JobAttempt{{
		N: 1, StartedAt: at, EndedAt: at.Add(time.Second), Outcome: "error", Error: "oops",
		RunTime: Millis(time.Second), Fuel: 5, Log: "line\n",
	}}
	return &fakeJobs{jobs: []JobDetail{job("a", "queued"), job("b", "running"), dead}}
}

func (f *fakeJobs) find(id string) (*JobDetail, error) {
	if f.broken != nil {
		return nil, f.broken
	}
	for i := range f.jobs {
		if f.jobs[i].ID == id {
			return &f.jobs[i], nil
		}
	}
	return nil, fmt.Errorf("%w: no job %q", ErrNoJob, id)
}

func (f *fakeJobs) Jobs(_ context.Context, q JobQuery) (page JobPage, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.query = q
	for i := range f.jobs {
		page.Jobs = append(page.Jobs, f.jobs[i].Job)
	}
	page.NextCursor = "more"
	return page, f.broken
}

func (f *fakeJobs) Job(_ context.Context, id string) (JobDetail, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	job, err := f.find(id)
	if err != nil {
		return JobDetail{}, err
	}
	return *job, nil
}

func (f *fakeJobs) Cancel(_ context.Context, id string) (Job, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	job, err := f.find(id)
	if err != nil {
		return Job{}, err
	}
	if job.Status == "queued" {
		job.Status = "canceled"
	}
	return job.Job, nil
}

func (f *fakeJobs) Replay(_ context.Context, id string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	job, err := f.find(id)
	switch {
	case err != nil:
		return "", err
	case job.Status != "dead":
		return "", fmt.Errorf("%w: it has not ended", ErrState)
	}
	return "new-" + id, nil
}

func (f *fakeJobs) Purge(_ context.Context, p JobPurge) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.purge = p
	return 3, f.broken
}

func (f *fakeJobs) SetPaused(_ context.Context, function string, paused bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.paused = slices.DeleteFunc(f.paused, func(name string) bool { return name == function })
	if paused {
		f.paused = append(f.paused, function)
	}
	return f.broken
}

func (f *fakeJobs) Counts(context.Context) (map[string]int64, []string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return map[string]int64{"queued": 1, "dead": 2}, f.paused, f.broken
}

func TestJobsOverHTTP(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	for name, test := range map[string]struct {
		method, path, body string
		status             int
		want               string // in the body
	}{
		"a list":                  {"GET", "/api/jobs", "", 200, `"next_cursor":"more"`},
		"a list that is chosen":   {"GET", "/api/jobs?function=f&status=dead&limit=2&cursor=x", "", 200, `{"jobs":[{"id":"a","function":"f","status":"queued",`},
		"a limit that is none":    {"GET", "/api/jobs?limit=0", "", 400, "limit"},
		"a limit that is a word":  {"GET", "/api/jobs?limit=all", "", 400, "limit"},
		"a parameter too many":    {"GET", "/api/jobs?state=dead", "", 400, "parameters are"},
		"a parameter twice":       {"GET", "/api/jobs?status=dead&status=queued", "", 400, "parameters are"},
		"one":                     {"GET", "/api/jobs/c", "", 200, `"attempts":[{"n":1,"started_at":"2026-11-23T18:00:00.123456Z","ended_at":"2026-11-23T18:00:01.123456Z","outcome":"error","error":"oops","run_time_ms":1000,"fuel":5,"log":"line\n"}]`},
		"the reason of its death": {"GET", "/api/jobs/c", "", 200, `"reason":"exhausted"`},
		"one without attempts":    {"GET", "/api/jobs/a", "", 200, `"attempts":[]`},
		"one there is not":        {"GET", "/api/jobs/x", "", 404, "no job"},
		"to cancel":               {"POST", "/api/jobs/b/cancel", "", 200, `"status":"running"`},
		"to cancel what is not":   {"POST", "/api/jobs/x/cancel", "", 404, "no job"},
		"to cancel by GET":        {"GET", "/api/jobs/b/cancel", "", 405, "use POST"},
		"to replay":               {"POST", "/api/jobs/c/replay", "", 200, `{"id":"new-c"}`},
		"to replay what runs":     {"POST", "/api/jobs/b/replay", "", 409, "not ended"},
		"to replay what is not":   {"POST", "/api/jobs/x/replay", "", 404, "no job"},
		"to purge":                {"POST", "/api/jobs/purge", `{"function":"f","statuses":["dead"]}`, 200, `{"purged":3}`},
		"to purge all that ended": {"POST", "/api/jobs/purge", "", 200, `{"purged":3}`},
		"to purge what waits":     {"POST", "/api/jobs/purge", `{"statuses":["queued"]}`, 400, "only jobs that have ended"},
		"to purge by a misspelt":  {"POST", "/api/jobs/purge", `{"status":"dead"}`, 400, "statuses"},
		"to purge with no JSON":   {"POST", "/api/jobs/purge", `dead`, 400, "statuses"},
		"to pause":                {"POST", "/api/functions/hello/pause", "", 200, `{"function":"hello","paused":true}`},
		"to resume":               {"POST", "/api/functions/hello/resume", "", 200, `{"function":"hello","paused":false}`},
		"to pause what is not":    {"POST", "/api/functions/x/pause", "", 404, "there is no function"},
		"how many there are":      {"GET", "/api/stats", "", 200, `"jobs":{"dead":2,"queued":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			response := h.send(t, test.method, test.path, test.body, nil)
			text, _ := io.ReadAll(response.Body)
			if response.StatusCode != test.status || !strings.Contains(string(text), test.want) {
				t.Errorf("got %d %s, want %d %s", response.StatusCode, text, test.status, test.want)
			}
			if response := h.send(t, test.method, test.path, test.body, noToken); response.StatusCode != 401 {
				t.Errorf("without a token: %d", response.StatusCode)
			}
		})
	}
}

func TestTheClientSteersJobs(t *testing.T) {
	h, ctx := start(t, "127.0.0.1:0"), t.Context()
	c := h.client(t)
	q := JobQuery{Function: "f", Status: "dead", Cursor: "here", Limit: 7}
	page, err := c.Jobs(ctx, q)
	if err != nil || len(page.Jobs) != 3 || page.NextCursor != "more" || h.jobs.query != q {
		t.Errorf("list: got %+v %v, asked %+v", page, err, h.jobs.query)
	}
	if job, err := c.Job(ctx, "c"); err != nil || job.Attempts[0].Log != "line\n" || job.Reason != "exhausted" {
		t.Errorf("show: got %+v %v", job, err)
	}
	if job, err := c.CancelJob(ctx, "a"); err != nil || job.Status != "canceled" {
		t.Errorf("cancel: got %+v %v", job, err)
	}
	if id, err := c.ReplayJob(ctx, "c"); err != nil || id != "new-c" {
		t.Errorf("replay: got %s %v", id, err)
	}
	if n, err := c.PurgeJobs(ctx, JobPurge{Function: "f"}); err != nil || n != 3 || len(h.jobs.purge.Statuses) != 3 {
		t.Errorf("purge: got %d %v, asked %+v", n, err, h.jobs.purge)
	}
	if err := c.SetPaused(ctx, "hello", true); err != nil || !slices.Equal(h.jobs.paused, []string{"hello"}) {
		t.Errorf("pause: got %v, paused %v", err, h.jobs.paused)
	}
	if list, err := c.Functions(ctx); err != nil || !list[0].Paused {
		t.Errorf("functions: got %+v %v", list, err)
	}
	h.jobs.paused = []string{"gone"} // a function that went, and stays paused
	if err := c.SetPaused(ctx, "gone", false); err != nil || len(h.jobs.paused) != 0 {
		t.Errorf("resume: got %v, paused %v", err, h.jobs.paused)
	}
	var refused *StatusError
	if _, err := c.ReplayJob(ctx, "b"); !errors.As(err, &refused) || refused.Status != http.StatusConflict {
		t.Errorf("replay of what runs: got %v", err)
	}
}

func TestALedgerInTroubleIsSaid(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	for err, status := range map[error]int{errors.New("disk"): 500, fmt.Errorf("%w: full", ErrNoRoom): 503} {
		h.jobs.mu.Lock()
		h.jobs.broken = err
		h.jobs.mu.Unlock()
		for _, path := range []string{"/api/jobs", "/api/jobs/a", "/api/stats", "/api/functions"} {
			if got := h.send(t, "GET", path, "", nil).StatusCode; got != status {
				t.Errorf("%v: %s: %d, want %d", err, path, got, status)
			}
		}
	}
}

func TestJobsAreScraped(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	broken := false
	m := h.config.Metrics.Jobs(func(context.Context) (JobGauges, error) {
		if broken {
			return JobGauges{}, errors.New("disk")
		}
		return JobGauges{Jobs: map[string]int64{"queued": 4}, Due: 90 * time.Second, Pending: 2, Bytes: 4096, Healthy: true}, nil
	})
	m.Accepted("f", 2*time.Millisecond)
	m.Attempted("f", "error")
	m.Died("f", "exhausted")
	m.Skipped("f")
	wantLines(t, scrape(t, h),
		`cloche_jobs{status="queued"} 4`, `cloche_jobs_due_seconds 90`, `cloche_jobs_drift 0`, `cloche_outcomes_pending 2`,
		`cloche_ledger_bytes 4096`, `cloche_ledger_healthy 1`, `cloche_jobs_accepted_total{function="f"} 1`,
		`cloche_job_attempts_total{function="f",outcome="error"} 1`, `cloche_jobs_dead_total{function="f",reason="exhausted"} 1`,
		`cloche_schedule_skipped_total{function="f"} 1`, `cloche_job_ack_seconds_bucket{le="0.0025"} 1`, `cloche_job_ack_seconds_bucket{le="0.001"} 0`,
	)
	broken = true
	lines := scrape(t, h)
	wantLines(t, lines, `cloche_ledger_healthy 0`)
	if slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "cloche_jobs{") }) {
		t.Error("a ledger that does not answer has counts")
	}
}
