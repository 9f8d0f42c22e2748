package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/abi/tck"
	"github.com/cloche-run/cloche/host"
	"github.com/cloche-run/cloche/host/admin"
)

func TestScheduledFunctions(t *testing.T) {
	s := newSite(t, "[functions.tick]\nschedule = \"0 0 1 1 *\"\n")
	s.function("tick", tck.Guest)
	s.function("hello", tck.Guest)
	for _, dev := range []bool{false, true} {
		v := s.serve(host.Options{Dev: dev})
		c := v.api(s)
		status, body := v.mustGet("tick", "event")
		if want := map[bool]int{false: 403, true: 200}[dev]; status != want || dev && !strings.Contains(body, `\"next_run\":\"`) {
			t.Errorf("dev = %v: by URL %d %s", dev, status, body)
		}
		call := admin.Call{Scheduled: true, Header: abi.Header{{Name: "x-tck", Value: "event"}}}
		answer, err := c.Invoke(t.Context(), "tick", call)
		var event struct {
			HTTPMethod, Body string
			Headers          map[string]string
		}
		if err != nil || json.Unmarshal(answer.Body, &event) != nil {
			t.Fatal(answer, err)
		}
		next := time.Date(time.Now().UTC().Year()+1, 1, 1, 0, 0, 0, 0, time.UTC).Format("2006-01-02T15:04:05.000Z")
		if event.HTTPMethod != "POST" || event.Body != `{"next_run":"`+next+`"}` || event.Headers["user-agent"] != "Netlify Clockwork" ||
			event.Headers["x-nf-event"] != "schedule" {
			t.Errorf("got %+v", event)
		}
		if _, err := c.Invoke(t.Context(), "hello", call); refusal(err) != 400 {
			t.Errorf("a function without a schedule: %v", err)
		}
		list, err := c.Functions(t.Context())
		if err != nil || list[1].Schedule != "0 0 1 1 *" || list[1].NextRun.Format("2006-01-02T15:04:05.000Z") != next || list[1].Timeout != admin.Millis(30*time.Second) {
			t.Errorf("got %+v, %v", list, err)
		}
		if err := v.stop(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestInvokeMakesAJobOfABackgroundCall(t *testing.T) {
	s := newSite(t, "")
	s.function("tck-background", tck.Guest)
	v := s.serve(host.Options{})
	call := admin.Call{Header: abi.Header{{Name: "x-tck", Value: "log"}}}
	answer, err := v.api(s).Invoke(t.Context(), "tck-background", call)
	id := answer.Header.Get("x-cloche-job")
	if err != nil || answer.Status != 202 || id == "" {
		t.Fatal(answer, err)
	}
	job := reaches(t, v.api(s), id, "succeeded")
	if job.Origin != "admin" || !strings.HasPrefix(job.Attempts[0].Log, "plain line\n") {
		t.Errorf("got %+v", job)
	}
	if err := v.stop(); err != nil {
		t.Fatal(err)
	}
	h, err := host.Open(t.Context(), host.Options{Dir: s.dir})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if answer, err := h.InvokeFunction(t.Context(), "tck-background", call); err != nil || answer.Status != 204 {
		t.Errorf("without a server: %d, %v", answer.Status, err)
	}
}

// TestChainsOfCalls asks as a function would that may call others.
func TestChainsOfCalls(t *testing.T) {
	s := newSite(t, "[functions.one]\nconcurrency = 1\n")
	for _, name := range []string{"one", "hello", "tck-background"} {
		s.function(name, tck.Guest)
	}
	v := s.serve(host.Options{})
	invoke := func(name, depth string) error {
		req := &abi.Request{
			ID: "1", Method: "GET", Proto: "HTTP/1.1", Scheme: "http", Host: "localhost", Path: "/.netlify/functions/" + name,
			Header: abi.Header{{Name: "x-tck", Value: "event"}, {Name: "x-cloche-depth", Value: depth}},
		}
		return v.host.Invoke(t.Context(), req, &abi.Response{Body: &abi.Buffer{Limit: 1 << 20}})
	}
	for _, name := range []string{"hello", "tck-background"} {
		if err := invoke(name, "16"); err != nil {
			t.Errorf("%s at 16: %v", name, err)
		}
		if err := invoke(name, "17"); fault(err) != abi.FaultChainTooDeep {
			t.Errorf("%s at 17: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go v.get(ctx, "one", "spin")
	v.until("running", func(stats string) bool { return strings.Contains(stats, `cloche_instances_running{function="one"} 1`) })
	began := time.Now()
	if err := invoke("one", "1"); fault(err) != abi.FaultFunctionBusy || time.Since(began) > time.Second {
		t.Errorf("a call of what its caller may hold: %v after %v", err, time.Since(began))
	}
}

func fault(err error) abi.Fault {
	var known abi.Faulter
	if errors.As(err, &known) {
		return known.Fault()
	}
	return ""
}
