package host

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/jobs"
	"github.com/cloche-run/cloche/host/route"
)

// Invoke answers one request: it finds the function that the path names in the
// current site and runs it, or makes a job of the request. An error knows its
// abi.Fault.
func (h *Host) Invoke(ctx context.Context, req *abi.Request, resp *abi.Response) error {
	s, err := h.acquire()
	if err != nil {
		h.refused(req, err)
		return err
	}
	defer s.release()
	f, err := s.match(req.Path)
	if err != nil {
		h.refused(req, err)
		return err
	}
	switch {
	case depthOf(req) > abi.ChainDepth:
		h.refused(req, errTooDeep)
		return errTooDeep
	case !f.settings.Job.Schedule.IsZero():
		return h.byURL(ctx, f, req, resp)
	case f.settings.Background:
		return h.accept(ctx, f, req, resp, jobs.OriginHTTP)
	}
	_, err = h.run(ctx, f, req, resp)
	return err
}

// match finds the function that a path names.
func (s *site) match(path string) (*function, error) {
	name, ok := route.Function(path)
	f := s.functions[name]
	switch {
	case ok && f != nil:
		return f, nil
	case ok && s.misnamed[name] != "":
		return nil, errBadName
	}
	return nil, errUnknown
}

// run admits the request, invokes the function and records what came of it.
func (h *Host) run(ctx context.Context, f *function, req *abi.Request, resp *abi.Response) (record, error) {
	req.Function = f.name
	r := record{host: h, function: f, request: req, response: resp, began: time.Now()}
	err := r.invoke(ctx)
	h.sign(&r)
	r.done(ctx, err)
	return r, err
}

// sign takes the headers out of an answer that only the host gives, and in dev
// says what it cost.
func (h *Host) sign(r *record) {
	r.response.Header = slices.DeleteFunc(r.response.Header, func(f abi.Field) bool {
		const prefix = abi.HeaderPrefixCloche
		return len(f.Name) >= len(prefix) && abi.EqualFold(f.Name[:len(prefix)], prefix)
	})
	if h.options.Dev {
		r.response.Header.Add(abi.HeaderFuel, strconv.FormatUint(r.usage.Fuel, 10))
	}
}

func (r *record) invoke(ctx context.Context) error {
	f := r.function
	if err := f.ready(); err != nil {
		return err
	}
	if reason := f.unready.Load(); reason != nil {
		return &abi.Error{What: abi.FaultFunctionNotReady, Message: "function " + f.name + " does not get ready", Detail: *reason}
	}
	if err := r.wait(ctx); err != nil {
		return err
	}
	defer f.gate.leave()
	defer r.host.gate.leave()
	f.metrics.Running(1)
	defer f.metrics.Running(-1)
	r.ran = true
	var err error
	r.usage, err = f.loaded.Invoke(ctx, r.request, r.response)
	return err
}

// wait passes the function's gate and the host's, with as much patience for both
// together as the function has time. A function that was called by another has
// none: the slot it would wait for may be the caller's.
func (r *record) wait(ctx context.Context) error {
	f := r.function
	f.metrics.Queued(1)
	defer func() {
		f.metrics.Queued(-1)
		r.queue = time.Since(r.began)
	}()
	patience := f.settings.Timeout
	if depthOf(r.request) > 0 {
		patience = 0
	}
	if err := f.gate.enter(ctx, patience); err != nil {
		return err
	}
	if err := r.host.gate.enter(ctx, patience-time.Since(r.began)); err != nil {
		f.gate.leave()
		return err
	}
	return nil
}
