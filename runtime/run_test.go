package runtime

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
)

// foreign is a context that the context package does not know: whatever is derived
// from it and not cancelled keeps a goroutine.
type foreign struct {
	context.Context
	done chan struct{}
}

func (f foreign) Done() <-chan struct{} { return f.done }

func TestAnInvocationLeavesNothingInTheContextItWasGiven(t *testing.T) {
	e := newPoolEngine(t, Config{})
	f := loadWarm(t, e, counter(1), FunctionConfig{})
	ctx := foreign{t.Context(), make(chan struct{})}
	defer close(ctx.done)
	invoke := func() {
		if _, err := f.Invoke(ctx, &abi.Request{}, &abi.Response{Body: &abi.Buffer{Limit: 100}}); err != nil {
			t.Fatal(err)
		}
	}
	invoke()
	before := runtime.NumGoroutine()
	for range 100 {
		invoke()
	}
	for range 1000 { // those that were told to end need a moment
		if runtime.NumGoroutine() < before+50 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines after 100 invocations, %d before", runtime.NumGoroutine(), before)
}
