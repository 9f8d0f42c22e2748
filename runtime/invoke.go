package runtime

import (
	"context"
	crand "crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/entropy"
	"github.com/cloche-run/cloche/runtime/memory"
	"github.com/cloche-run/cloche/runtime/wasi"
)

// Invoke runs the function once, in an instance whose state is as if it had just
// been made, and fills resp, whose Body the caller has set. It returns when the
// guest has stopped: by itself, at its deadline, or because ctx was cancelled.
//
// An error is a *Trap or an *abi.Error and knows its abi.Fault; resp is then
// unspecified. A nil error means that resp can be sent as HTTP.
func (f *Function) Invoke(ctx context.Context, req *abi.Request, resp *abi.Response) (Usage, error) {
	v := invocation{function: f, started: time.Now()}
	defer v.end()
	if err := v.take(ctx); err != nil {
		return Usage{Init: time.Since(v.started)}, err
	}
	v.begin(ctx, req, resp)
	err := v.outcome(v.serve(ctx))
	if v.ok = err == nil; v.ok {
		err = resp.Validate()
	}
	return v.usage(), err
}

// invocation is one request and the instance that serves it.
type invocation struct {
	run
	function *Function
	instance *instance
	caller   *abi.Request // as it came, whatever the guest makes of its own
	ok       bool         // the guest did what it was asked to

	started, ready time.Time
}

// take gets an instance: from the pool, or one of the invocation's own.
func (v *invocation) take(ctx context.Context) (err error) {
	f := v.function
	if f.pool != nil {
		v.instance, err = f.pool.take(ctx)
	}
	if v.instance == nil { // a fresh one may do better than one of the pool's
		v.instance, err = f.instantiate(ctx, (*memory.Account).Open)
	}
	return err
}

func (v *invocation) begin(ctx context.Context, req *abi.Request, resp *abi.Response) {
	f := v.function
	if f.config.Log != nil {
		v.log.Line = func(line []byte) { f.config.Log(req, line) }
	}
	v.caller = req
	v.call.Request, v.call.Response, v.call.Next = req, resp, f.config.Next
	if f.config.Fetch != nil {
		v.call.Fetcher = (*fetcher)(v)
	}
	l := f.config.Limits
	if !v.instance.ready && f.pool != nil && f.pool.proved.Load() {
		l.Timeout, l.Fuel = InitTimeout, InitFuel
	}
	v.start(ctx, l, v.instance)
	v.account.Watch()
	v.instance.system.Begin(f.kind.Streams(&v.call), f.kind.Environ(&v.call))
}

// serve brings the guest to where it can serve the request, and lets it.
func (v *invocation) serve(ctx context.Context) error {
	v.ready = time.Now()
	if err := v.prepare(ctx); err != nil {
		return err
	}
	return v.instance.guest.Serve(v.ctx, &v.call)
}

func (v *invocation) prepare(ctx context.Context) error {
	i := v.instance
	if !i.ready {
		return v.getReady(ctx)
	}
	v.call.Continue(i.preface)
	if i.image == nil { // it is reused
		return nil
	}
	i.renew()
	if i.resume == nil {
		return nil
	}
	return i.resume.CallWithStack(v.ctx, nil)
}

// getReady has the guest get ready, which a command does by itself.
func (v *invocation) getReady(ctx context.Context) error {
	i, f := v.instance, v.function
	if i.image == nil {
		i.load(f.module.data)
	}
	v.call.Early = f.kind.Pauses() == wasi.NoPause
	err := i.begin(&v.run, f.module)
	if err != nil {
		return err
	}
	if at := f.kind.Pauses(); at != wasi.NoPause {
		i.system.NoteRequest(at, v.atRequest)
		return nil
	}
	if err = i.guest.Ready(v.ctx); err == nil {
		v.atRequest()
		v.limit(ctx, f.config.Limits, i) // it may have had others
	}
	return err
}

// atRequest is where a guest is ready that was not before.
func (v *invocation) atRequest() {
	v.meter.begin(int64(v.instance.fuel.Get()), v.limits.Fuel)
	v.instance.fuel.Set(0)
	v.call.Early, v.ready = false, time.Now()
}

// renew seeds the guest's random generators, which all instances of its image
// would else continue alike.
func (i *instance) renew() {
	if len(i.image.seeds) == 0 {
		return
	}
	content := i.content()
	var random [8 * entropy.SeedBytes]byte
	for seeds := range slices.Chunk(i.image.seeds, 8) {
		_, _ = crand.Read(random[:len(seeds)*entropy.SeedBytes])
		for n, g := range seeds {
			g.Renew(content, [entropy.SeedBytes]byte(random[n*entropy.SeedBytes:]))
		}
	}
}

// usage adds up what was used.
func (v *invocation) usage() Usage {
	return Usage{
		Init:        v.ready.Sub(v.started),
		Exec:        time.Since(v.ready),
		Fuel:        v.meter.spent(int64(v.instance.fuel.Get())),
		InitFuel:    uint64(v.meter.before),
		MemoryBytes: v.account.Peak(),
		LogBytes:    v.log.Written(),
	}
}

// end brings the instance back to its image for the next request, or frees it.
func (v *invocation) end() {
	if v.instance == nil {
		return
	}
	v.stop()
	i, p := v.instance, v.function.pool
	switch {
	case v.ok && i.image != nil:
		p.giveBack(i)
	case v.ok && i.ready: // it is reused
		i.flatten(false)
		p.put(i)
	default:
		i.close()
		if p != nil && (v.ok || i.ready) {
			p.want()
		}
	}
}

// giveBack brings an instance back to its image. One that cannot be is replaced.
func (p *pool) giveBack(i *instance) {
	err := i.reset()
	if err == nil && i.served < servedMost {
		p.put(i)
		return
	}
	i.close()
	if errors.Is(err, errAudit) {
		p.mu.Lock()
		p.bar(err)
		p.mu.Unlock()
		p.empty()
	}
	p.want()
}

// servedMost is how many requests an instance serves: the engine's call stack
// grows by a few bytes whenever it is put back.
const servedMost = 5000
