package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/logs"
	"github.com/cloche-run/cloche/host/usage"
)

func TestFunctionsHaveTheirUsage(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	h.usage.Add("hello", usage.Counters{Invocations: 2, Errors: 1, RunTime: 1500 * time.Microsecond, Fuel: 1<<63 + 1})
	body, _ := io.ReadAll(h.send(t, "GET", "/api/functions", "", nil).Body)
	want := `{"functions":[{"name":"hello","kind":"command","bytes":1000,"route":"/.netlify/functions/hello",` +
		`"timeout_ms":10000,"memory_bytes":1073741824,"concurrency":64,"queue":256,"background":false,"state":"ready",` +
		`"usage":{"invocations":2,"errors":1,"run_time_ms":1.5,"fuel":9223372036854775809}},` +
		`{"name":"mail-background","kind":"","bytes":0,"route":"/mail","timeout_ms":0,"memory_bytes":0,"concurrency":0,` +
		`"queue":0,"background":true,"state":"failed","error":"no such import",` +
		`"usage":{"invocations":0,"errors":0,"run_time_ms":0,"fuel":0}}]}` + "\n"
	if string(body) != want {
		t.Errorf("\n got %s\nwant %s", body, want)
	}
	list, err := h.client(t).Functions(context.Background())
	if err != nil || len(list) != 2 || list[0].Usage.Fuel != 1<<63+1 || list[0].Timeout != Millis(10*time.Second) {
		t.Errorf("the client has %+v, %v", list, err)
	}
}

func TestStatsAddUpTheMonths(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	month := usage.MonthOf(time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC))
	h.config.Counters = fixed{Months: map[usage.Month]map[string]usage.Counters{
		month - 1: {"hello": {Invocations: 1, RunTime: time.Second, Fuel: 10}, "gone": {Invocations: 9}},
		month:     {"hello": {Invocations: 2, Errors: 1, RunTime: time.Second, Fuel: 5}},
	}}
	body, _ := io.ReadAll(h.send(t, "GET", "/api/stats", "", nil).Body)
	want := `{"jobs":{"dead":2,"queued":1},"functions":{` +
		`"gone":{"invocations":9,"errors":0,"run_time_ms":0,"fuel":0,"months":{"2026-10":{"invocations":9,"errors":0,"run_time_ms":0,"fuel":0}}},` +
		`"hello":{"invocations":3,"errors":1,"run_time_ms":2000,"fuel":15,"months":{` +
		`"2026-10":{"invocations":1,"errors":0,"run_time_ms":1000,"fuel":10},` +
		`"2026-11":{"invocations":2,"errors":1,"run_time_ms":1000,"fuel":5}}},` +
		`"mail-background":{"invocations":0,"errors":0,"run_time_ms":0,"fuel":0,"months":{}}}}` + "\n"
	if string(body) != want {
		t.Errorf("\n got %s\nwant %s", body, want)
	}
	stats, err := h.client(t).Stats(context.Background())
	if err != nil || stats.Functions["hello"].Months[month].Fuel != 5 {
		t.Errorf("the client has %+v, %v", stats, err)
	}
}

// fixed is Counters that stand still.
type fixed usage.Snapshot

func (f fixed) Snapshot() usage.Snapshot { return usage.Snapshot(f) }

func TestInvokePassesTheCallAndTheAnswer(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	sent := Call{
		Method: "PUT", Path: "/a%20b", Query: "x=1&y",
		Header: abi.Header{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}, {Name: "b", Value: "3"}},
		Body:   []byte("\xff\x00binary"),
	}
	want := Answer{
		Status: 201,
		Header: abi.Header{{Name: "content-type", Value: "text/plain"}, {Name: "set-cookie", Value: "a"}, {Name: "set-cookie", Value: "b"}},
		Body:   []byte("<é>"),
		Usage:  Usage{Queue: Millis(time.Microsecond), Init: 1, Exec: Millis(time.Second), MemoryBytes: 1 << 20, Fuel: 1 << 60, LogBytes: 5},
		Logs: []logs.Record{{
			Time: time.Unix(1, 0).UTC(), Function: "hello", Request: "01J", Message: "hi\x1b",
			Attrs: []slog.Attr{slog.String("stream", "stderr")},
		}},
	}
	h.site.invoke = func(_ context.Context, name string, call Call) (Answer, error) {
		if name != "hello" || !reflect.DeepEqual(call, sent) {
			t.Errorf("invoked %s with %+v", name, call)
		}
		return want, nil
	}
	got, err := h.client(t).Invoke(context.Background(), "hello", sent)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestInvokeFillsInWhatIsLeftOut(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	var got Call
	h.site.invoke = func(_ context.Context, _ string, call Call) (Answer, error) {
		got = call
		return Answer{}, nil
	}
	for body, want := range map[string]string{
		"":                        "GET /.netlify/functions/hello ",
		"{}":                      "GET /.netlify/functions/hello ",
		`{"body":"x"}`:            "POST /.netlify/functions/hello x",
		`{"headers":{"A-b":"1"}}`: "GET /.netlify/functions/hello ",
		`{"body":"eA==","isBase64Encoded":true,"method":"patch","path":"/p"}`: "patch /p x",
	} {
		response := h.send(t, "POST", "/api/functions/hello/invoke", body, nil)
		text, _ := io.ReadAll(response.Body)
		if response.StatusCode != 200 || !strings.Contains(string(text), `"logs":[]`) {
			t.Errorf("%s: answers %d %s", body, response.StatusCode, text)
		}
		if have := fmt.Sprintf("%s %s %s", got.Method, got.Path, got.Body); have != want {
			t.Errorf("%s: invoked with %q, want %q", body, have, want)
		}
	}
}

func TestACallNoClientCouldMakeIsRefused(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	h.site.invoke = func(context.Context, string, Call) (Answer, error) {
		t.Error("invoked")
		return Answer{}, nil
	}
	large := strings.Repeat("x", abi.RequestBodyBytes+1)
	for name, test := range map[string]struct {
		function, body string
		want           int
	}{
		"unknown function":     {"nobody", "{}", 404},
		"a name with a slash":  {"a%2Fb", "{}", 404},
		"no JSON":              {"hello", "hello", 400},
		"two values":           {"hello", "{} {}", 400},
		"unknown field":        {"hello", `{"payload":1}`, 400},
		"bad base64":           {"hello", `{"body":"?","isBase64Encoded":true}`, 400},
		"CONNECT":              {"hello", `{"method":"CONNECT"}`, 400},
		"bad method":           {"hello", `{"method":"GET /"}`, 400},
		"relative path":        {"hello", `{"path":"a"}`, 400},
		"path with a line end": {"hello", `{"path":"/a\r\nX: y"}`, 400},
		"path with a query":    {"hello", `{"path":"/a?b"}`, 400},
		"query with a space":   {"hello", `{"query":"a b"}`, 400},
		"bad header name":      {"hello", `{"headers":{"a b":"c"}}`, 400},
		"bad header value":     {"hello", `{"multiValueHeaders":{"a":["b","c\nd"]}}`, 400},
		"body too large":       {"hello", `{"body":"` + large + `"}`, 413},
		"background body":      {"mail-background", `{"body":"` + large[:abi.BackgroundBodyBytes+1] + `"}`, 413},
		"call too large":       {"hello", strings.Repeat(" ", CallBytes+1), 413},
	} {
		t.Run(name, func(t *testing.T) {
			response := h.send(t, "POST", "/api/functions/"+test.function+"/invoke", test.body, nil)
			if response.StatusCode != test.want {
				t.Errorf("answers %d, want %d", response.StatusCode, test.want)
			}
			errorIn(t, response)
		})
	}
}

func TestTheLargestBodyIsTaken(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	h.site.invoke = func(_ context.Context, _ string, call Call) (Answer, error) {
		return Answer{Status: 200, Body: call.Body}, nil
	}
	body := []byte(strings.Repeat("\xff\x00", abi.RequestBodyBytes/2))
	answer, err := h.client(t).Invoke(context.Background(), "hello", Call{Body: body})
	if err != nil || len(answer.Body) != len(body) {
		t.Errorf("got %d bytes, %v", len(answer.Body), err)
	}
}

func TestAFailedInvocationIsAnAnswer(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	h.site.invoke = func(context.Context, string, Call) (Answer, error) {
		fault := &abi.Error{What: abi.FaultTrap, Message: "unreachable", Detail: "at main"}
		return Answer{Usage: Usage{Fuel: 5}, Logs: []logs.Record{{Message: "before"}}}, fmt.Errorf("runtime: %w", fault)
	}
	answer, err := h.client(t).Invoke(context.Background(), "hello", Call{})
	if err != nil {
		t.Fatal(err)
	}
	want := &abi.Error{What: abi.FaultTrap, Message: "unreachable", Detail: "at main"}
	if !reflect.DeepEqual(answer.Error, want) || answer.Usage.Fuel != 5 || len(answer.Logs) != 1 {
		t.Errorf("got %+v", answer)
	}

	for name, test := range map[string]struct {
		err  error
		want int
	}{
		"gone by a reload": {&abi.Error{What: abi.FaultUnknownFunction}, 404},
		"a broken host":    {errors.New("no more memory"), 500},
	} {
		h.site.invoke = func(context.Context, string, Call) (Answer, error) { return Answer{}, test.err }
		_, err := h.client(t).Invoke(context.Background(), "hello", Call{})
		if refused := (*StatusError)(nil); !errors.As(err, &refused) || refused.Status != test.want {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestALongCallOutlivesTheTimeouts(t *testing.T) {
	h := start(t, "127.0.0.1:0", func(s *Server) {
		s.timeouts.request, s.timeouts.write = 50*time.Millisecond, 50*time.Millisecond
	})
	h.site.invoke = func(ctx context.Context, _ string, _ Call) (Answer, error) {
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
		return Answer{Status: 200}, ctx.Err()
	}
	if _, err := h.client(t).Invoke(context.Background(), "hello", Call{Body: []byte("x")}); err != nil {
		t.Error(err)
	}
}

func TestACallEndsWithItsClient(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	entered, ended := make(chan struct{}), make(chan struct{})
	h.site.invoke = func(ctx context.Context, _ string, _ Call) (Answer, error) {
		close(entered)
		<-ctx.Done()
		close(ended)
		return Answer{}, ctx.Err()
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-entered; cancel() }()
	if _, err := h.client(t).Invoke(ctx, "hello", Call{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-ended
}

func TestLogsAreFilteredAndLimited(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	log := slog.New(h.log.Handler())
	for i := range DefaultRecords + 1 {
		log.Info("line", "function", "hello", "i", i)
	}
	log.Warn("other", "function", "mail", "request", "01J")
	client := h.client(t)
	for name, test := range map[string]struct {
		query logs.Query
		want  int
	}{
		"no limit":   {logs.Query{}, DefaultRecords},
		"a limit":    {logs.Query{Limit: 5}, 5},
		"a function": {logs.Query{Function: "mail"}, 1},
		"a request":  {logs.Query{Request: "01J"}, 1},
		"a level":    {logs.Query{Level: "warn"}, 1},
		"a time":     {logs.Query{Since: time.Now().Add(time.Hour)}, 0},
	} {
		n := 0
		for r, err := range client.Logs(context.Background(), test.query, false) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if n++; r.Time.IsZero() {
				t.Errorf("%s: a record without a time: %+v", name, r)
			}
		}
		if n != test.want {
			t.Errorf("%s: %d records, want %d", name, n, test.want)
		}
	}
}

func TestABadLogQueryIsNamed(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	for _, query := range []string{
		"level=loud", "since=yesterday", "since=-5m", "limit=0", "limit=-1", "limit=1000000", "limit=x",
		"follow=maybe", "fonction=hello", "a=%zz",
	} {
		response := h.send(t, "GET", "/api/logs?"+query, "", nil)
		if response.StatusCode != 400 {
			t.Errorf("%s answers %d", query, response.StatusCode)
		}
		errorIn(t, response)
	}
}

func TestSinceIsADurationOrATime(t *testing.T) {
	now := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"10m": now.Add(-10 * time.Minute), "0s": now, "2026-11-02T10:00:00.5+01:00": now.Add(-time.Hour + time.Second/2),
	} {
		if got, err := ParseSince(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s is %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestFollowStreamsUntilTheClientLeaves(t *testing.T) {
	h := start(t, "127.0.0.1:0", func(s *Server) {
		s.timeouts.request, s.timeouts.write = 50*time.Millisecond, 50*time.Millisecond
	})
	log := slog.New(h.log.Handler())
	log.Info("before")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	next, stop := iter.Pull2(h.client(t).Logs(ctx, logs.Query{Limit: 1}, true))
	defer stop()
	for _, want := range []string{"before", "one", "two"} {
		if want != "before" {
			log.Info(want) // written FlushEvery later: long after the timeouts
		}
		r, err, ok := next()
		if !ok || err != nil || r.Message != want {
			t.Fatalf("got %q, %v, %v; want %q", r.Message, err, ok, want)
		}
	}
	if got := len(h.followers); got != 1 {
		t.Errorf("%d followers, want 1", got)
	}
	cancel()
	if r, err, ok := next(); ok {
		t.Errorf("after leaving: %v, %v", r, err)
	}
	h.stop() // which waits for the handler
	if got := len(h.followers); got != 0 {
		t.Errorf("%d followers after all left", got)
	}
}

func TestFollowersAreBounded(t *testing.T) {
	h := start(t, "127.0.0.1:0")
	for range MaxFollowers {
		h.send(t, "GET", "/api/logs?follow=1", "", nil) // the body stays open
	}
	response := h.send(t, "GET", "/api/logs?follow=1", "", nil)
	if response.StatusCode != 503 || response.Header.Get("Retry-After") == "" {
		t.Errorf("answers %d", response.StatusCode)
	}
	errorIn(t, response)
}

// failing is a log whose reading fails after a record.
type failing struct{}

func (failing) Query(logs.Query) iter.Seq2[logs.Record, error] {
	return func(yield func(logs.Record, error) bool) {
		_ = yield(logs.Record{Time: time.Unix(1, 0)}, nil) && yield(logs.Record{}, errors.New("bad disk"))
	}
}

func (f failing) Follow(_ context.Context, q logs.Query) iter.Seq2[logs.Record, error] {
	return f.Query(q)
}

func TestALogThatFailsIsCutOffNotEnded(t *testing.T) {
	h := start(t, "127.0.0.1:0", func(s *Server) { s.config.Logs = failing{} })
	for _, follow := range []bool{false, true} {
		var last error
		for _, err := range h.client(t).Logs(context.Background(), logs.Query{}, follow) {
			last = err
		}
		if last == nil {
			t.Errorf("follow %v: no error", follow)
		}
	}
}

func TestMillis(t *testing.T) {
	for _, d := range []time.Duration{0, 1, 1500 * time.Microsecond, time.Hour} {
		text, err := json.Marshal(Millis(d))
		var got Millis
		if err != nil || json.Unmarshal(text, &got) != nil || got != Millis(d) {
			t.Errorf("%v is %s is %v, %v", d, text, time.Duration(got), err)
		}
	}
}

var _ http.Handler = only("GET", healthy)
