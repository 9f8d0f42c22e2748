// Package wasi gives guests WASI preview 1: standard streams that obey limits,
// a clock, randomness and an environment. There is no file system and no
// network, and nothing a guest can call waits past its deadline.
package wasi

import (
	"context"
	"crypto/rand"
	"io"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// ClockResolution is what both clocks are rounded down to: fine enough for
// programs, too coarse for timing attacks between guests.
const ClockResolution = 100 * time.Microsecond

// Instantiate adds the preview 1 functions to rt.
func Instantiate(ctx context.Context, rt wazero.Runtime) error {
	_, err := wasi_snapshot_preview1.Instantiate(ctx, rt)
	return err
}

// Streams are what a guest reads and writes.
type Streams struct {
	Stdin          io.Reader // nil reads as empty
	Stdout, Stderr io.Writer // nil discards
}

// Base is the part of a function's configuration that is the same for all its
// instances.
func Base(name string) wazero.ModuleConfig {
	start := time.Now()
	return wazero.NewModuleConfig().
		WithName("").
		WithStartFunctions().
		WithArgs(name).
		WithWalltime(walltime, sysResolution).
		WithNanotime(func() int64 { return coarse(time.Since(start)).Nanoseconds() }, sysResolution)
}

const sysResolution = 100_000 // nanoseconds: ClockResolution

// ForCall completes base for one invocation that lasts as long as ctx.
func ForCall(ctx context.Context, base wazero.ModuleConfig, s Streams) wazero.ModuleConfig {
	config := base.
		WithRandSource(random{ctx}).
		WithNanosleep(func(ns int64) { sleep(ctx, ns) })
	if s.Stdin != nil {
		config = config.WithStdin(s.Stdin)
	}
	if s.Stdout != nil {
		config = config.WithStdout(s.Stdout)
	}
	if s.Stderr != nil {
		config = config.WithStderr(s.Stderr)
	}
	return config
}

func walltime() (sec int64, nsec int32) {
	now := time.Now().Truncate(ClockResolution)
	return now.Unix(), int32(now.Nanosecond())
}

func coarse(d time.Duration) time.Duration { return d.Truncate(ClockResolution) }

// sleep waits ns nanoseconds, or until the invocation ends.
func sleep(ctx context.Context, ns int64) {
	if ns <= 0 {
		return
	}
	timer := time.NewTimer(time.Duration(ns))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// random is the system's random source, read in pieces so that a guest that
// asks for a gigabyte is still stopped at its deadline.
type random struct{ ctx context.Context }

func (r random) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	const piece = 64 << 10
	return rand.Read(p[:min(len(p), piece)])
}
