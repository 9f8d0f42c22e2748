package admin

import (
	"net/http"
	"slices"
	"time"

	"github.com/cloche-run/cloche/host/usage"
)

// States of a Function.
const (
	// StateReady is a function that can be called.
	StateReady = "ready"
	// StateFailed is one that could not be loaded; Error says why.
	StateFailed = "failed"
)

// Function is one function of the site as /api/functions shows it.
type Function struct {
	Name string `json:"name"`
	// Kind is how the guest is called: command, handler, cgi or script.
	Kind string `json:"kind"`
	// Bytes is the size of what was deployed.
	Bytes int64 `json:"bytes"`
	// Route is the path by which clients call it.
	Route       string `json:"route"`
	Timeout     Millis `json:"timeout_ms"`
	MemoryBytes int64  `json:"memory_bytes"`
	// Concurrency is how many invocations may run, Queue how many may wait.
	Concurrency int `json:"concurrency"`
	Queue       int `json:"queue"`
	// Background functions are called by jobs. So are those with a Schedule, a cron
	// expression, whose next tick is NextRun.
	Background bool      `json:"background"`
	Schedule   string    `json:"schedule,omitempty"`
	NextRun    time.Time `json:"next_run,omitzero"`
	// Paused says that its jobs are not started. The Server fills it in.
	Paused bool   `json:"paused,omitempty"`
	State  string `json:"state"`
	Error  string `json:"error,omitempty"`
	// Usage is what it took this month.
	Usage Took `json:"usage"`
}

// IsJob reports whether requests for f become jobs.
func (f *Function) IsJob() bool { return f.Background || f.Schedule != "" }

// Took is what invocations of a function took together.
type Took struct {
	Invocations uint64 `json:"invocations"`
	Errors      uint64 `json:"errors"`
	RunTime     Millis `json:"run_time_ms"`
	// Fuel may be beyond 2^53.
	Fuel uint64 `json:"fuel"`
}

// TookOf is c as the API shows it.
func TookOf(c usage.Counters) Took {
	return Took{c.Invocations, c.Errors, Millis(c.RunTime), c.Fuel}
}

// functionList is the answer of /api/functions.
type functionList struct {
	Functions []Function `json:"functions"`
}

func (s *Server) functions(w http.ResponseWriter, r *http.Request) {
	snapshot := s.config.Counters.Snapshot()
	_, paused, err := s.config.Jobs.Counts(r.Context())
	if err != nil {
		s.failJob(w, err)
		return
	}
	list := functionList{Functions: []Function{}}
	for _, f := range s.config.Functions.List() {
		f.Usage = TookOf(snapshot.ThisMonth(f.Name))
		f.Paused = slices.Contains(paused, f.Name)
		list.Functions = append(list.Functions, f)
	}
	reply(w, http.StatusOK, list)
}
