package wasi

import (
	"context"
	"errors"

	"github.com/tetratelabs/wazero/experimental"

	"github.com/cloche-run/cloche/runtime/wasm"
)

// ErrPaused is the error of a call that was paused: the guest stands where it
// would have learnt about its request.
var ErrPaused = errors.New("the guest waits for its request")

// pause is where a command stands between getting ready and its request: what
// is on its call stack, which its linear memory does not hold. A snapshot of it
// can be used once, so another is made whenever the guest is back there.
type pause struct {
	at       PausePoint
	phase    phase
	snapshot experimental.Snapshot
	note     func()
}

type phase byte

const (
	unpaused phase = iota // the guest has learnt about its request, or is about to
	noting                // somebody wants to know when it does
	expected              // it will be paused when it asks
	paused
	resuming // it is being put back to where it asked
)

// PausePoint is what only a request can answer.
type PausePoint byte

const (
	NoPause PausePoint = iota
	AtInput
	AtEnviron // the environment, or the input
)

// ExpectPause makes the guest's call end with ErrPaused where it first asks for
// what at names. The call's context has to be one of experimental.WithSnapshotter.
func (s *System) ExpectPause(at PausePoint) {
	s.pause = pause{at: at}
	if at != NoPause {
		s.pause.phase = expected
	}
}

// NoteRequest has note called, once, where a guest would be paused.
func (s *System) NoteRequest(at PausePoint, note func()) {
	s.pause = pause{at: at, phase: noting, note: note}
}

// Rewind makes the next call of a paused guest continue where it paused.
// It must be the same api.Function that was paused.
func (s *System) Rewind() {
	if s.pause.snapshot != nil {
		s.pause.phase = paused
	}
}

// Resume is the import wasm.ResumeImport: it does not return to a guest that
// was paused, but to where that asked.
func Resume(ctx context.Context) {
	s := systemFrom(ctx)
	if s.pause.phase == paused {
		s.pause.phase = resuming
		s.pause.snapshot.Restore([]uint64{wasm.Again})
	}
}

// awaitRequest is called where a guest asks for what its request says.
func (c *call) awaitRequest() {
	p := &c.sys.pause
	switch p.phase {
	case noting:
		p.phase = unpaused
		p.note()
	case expected:
		p.snapshot = experimental.GetSnapshotter(c.ctx).Snapshot()
		p.phase = paused
		panic(ErrPaused)
	case resuming:
		p.snapshot = experimental.GetSnapshotter(c.ctx).Snapshot()
		p.phase = unpaused
	}
}
