package host

import (
	"context"
	"errors"
	"sync"
)

// group runs functions until its context ends; when one of them ends, all do.
type group struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup
	mu     sync.Mutex
	errs   []error
}

func newGroup(ctx context.Context) *group {
	g := new(group)
	g.ctx, g.cancel = context.WithCancel(ctx)
	return g
}

func (g *group) start(run func(context.Context) error) {
	g.done.Go(func() {
		defer g.cancel()
		if err := run(g.ctx); err != nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.errs = append(g.errs, err)
		}
	})
}

func (g *group) wait() error {
	g.done.Wait()
	g.cancel()
	return errors.Join(g.errs...)
}
