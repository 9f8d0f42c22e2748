package runtime

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/entropy"
	"github.com/cloche-run/cloche/runtime/guest"
	"github.com/cloche-run/cloche/runtime/limits"
	"github.com/cloche-run/cloche/runtime/memory"
	"github.com/cloche-run/cloche/runtime/wasi"
)

// What a guest may take to get ready, before any request: as much as AWS Lambda
// gives its init phase, https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html.
const (
	InitTimeout = 10 * time.Second
	// InitFuel is about as long on a fast machine.
	InitFuel = 100_000_000_000
)

// image is a guest that is ready: what its instances start from and go back to.
type image struct {
	memory  *memory.Image
	globals []uint64
	settled wasi.Settled
	unborn  bool // nothing of the guest has run: it gets ready with each request
	whole   bool // every instance gets ready by itself: memory and globals are not all of its state
	preface guest.Preface
	seeds   []entropy.Generator
}

// same reports whether an instance stands at the image.
func (i *image) same(at *instance) bool {
	return memory.Equal(at.content(), i.memory.Bytes()) && slices.Equal(at.values(), i.globals)
}

// newInit is what the guests of one function find while they get ready.
func newInit() (init wasi.Init) {
	init.Start = time.Now()
	_, _ = crand.Read(init.Seed[:])
	return init
}

// readied is an instance that got ready, and what it did on the way.
type readied struct {
	*instance
	drawn wasi.Drawn
}

// ready makes an instance and has it get ready, with no request in sight.
func (f *Function) ready(ctx context.Context, init wasi.Init, log func(line []byte)) (*readied, error) {
	i, err := f.instantiate(ctx, (*memory.Account).OpenToAdopt)
	if err != nil {
		return nil, err
	}
	var r run
	r.log.Line, r.call.Early = log, true
	r.start(ctx, Limits{Timeout: InitTimeout, Fuel: InitFuel, LogBytes: abi.LogBytes, StackBytes: f.config.Limits.StackBytes}, i)
	defer r.stop()
	i.system.BeginInit(init, f.kind.Streams(&r.call))
	if at := f.kind.Pauses(); at != wasi.NoPause { // only what _start calls can be paused
		i.system.NoteRequest(at, func() { panic(errTooEarly) })
	}
	i.load(f.module.data)
	if err = i.begin(&r, f.module); err == nil {
		i.system.ExpectPause(f.kind.Pauses())
		err = i.guest.Ready(r.ctx)
	}
	if !errors.Is(err, guest.ErrEnded) {
		err = r.outcome(err)
	}
	if err != nil {
		i.close()
		return nil, err
	}
	i.flatten(f.kind.Pauses() != wasi.NoPause)
	i.preface, i.ready = r.call.Preface(), true
	return &readied{i, i.system.Drawn()}, nil
}

var errTooEarly = limits.Trapf(abi.FaultTrap, "its start function asks for the request")

// unfit says why a function's requests cannot start from an image.
type unfit struct{ error }

func unfitf(format string, args ...any) error { return &unfit{fmt.Errorf(format, args...)} }

// conceive makes an image of the guest before any of it has run, and the instance
// that it was taken of.
func (f *Function) conceive(ctx context.Context) (*image, *instance, error) {
	i, err := f.instantiate(ctx, (*memory.Account).OpenToAdopt)
	if err != nil {
		return nil, nil, err
	}
	i.load(f.module.data)
	img := &image{globals: i.values(), unborn: true}
	if img.memory, err = f.newImage(i); err != nil {
		i.close()
		return nil, nil, err
	}
	if err := i.adopt(img); err != nil {
		_ = img.memory.Close()
		return nil, nil, err
	}
	return img, i, nil
}

// develop makes the function's image, and the instance that it was taken of.
func (f *Function) develop(ctx context.Context) (*image, *instance, error) {
	if why := f.engine.noPause; why != nil && f.kind.Pauses() != wasi.NoPause {
		return nil, nil, &unfit{why}
	}
	first, err := f.ready(ctx, f.init, f.initLog())
	if err != nil && ctx.Err() != nil { // which says nothing about the guest
		return nil, nil, err
	}
	var known abi.Faulter
	if errors.Is(err, guest.ErrEnded) || f.kind.Pauses() != wasi.NoPause && errors.As(err, &known) && known.Fault() != abi.FaultHostBusy {
		return nil, nil, &unfit{err} // a command may fail, or end, as it likes
	}
	if err != nil {
		return nil, nil, err
	}
	img, err := f.capture(ctx, first)
	if err != nil {
		first.close()
		return nil, nil, err
	}
	if err := first.adopt(img); err != nil {
		_ = img.memory.Close()
		return nil, nil, err
	}
	return img, first.instance, nil
}

// capture takes an image of a guest that is ready.
func (f *Function) capture(ctx context.Context, r *readied) (*image, error) {
	settled, ok := r.system.Settle()
	if !ok {
		return nil, unfitf("it leaves files or open descriptors behind before its first request")
	}
	img := &image{globals: r.values(), preface: r.preface, settled: settled}
	var err error
	if r.drawn != (wasi.Drawn{}) && r.resume == nil {
		if img.seeds, err = f.seeds(ctx, r); err != nil {
			return nil, err
		}
	}
	if img.memory, err = f.newImage(r.instance); err != nil {
		return nil, err
	}
	img.whole = r.dirty.Get() != 0 || f.kind.Pauses() != wasi.NoPause
	r.dirty.Set(0)
	return img, nil
}

func (f *Function) newImage(i *instance) (*memory.Image, error) {
	img, err := f.engine.budget.NewImage(i.content())
	if errors.Is(err, memory.ErrNoRoom) {
		err = errNoMemory
	}
	return img, err
}

// another makes one more instance that stands at img, which the pool may give up
// meanwhile.
func (f *Function) another(ctx context.Context, img *image) (*instance, error) {
	if !img.memory.Hold() {
		return nil, errGivenUp
	}
	defer img.memory.Drop()
	if !img.whole {
		i, err := f.instantiate(ctx, func(a *memory.Account, _ uint64) bool { return a.OpenImage(img.memory) })
		if err != nil {
			return nil, err
		}
		i.image, i.preface, i.ready = img, img.preface, !img.unborn
		i.system.Assume(img.settled)
		i.restore()
		return i, nil
	}
	r, err := f.ready(ctx, f.init, nil)
	if err != nil {
		return nil, err
	}
	r.dirty.Set(0)
	if _, ok := r.system.Settle(); !ok || !img.same(r.instance) {
		r.close()
		return nil, errUnstable
	}
	if err := r.adopt(img); err != nil {
		return nil, err
	}
	return r.instance, nil
}

// reused makes an instance that is not brought back to anything.
func (f *Function) reused(ctx context.Context) (*instance, error) {
	r, err := f.ready(ctx, newInit(), f.initLog())
	if err != nil {
		return nil, err
	}
	return r.instance, nil
}

// adopt makes img, at which the instance stands, what it goes back to. If that
// fails the instance is closed.
func (i *instance) adopt(img *image) error {
	i.image = img
	err := i.account.Adopt(img.memory)
	if err != nil {
		i.close()
	}
	return err
}

// errGivenUp says that there is no longer an image to make an instance of.
var errGivenUp = errors.New("the image was given up")

var errUnstable = unfitf("it does not get ready the same way twice")
