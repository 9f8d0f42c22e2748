package runtime

import (
	"context"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/entropy"
	"github.com/cloche-run/cloche/runtime/memory"
	"github.com/cloche-run/cloche/runtime/wasi"
)

// seeds finds the random generators that have to be seeded anew for each request.
// The guest was given random numbers or the time before its first request, and may
// have kept them: twins that were given others show whether it did, and where.
func (f *Function) seeds(ctx context.Context, r *readied) ([]entropy.Generator, error) {
	init := newInit()
	init.Start = f.init.Start.Add(twinAge)
	content := r.content()
	var seeds []entropy.Generator
	var kept, foreign bool
	err := f.compare(ctx, init, func(twin []byte) {
		if kept = !memory.Equal(content, twin); kept {
			seeds = entropy.Differing(content, twin)
			foreign = entropy.Sown(content, twin)
		}
	})
	if err != nil || !kept {
		return nil, err
	}
	if len(seeds) == 0 || foreign || r.drawn.Random > drawnByGo {
		return nil, errKept
	}
	if r.drawn.Wall { // more than a runtime needs for itself
		init = f.init
		init.WallAhead = twinAge
		err = f.compare(ctx, init, func(twin []byte) { kept = !memory.Equal(content, twin) })
		if err == nil && kept {
			err = errKept
		}
	}
	return seeds, err
}

var errKept = unfitf("it keeps random numbers or the time from before its first request, and all requests would have the same: "+
	"export %s to renew them (abi/ABI.md), or draw them during a request", abi.ExportResume)

// drawnByGo is how often Go's runtime asks for random bytes before main.
const drawnByGo = 1

// twinAge is how much later a twin gets ready, by its clock.
const twinAge = 1_000_001 * time.Second

// compare shows the memory of a twin that got ready by init.
func (f *Function) compare(ctx context.Context, init wasi.Init, show func(twin []byte)) error {
	twin, err := f.ready(ctx, init, nil)
	if err != nil {
		return err
	}
	defer twin.close()
	show(twin.content())
	return nil
}
