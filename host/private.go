package host

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/admin"
	"github.com/cloche-run/cloche/host/front"
	"github.com/cloche-run/cloche/host/jobs"
	"github.com/cloche-run/cloche/host/logs"
)

// private is the host as its admin listener sees it.
type private struct{ *Host }

func (h *Host) newAdmin() (*admin.Server, error) {
	return admin.New(admin.Config{
		Data: h.options.Data, Hosts: h.options.AdminHosts,
		Functions: private{h}, Invoker: private{h}, Ready: private{h}, Jobs: private{h},
		Counters: h.usage, Logs: h.logs, Metrics: h.metrics, Log: h.log,
	})
}

// List implements admin.Functions.
func (p private) List() []admin.Function {
	s, err := p.acquire()
	if err != nil {
		return nil
	}
	defer s.release()
	list := make([]admin.Function, 0, len(s.functions))
	for _, name := range slices.Sorted(maps.Keys(s.functions)) {
		list = append(list, s.functions[name].describe())
	}
	return list
}

func (f *function) describe() admin.Function {
	d := admin.Function{
		Name: f.name, Kind: f.kind(), Bytes: int64(f.bytes), Route: abi.FunctionPath + f.name,
		Timeout: admin.Millis(f.settings.Timeout), MemoryBytes: f.settings.MemoryBytes,
		Concurrency: f.settings.Concurrency, Queue: f.settings.Queue, Background: f.settings.Background,
		Schedule: f.settings.Job.Schedule.String(), State: admin.StateReady,
	}
	d.NextRun, _ = f.settings.Job.Schedule.Next(time.Now())
	if f.broken != nil {
		d.State, d.Error = admin.StateFailed, f.broken.Error()
	} else if stale := f.stale.Load(); stale != nil {
		d.Error = "an older version is served: " + *stale
	}
	return d
}

// Unready implements admin.Readiness.
func (p private) Unready() (reasons []string) {
	if !p.listening.Load() {
		reasons = append(reasons, "the public listener is not open")
	}
	for _, f := range p.List() {
		if f.State == admin.StateReady {
			return reasons
		}
	}
	return append(reasons, "no function is loaded")
}

// Invoke implements admin.Invoker. A background function gets a job.
func (p private) Invoke(ctx context.Context, name string, call admin.Call) (admin.Answer, error) {
	return p.invoke(ctx, name, call, true)
}

func (p private) invoke(ctx context.Context, name string, call admin.Call, asJob bool) (admin.Answer, error) {
	s, err := p.acquire()
	if err != nil {
		return admin.Answer{}, err
	}
	defer s.release()
	f := s.functions[name]
	if f == nil {
		return admin.Answer{}, errUnknown
	}
	if err := call.Complete(f.describe()); err != nil {
		return admin.Answer{}, &abi.Error{What: abi.FaultBadRequest, Message: err.Error()}
	}
	body := &abi.Buffer{Limit: abi.ResponseBodyBytes}
	req, resp := requestOf(call), &abi.Response{Body: body}
	switch {
	case call.Scheduled:
		req = jobs.ScheduledRequest(req, f.settings.Job.Schedule, time.Now())
	case f.settings.Background && asJob:
		err := p.accept(ctx, f, req, resp, jobs.OriginAdmin)
		return admin.Answer{Status: resp.Status, Header: resp.Header}, err
	}
	r, err := p.run(ctx, f, req, resp)
	answer := admin.Answer{Usage: r.took(), Logs: p.logged(&r)}
	if err == nil {
		answer.Status, answer.Header, answer.Body = resp.Status, resp.Header, body.Bytes
	}
	return answer, err
}

// InvokeFunction calls one function of the site without a listener. It calls those
// in the background too: nobody would run their job.
func (h *Host) InvokeFunction(ctx context.Context, name string, call admin.Call) (admin.Answer, error) {
	return private{h}.invoke(ctx, name, call, false)
}

// Functions lists the site's functions, with what they took this month.
func (h *Host) Functions() []admin.Function {
	list, counters := private{h}.List(), h.usage.Snapshot()
	_, paused, _ := private{h}.Counts(context.Background()) // a ledger in trouble pauses nobody
	for i := range list {
		list[i].Paused = slices.Contains(paused, list[i].Name)
		list[i].Usage = admin.TookOf(counters.ThisMonth(list[i].Name))
	}
	return list
}

// requestOf is call as the front would have made it of a client on this machine.
func requestOf(call admin.Call) *abi.Request {
	const host, address = "localhost", "127.0.0.1"
	req := &abi.Request{
		ID: front.NewID(), Method: call.Method, Proto: "HTTP/1.1", Scheme: "http", Host: host,
		Path: call.Path, RawQuery: call.Query, HasQuery: call.Query != "",
		Body: call.Body, RemoteAddr: address + ":0",
		Header: abi.Header{{Name: "host", Value: host}},
	}
	for _, f := range call.Header {
		own := strings.HasPrefix(f.Name, abi.HeaderPrefixNetlify) || strings.HasPrefix(f.Name, abi.HeaderPrefixCloche)
		if !own && f.Name != "host" && f.Name != abi.HeaderClientIP {
			req.Header = append(req.Header, f)
		}
	}
	for _, f := range []abi.Field{
		{Name: abi.HeaderRequestID, Value: req.ID},
		{Name: abi.HeaderClientIP, Value: address},
		{Name: abi.HeaderConnectionIP, Value: address},
		{Name: abi.HeaderForwardedFor, Value: address},
	} {
		req.Header.Set(f.Name, f.Value)
	}
	return req
}

// logged returns what the guest logged.
func (p private) logged(r *record) (records []logs.Record) {
	for record, err := range p.logs.Query(logs.Query{Request: r.request.ID, Since: r.began}) {
		if err == nil && record.Attr("stream").String() == "stderr" {
			records = append(records, record)
		}
	}
	return records
}

func (r *record) took() admin.Usage {
	return admin.Usage{
		Queue: admin.Millis(r.queue), Init: admin.Millis(r.usage.Init), Exec: admin.Millis(r.usage.Exec),
		MemoryBytes: r.usage.MemoryBytes, Fuel: r.usage.Fuel, LogBytes: r.usage.LogBytes,
	}
}
