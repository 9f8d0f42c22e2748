package host

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/admin"
	"github.com/cloche-run/cloche/host/front"
	"github.com/cloche-run/cloche/host/usage"
	"github.com/cloche-run/cloche/runtime"
)

// record is what is known of one invocation for the log, the metrics and the bill.
type record struct {
	host     *Host
	function *function
	request  *abi.Request
	response *abi.Response

	began time.Time
	queue time.Duration
	ran   bool   // the guest was called
	job   string // that the request became, if it did
	usage runtime.Usage
}

// done writes the one line of the log and counts.
func (r *record) done(ctx context.Context, err error) {
	status, level := r.response.Status, slog.LevelInfo
	if err != nil {
		status = front.Status(err)
	}
	if status >= 500 {
		level = slog.LevelError
	}
	attrs := [10]slog.Attr{
		slog.String("function", r.function.name),
		slog.String("request", r.request.ID),
		slog.String("method", r.request.Method),
		slog.String("path", r.request.Path),
		slog.Int("status", status),
		slog.Duration("duration", time.Since(r.began)),
		slog.Uint64("fuel", r.usage.Fuel),
		slog.Int64("memory", r.usage.MemoryBytes),
	}
	n := 8
	if err != nil {
		attrs[n] = slog.String("error", describe(err))
		n++
	}
	if r.job != "" {
		attrs[n] = slog.String("job", r.job)
		n++
	}
	r.host.log.LogAttrs(ctx, level, "request", attrs[:n]...)
	if r.job == "" {
		r.count(err)
	}
}

// count adds the invocation to the metrics and, if the guest was called, to the bill.
func (r *record) count(err error) {
	fault := abi.Fault("")
	counters := usage.Counters{Invocations: 1, RunTime: r.usage.Exec, Fuel: r.usage.Fuel}
	if err != nil {
		fault, counters.Errors = faultOf(err), 1
	}
	if !r.ran {
		r.function.metrics.Refused(fault)
		return
	}
	r.function.metrics.Done(admin.Invocation{
		Fault: fault, Queue: r.queue, Init: r.usage.Init, Exec: r.usage.Exec,
		MemoryBytes: r.usage.MemoryBytes, Fuel: r.usage.Fuel,
	})
	r.host.usage.Add(r.function.name, counters)
}

// refused logs and counts a request that no function was found for.
func (h *Host) refused(req *abi.Request, err error) {
	h.metrics.Refused(faultOf(err))
	h.log.LogAttrs(context.Background(), slog.LevelWarn, "request refused",
		slog.String("request", req.ID), slog.String("method", req.Method), slog.String("path", req.Path),
		slog.Int("status", front.Status(err)), slog.String("error", describe(err)))
}

func faultOf(err error) abi.Fault {
	var known abi.Faulter
	if errors.As(err, &known) {
		return known.Fault()
	}
	return abi.FaultInternal
}

// describe is an error with all that its developer may know.
func describe(err error) string {
	var known abi.Faulter
	if errors.As(err, &known) && known.Trace() != "" {
		return err.Error() + "\n" + known.Trace()
	}
	return err.Error()
}
