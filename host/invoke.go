package host

import (
	"context"
	"log/slog"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/front"
	"github.com/cloche-run/cloche/host/route"
	"github.com/cloche-run/cloche/runtime"
)

// Invoke answers one request: it finds the function that the path names in the
// current site and runs it. An error knows its abi.Fault.
func (h *Host) Invoke(ctx context.Context, req *abi.Request, resp *abi.Response) error {
	s, err := h.acquire()
	if err != nil {
		return err
	}
	defer s.release()
	name, ok := route.Function(req.Path)
	if !ok {
		return errUnknown
	}
	f := s.functions[name]
	if f == nil {
		if s.misnamed[name] != "" {
			return errBadName
		}
		return errUnknown
	}
	_, err = h.run(ctx, f, req, resp)
	return err
}

// run admits the request, invokes the function and records what came of it.
func (h *Host) run(ctx context.Context, f *function, req *abi.Request, resp *abi.Response) (record, error) {
	req.Function = f.name
	r := record{host: h, function: f, request: req, response: resp, began: time.Now()}
	err := r.admitted(ctx)
	r.done(ctx, err)
	return r, err
}

// record is what is known of one invocation for the log, the metrics and the bill.
type record struct {
	host     *Host
	function *function
	request  *abi.Request
	response *abi.Response

	began time.Time
	queue time.Duration
	usage runtime.Usage
}

func (r *record) admitted(ctx context.Context) error {
	f := r.function
	if f.loaded == nil {
		return &abi.Error{What: abi.FaultFunctionNotReady, Message: "function " + f.name + " could not be loaded", Detail: f.broken.Error()}
	}
	if err := r.wait(ctx); err != nil {
		return err
	}
	defer f.gate.leave()
	defer r.host.gate.leave()
	f.metrics.Running(1)
	defer f.metrics.Running(-1)
	var err error
	r.usage, err = f.loaded.Invoke(ctx, r.request, r.response)
	return err
}

// wait passes the function's gate and the host's, each with as much patience as
// the function has time.
func (r *record) wait(ctx context.Context) error {
	f := r.function
	f.metrics.Queued(1)
	defer func() {
		f.metrics.Queued(-1)
		r.queue = time.Since(r.began)
	}()
	if err := f.gate.enter(ctx, f.settings.Timeout); err != nil {
		return err
	}
	if err := r.host.gate.enter(ctx, f.settings.Timeout); err != nil {
		f.gate.leave()
		return err
	}
	return nil
}

// done writes the one line of the log and counts.
func (r *record) done(ctx context.Context, err error) {
	took := time.Since(r.began)
	status, level := r.response.Status, slog.LevelInfo
	if err != nil {
		status = front.Status(err)
	}
	if status >= 500 {
		level = slog.LevelError
	}
	attrs := [8]slog.Attr{
		slog.String("function", r.function.name),
		slog.String("request", r.request.ID),
		slog.String("method", r.request.Method),
		slog.String("path", r.request.Path),
		slog.Int("status", status),
		slog.Duration("duration", took),
		slog.Int64("memory", r.usage.MemoryBytes),
	}
	n := 7
	if err != nil {
		attrs[n] = slog.String("error", describe(err))
		n++
	}
	r.host.log.LogAttrs(ctx, level, "request", attrs[:n]...)
	r.host.count(r, err)
}

// describe is an error with all that its developer may know.
func describe(err error) string {
	text := err.Error()
	if f, ok := err.(abi.Faulter); ok && f.Trace() != "" {
		text += "\n" + f.Trace()
	}
	return text
}
