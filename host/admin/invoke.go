package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/cloche-run/cloche/abi"
)

// invoke runs a function. How the invocation ended is for the answer to say; the
// status of the reply is about the call: 404 no such function, 400 and 413 a
// call that no client could make, 500 a host that is broken.
func (s *Server) invoke(w http.ResponseWriter, r *http.Request) {
	function, ok := s.find(r.PathValue("name"))
	if !ok {
		failUnknown(w, r.PathValue("name"))
		return
	}
	call, status, err := readCall(w, r, function)
	if err != nil {
		fail(w, status, "%v", err)
		return
	}
	connection := http.NewResponseController(w)
	unlimited(connection) // the function has its own deadline
	answer, err := s.config.Invoker.Invoke(r.Context(), function.Name, call)
	_ = connection.SetWriteDeadline(time.Now().Add(s.timeouts.write))

	var fault abi.Faulter
	switch {
	case err == nil:
	case !errors.As(err, &fault):
		s.config.Log.Error("cannot invoke", "function", function.Name, "error", err)
		fail(w, http.StatusInternalServerError, "cannot invoke %s: %v", function.Name, err)
		return
	case fault.Fault() == abi.FaultUnknownFunction:
		failUnknown(w, function.Name)
		return
	default:
		answer.Error = &abi.Error{What: fault.Fault(), Message: fault.Error(), Detail: fault.Trace()}
	}
	reply(w, http.StatusOK, answer)
}

// unlimited lifts the deadlines of a connection. Were the one for reading left,
// it would end the request's context; a connection that has none is a test's.
func unlimited(connection *http.ResponseController) {
	_ = connection.SetReadDeadline(time.Time{})
	_ = connection.SetWriteDeadline(time.Time{})
}

func (s *Server) find(name string) (Function, bool) {
	for _, f := range s.config.Functions.List() {
		if f.Name == name {
			return f, true
		}
	}
	return Function{}, false
}

func failUnknown(w http.ResponseWriter, name string) {
	fail(w, http.StatusNotFound, "there is no function %q: GET /api/functions lists them", name)
}

// readCall reads, checks and completes the call in a request. status goes with
// the error.
func readCall(w http.ResponseWriter, r *http.Request, f Function) (call Call, status int, err error) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, CallBytes))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return call, http.StatusRequestEntityTooLarge, fmt.Errorf("the call is larger than %d bytes", CallBytes)
	}
	if err != nil {
		return call, http.StatusBadRequest, fmt.Errorf("the call did not arrive: %w", err)
	}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &call); err != nil {
			return call, http.StatusBadRequest, fmt.Errorf("the call is not the JSON it should be: %w", err)
		}
	}
	limit := abi.RequestBodyBytes
	if f.IsJob() {
		limit = abi.BackgroundBodyBytes
	}
	if len(call.Body) > limit {
		return call, http.StatusRequestEntityTooLarge,
			fmt.Errorf("the body has %d bytes, %s takes %d", len(call.Body), f.Name, limit)
	}
	return call, http.StatusBadRequest, call.Complete(f)
}

// Complete fills in what the call leaves open and refuses what no HTTP client
// could send to f.
func (c *Call) Complete(f Function) error {
	if c.Scheduled && f.Schedule == "" {
		return fmt.Errorf("%s has no schedule: set [functions.%s] schedule in netlify.toml, or call it without scheduled", f.Name, f.Name)
	}
	if c.Path == "" {
		c.Path = f.Route
	}
	if c.Method == "" {
		c.Method = http.MethodGet
		if len(c.Body) > 0 {
			c.Method = http.MethodPost
		}
	}
	return c.check()
}

// check refuses what no HTTP client could send.
func (c *Call) check() error {
	switch {
	case !abi.IsToken(c.Method):
		return fmt.Errorf("method %q is not a method", c.Method)
	case c.Method == http.MethodConnect || c.Method == http.MethodTrace:
		return fmt.Errorf("functions are never called with %s", c.Method)
	case !strings.HasPrefix(c.Path, "/") || !abi.IsTarget(c.Path) || strings.Contains(c.Path, "?"):
		return fmt.Errorf("path %q is not a path: begin with / and percent-encode the rest", c.Path)
	case strings.Contains(c.Path, "%00"):
		return fmt.Errorf("path %q has a NUL in it", c.Path)
	case !abi.IsTarget(c.Query):
		return fmt.Errorf("query %q is not a query: percent-encode it", c.Query)
	}
	for _, f := range c.Header {
		if !abi.IsToken(f.Name) {
			return fmt.Errorf("header name %q is not a name", f.Name)
		}
		if !abi.IsFieldValue(f.Value) {
			return fmt.Errorf("the value of header %s has control characters", f.Name)
		}
	}
	return nil
}
