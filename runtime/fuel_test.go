package runtime

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cloche-run/cloche/runtime/memory"
)

// late is a context whose timer has not fired, though its deadline has passed: as
// on a machine that is busy.
type late struct{ context.Context }

func (late) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }
func (late) Err() error                  { return nil }

func TestTheClockEndsAGuestNotOnlyTheTimer(t *testing.T) {
	m := newMeter(memory.NewAccount(memory.NewBudget(0), 0), new(callStack))
	m.until(late{t.Context()})
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, errOver) || !m.late {
			t.Errorf("%v, late: %v", err, m.late)
		}
	}()
	m.refuel(0, 1)
	t.Error("it may go on")
}
