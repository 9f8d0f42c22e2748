package runtime

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of all pools of an engine.
const (
	// IdleBytes is the linear memory, as the guests see it, of all instances that
	// wait for work. Most of it is shared, or was never touched.
	IdleBytes = 4 << 30
	// Images is how many functions have an image at a time; each takes a file
	// descriptor. Those that were not used for longest give theirs up.
	Images = 500
	// sweepEvery is how often pools are looked through for what is not needed.
	sweepEvery = 5 * time.Second
)

// pools are those of an engine.
type pools struct {
	idle atomic.Int64 // bytes of instances that wait

	mu  sync.Mutex
	all map[*pool]struct{}
}

func (s *pools) add(p *pool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[*pool]struct{}{}
	}
	s.all[p] = struct{}{}
}

func (s *pools) remove(p *pool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, p)
}

// close ends all work that is done ahead of requests.
func (s *pools) close() {
	s.mu.Lock()
	all := slices.Collect(maps.Keys(s.all))
	s.mu.Unlock()
	for _, p := range all {
		p.close()
	}
}

// run sweeps until ctx is done.
func (s *pools) run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.sweep(now)
		}
	}
}

func (s *pools) sweep(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.all {
		p.sweep(now)
	}
}

// reclaim frees instances that wait, of at least need bytes together if there
// are as many, those of the functions first that were not used for longest. It
// reports whether there were any.
func (s *pools) reclaim(need int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var freed int64
	for freed < need {
		oldest, _ := s.oldest(func(p *pool) bool { return len(p.idle) > 0 })
		if oldest == nil {
			break
		}
		oldest.mu.Lock()
		idle := oldest.shrink(0)
		oldest.mu.Unlock()
		for _, i := range idle {
			freed += i.size()
		}
		closeAll(idle)
	}
	return freed > 0
}

// makeRoomForImage frees the image that was not used for longest if there are
// Images already.
func (s *pools) makeRoomForImage() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if oldest, n := s.oldest(func(p *pool) bool { return p.image != nil }); n >= Images {
		oldest.empty()
	}
}

// oldest finds the pool that was not used for longest, of the n that match. The
// caller holds mu.
func (s *pools) oldest(match func(*pool) bool) (found *pool, n int) {
	var since time.Time
	for p := range s.all {
		p.mu.Lock()
		if match(p) {
			if n++; found == nil || p.used.Before(since) {
				found, since = p, p.used
			}
		}
		p.mu.Unlock()
	}
	return found, n
}
