package runtime

import (
	"context"
	"testing"
)

func TestWhatIsTriedOnceDoesNotDependOnWhoCameFirst(t *testing.T) {
	e := newPoolEngine(t, Config{})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	f, err := e.Load(gone, counter(1), FunctionConfig{})
	if err == nil {
		defer f.Close(t.Context())
	}
	if e.noPause != nil || e.noReset != nil {
		t.Errorf("given up for good: %v, %v", e.noPause, e.noReset)
	}
}
