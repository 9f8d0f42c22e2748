package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Jobs are the background invocations of the host.
type Jobs interface {
	// Jobs lists, the newest first.
	Jobs(ctx context.Context, q JobQuery) (JobPage, error)
	// Job returns one with its attempts.
	Job(ctx context.Context, id string) (JobDetail, error)
	// Cancel ends a job, or asks one that runs to end; it is returned as it stands.
	Cancel(ctx context.Context, id string) (Job, error)
	// Replay makes a new job of one that has ended.
	Replay(ctx context.Context, id string) (newID string, err error)
	// Purge forgets jobs that have ended.
	Purge(ctx context.Context, p JobPurge) (n int, err error)
	// SetPaused stops a function's jobs from being started, or lets them go on.
	SetPaused(ctx context.Context, function string, paused bool) error
	// Counts returns how many jobs there are of each status, and which functions
	// are paused.
	Counts(ctx context.Context) (jobs map[string]int64, paused []string, err error)
}

// What Jobs answers with, to be tested with errors.Is. Any other error is the
// host's fault.
var (
	// ErrNoJob is an id, or a function, that there is none of.
	ErrNoJob = errors.New("there is none")
	// ErrState is a job that is not in a state for what was asked.
	ErrState = errors.New("not in this state")
	// ErrQuery is a question that makes no sense.
	ErrQuery = errors.New("not understood")
	// ErrNoRoom is a limit that was met, or a ledger that takes nothing now.
	ErrNoRoom = errors.New("not now")
)

// Job is a background invocation as the API shows it. Times are UTC; those that
// are not known yet are left out.
type Job struct {
	ID       string `json:"id"`
	Function string `json:"function"`
	// Status is queued, scheduled, running, retrying, succeeded, dead or canceled.
	Status string `json:"status"`
	// Reason is why it is dead: exhausted, timeout, expired, crash_loop,
	// no_function, chain_depth or damaged.
	Reason string `json:"reason"`
	// Attempt is the number of the attempt that runs, or of the last one.
	Attempt int `json:"attempt"`
	// Origin is where it came from: http, admin, schedule or outcome.
	Origin string `json:"origin"`
	// Error is that of the last attempt.
	Error           string    `json:"error"`
	CancelRequested bool      `json:"cancel_requested,omitempty"`
	CreatedAt       time.Time `json:"created_at"`
	// RunAt is when it is to be started next, or was.
	RunAt      time.Time `json:"run_at,omitzero"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"`
	// Interrupts is how often the host died while it ran.
	Interrupts   int    `json:"interrupts,omitempty"`
	ReplayOf     string `json:"replay_of,omitempty"`
	Parent       string `json:"parent,omitempty"`
	Depth        int    `json:"depth,omitempty"`
	RequestBytes int    `json:"request_bytes"`
}

// JobDetail is a job with the attempts that have ended, oldest first.
type JobDetail struct {
	Job
	Attempts []JobAttempt `json:"attempts"`
}

// JobAttempt is one attempt of a job.
type JobAttempt struct {
	// N is its number; one that was interrupted is followed by another of the same.
	N         int       `json:"n"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at"`
	// Outcome is ok, error, timeout, canceled or interrupted.
	Outcome string `json:"outcome"`
	Error   string `json:"error"`
	RunTime Millis `json:"run_time_ms"`
	Fuel    uint64 `json:"fuel"`
	// Log is the end of what it logged.
	Log string `json:"log"`
}

// JobQuery chooses jobs; what is zero does not matter.
type JobQuery struct {
	Function, Status, Cursor string
	Limit                    int
}

// JobPage is a part of a list; NextCursor is "" at its end.
type JobPage struct {
	Jobs       []Job  `json:"jobs"`
	NextCursor string `json:"next_cursor"`
}

// JobPurge chooses jobs that have ended: of one function or of all, with one of
// the statuses or, if there is none, with any.
type JobPurge struct {
	Function string   `json:"function"`
	Statuses []string `json:"statuses"`
}

// EndedStatuses are those that can be purged.
func EndedStatuses() []string { return []string{"succeeded", "dead", "canceled"} }

// listJobs is GET /api/jobs.
func (s *Server) listJobs(w http.ResponseWriter, r *http.Request) {
	q, err := readJobQuery(r.URL.Query())
	if err != nil {
		s.failJob(w, err)
		return
	}
	page, err := s.config.Jobs.Jobs(r.Context(), q)
	if err != nil {
		s.failJob(w, err)
		return
	}
	if page.Jobs == nil {
		page.Jobs = []Job{}
	}
	reply(w, http.StatusOK, page)
}

func readJobQuery(values url.Values) (q JobQuery, err error) {
	for name, texts := range values {
		if len(texts) != 1 || !slices.Contains([]string{"function", "status", "limit", "cursor"}, name) {
			return q, fmt.Errorf("%w: the parameters are function, status, limit and cursor, each once", ErrQuery)
		}
	}
	q = JobQuery{Function: values.Get("function"), Status: values.Get("status"), Cursor: values.Get("cursor")}
	if text := values.Get("limit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 {
			return q, fmt.Errorf("%w: limit is a number from 1 on", ErrQuery)
		}
	}
	return q, nil
}

// showJob is GET /api/jobs/{id}.
func (s *Server) showJob(w http.ResponseWriter, r *http.Request) {
	job, err := s.config.Jobs.Job(r.Context(), r.PathValue("id"))
	if err != nil {
		s.failJob(w, err)
		return
	}
	if job.Attempts == nil {
		job.Attempts = []JobAttempt{}
	}
	reply(w, http.StatusOK, job)
}

// cancelJob is POST /api/jobs/{id}/cancel.
func (s *Server) cancelJob(w http.ResponseWriter, r *http.Request) {
	job, err := s.config.Jobs.Cancel(r.Context(), r.PathValue("id"))
	if err != nil {
		s.failJob(w, err)
		return
	}
	reply(w, http.StatusOK, job)
}

// replayed is the answer of POST /api/jobs/{id}/replay.
type replayed struct {
	ID string `json:"id"`
}

func (s *Server) replayJob(w http.ResponseWriter, r *http.Request) {
	id, err := s.config.Jobs.Replay(r.Context(), r.PathValue("id"))
	if err != nil {
		s.failJob(w, err)
		return
	}
	reply(w, http.StatusOK, replayed{id})
}

// purged is the answer of POST /api/jobs/purge.
type purged struct {
	Purged int `json:"purged"`
}

func (s *Server) purgeJobs(w http.ResponseWriter, r *http.Request) {
	p, err := readPurge(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil {
		s.failJob(w, err)
		return
	}
	connection := http.NewResponseController(w)
	unlimited(connection) // there may be many
	n, err := s.config.Jobs.Purge(r.Context(), p)
	_ = connection.SetWriteDeadline(time.Now().Add(s.timeouts.write))
	if err != nil {
		s.failJob(w, err)
		return
	}
	reply(w, http.StatusOK, purged{n})
}

func readPurge(body io.Reader) (p JobPurge, err error) {
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil && !errors.Is(err, io.EOF) {
		return p, fmt.Errorf(`%w: send {"function":"NAME","statuses":["dead"]}, both optional: %w`, ErrQuery, err)
	}
	for _, status := range p.Statuses {
		if !slices.Contains(EndedStatuses(), status) {
			return p, fmt.Errorf("%w: %.32q: only jobs that have ended can be purged: %s", ErrQuery, status, strings.Join(EndedStatuses(), ", "))
		}
	}
	if len(p.Statuses) == 0 {
		p.Statuses = EndedStatuses()
	}
	return p, nil
}

// pausing is the answer of POST /api/functions/{name}/pause and /resume.
type pausing struct {
	Function string `json:"function"`
	Paused   bool   `json:"paused"`
}

func (s *Server) setPaused(paused bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		if _, ok := s.find(name); !ok && !s.isPaused(r.Context(), name) {
			failUnknown(w, name)
			return
		}
		if err := s.config.Jobs.SetPaused(r.Context(), name, paused); err != nil {
			s.failJob(w, err)
			return
		}
		reply(w, http.StatusOK, pausing{name, paused})
	}
}

// isPaused finds functions that are gone and still paused.
func (s *Server) isPaused(ctx context.Context, name string) bool {
	_, paused, err := s.config.Jobs.Counts(ctx)
	return err == nil && slices.Contains(paused, name)
}

// failJob answers with what Jobs returned.
func (s *Server) failJob(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, ErrNoJob):
		status = http.StatusNotFound
	case errors.Is(err, ErrState):
		status = http.StatusConflict
	case errors.Is(err, ErrQuery):
		status = http.StatusBadRequest
	case errors.Is(err, ErrNoRoom):
		status = http.StatusServiceUnavailable
	default:
		s.config.Log.Error("the ledger does not answer", "error", err.Error())
	}
	fail(w, status, "%v", err)
}
