package runtime

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloche-run/cloche/runtime/wasi"
)

// Bounds of a function's pool.
const (
	// IdleInstances is how many of a function's instances wait for work at most.
	IdleInstances = 64
	// IdleAfter is how long a function without a request keeps its image and its
	// instances. It then holds no memory but its code, and no descriptor.
	IdleAfter = time.Minute
	// spare is how many instances are kept ahead of the demand.
	spare = 1
)

// pool holds the instances of one function that wait for work, and the image
// that they start from. Without an image requests are served by fresh instances.
type pool struct {
	function *Function
	ctx      context.Context // of what is done ahead of requests
	cancel   context.CancelFunc
	making   chan struct{} // held by whoever makes the image
	ahead    sync.WaitGroup
	proved   atomic.Bool // the guest is a handler that got ready, within its own limits

	mu      sync.Mutex
	image   *image
	unfit   error       // why there is no image of the guest once it is ready
	barred  bool        // there can be no image at all
	idle    []*instance // the last one in goes out first
	fewest  int         // idle instances since the last sweep
	used    time.Time
	filling bool
	closed  bool
}

func newPool(f *Function) *pool {
	p := &pool{function: f, making: make(chan struct{}, 1), used: time.Now()}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	f.engine.pools.add(p)
	return p
}

// take returns an instance that is ready: one that waits, or a new one. It is
// nil if there is no image to make one from.
func (p *pool) take(ctx context.Context) (*instance, error) {
	i, img := p.pop()
	switch {
	case i != nil:
		return i, nil
	case p.function.reuses():
		return p.function.reused(ctx)
	case img != nil:
		return p.function.another(ctx, img)
	}
	return nil, nil
}

// pop returns an idle instance or nil, and the image or nil, and has a new
// instance made if it was the last.
func (p *pool) pop() (i *instance, img *image) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used = time.Now()
	if n := len(p.idle); n > 0 {
		i = p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.function.engine.pools.idle.Add(-i.size())
	}
	p.fewest = min(p.fewest, len(p.idle))
	if p.image != nil {
		p.fill()
	}
	return i, p.image
}

// fill has an instance made, and the image if there is none, ahead of the
// demand. The caller holds mu.
func (p *pool) fill() {
	if len(p.idle) >= spare || p.filling || p.closed || p.barred {
		return
	}
	p.filling = true
	p.ahead.Go(func() {
		err := p.addInTurn(p.ctx)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.filling = false
		if err != nil && p.ctx.Err() == nil && !errors.Is(err, errNoMemory) && !errors.Is(err, errGivenUp) {
			p.bar(err)
		}
	})
}

// giveUp has the guest get ready with each request from now on.
func (p *pool) giveUp(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unfit == nil {
		p.unfit = why
		p.warn("the guest gets ready anew for each request, which is slower", why)
	}
}

// bar has fresh instances serve requests from now on. The caller holds mu.
func (p *pool) bar(why error) {
	if !p.barred {
		p.barred = true
		p.warn("a fresh instance serves each request, which is slower", why)
	}
}

func (p *pool) warn(message string, why error) {
	p.function.engine.log.Warn(message, "function", p.function.config.Name, "reason", why.Error())
}

// want has what was discarded, or is missing, made anew.
func (p *pool) want() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fill()
}

// addInTurn is add when no other function has its turn.
func (p *pool) addInTurn(ctx context.Context) error {
	engine := p.function.engine
	select {
	case engine.ahead <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-engine.ahead }()
	return p.add(ctx)
}

// add makes an instance that waits for work.
func (p *pool) add(ctx context.Context) error {
	i, err := p.make(ctx)
	if err == nil {
		p.put(i)
	}
	return err
}

func (p *pool) make(ctx context.Context) (*instance, error) {
	if p.function.reuses() {
		return p.function.reused(ctx)
	}
	p.making <- struct{}{} // add has a limit of time
	defer func() { <-p.making }()
	p.mu.Lock()
	img := p.image
	p.mu.Unlock()
	if img != nil {
		return p.function.another(ctx, img)
	}
	img, first, err := p.first(ctx)
	if err != nil {
		return nil, err
	}
	p.function.engine.pools.makeRoomForImage()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.image = img
	if !img.unborn && p.function.kind.Pauses() == wasi.NoPause {
		p.proved.Store(true)
	}
	return first, nil
}

// first makes the image, and the instance it was taken of.
func (p *pool) first(ctx context.Context) (*image, *instance, error) {
	if why := p.function.engine.noReset; why != nil {
		return nil, nil, &unfit{why}
	}
	if why := p.function.module.Unrestorable; why != "" {
		return nil, nil, unfitf("%s", why)
	}
	p.mu.Lock()
	given := p.unfit != nil
	p.mu.Unlock()
	if !given {
		img, first, err := p.function.develop(ctx)
		var reason *unfit
		if !errors.As(err, &reason) {
			return img, first, err
		}
		p.giveUp(reason)
	}
	return p.function.conceive(ctx)
}

// put takes an instance that is ready for the next request.
func (p *pool) put(i *instance) {
	all := &p.function.engine.pools
	p.mu.Lock()
	full := p.closed || len(p.idle) >= IdleInstances || all.idle.Load() > IdleBytes || i.image != p.image
	if !full {
		p.idle = append(p.idle, i)
		all.idle.Add(i.size())
	}
	p.mu.Unlock()
	if full {
		i.close()
	}
}

// sweep frees what nobody needed since the last sweep.
func (p *pool) sweep(now time.Time) {
	p.mu.Lock()
	if now.Sub(p.used) > IdleAfter {
		p.mu.Unlock()
		p.empty()
		return
	}
	freed := p.shrink(len(p.idle) - max(p.fewest-spare, 0))
	for _, i := range p.idle[:min(p.fewest, len(p.idle))] {
		i.trim()
	}
	p.fewest = len(p.idle)
	p.mu.Unlock()
	closeAll(freed)
}

// empty frees the image and all instances that wait.
func (p *pool) empty() {
	p.mu.Lock()
	freed, img := p.shrink(0), p.image
	p.image, p.fewest = nil, 0
	p.mu.Unlock()
	closeAll(freed)
	if img != nil {
		_ = img.memory.Close()
	}
}

// shrink takes out the instances that waited longest, until keep are left.
func (p *pool) shrink(keep int) []*instance {
	n := max(len(p.idle)-keep, 0)
	freed := append([]*instance(nil), p.idle[:n]...)
	p.idle = append(p.idle[:0], p.idle[n:]...)
	clear(p.idle[len(p.idle):cap(p.idle)])
	for _, i := range freed {
		p.function.engine.pools.idle.Add(-i.size())
	}
	return freed
}

// close frees everything. Instances at work are closed when they are put.
func (p *pool) close() {
	p.function.engine.pools.remove(p)
	p.cancel()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.ahead.Wait()
	p.empty()
}

func closeAll(instances []*instance) {
	for _, i := range instances {
		i.close()
	}
}
