package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

// submit has run done in the next commit and returns what it returned once that
// is durable. It may be run more than once; the last time counts. It must return
// an error of its own before it writes anything.
func submit[T any](ctx context.Context, l *Ledger, c *change, run func(*batch) (T, error)) (T, error) {
	var result, none T
	c.run = func(b *batch) (err error) {
		result, err = run(b)
		return err
	}
	if err := l.submit(ctx, c); err != nil {
		return none, err
	}
	return result, nil
}

func (l *Ledger) submit(ctx context.Context, c *change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := l.health.refuses(c.grows); err != nil {
		return err
	}
	c.ctx, c.done = ctx, make(chan struct{})
	if err := l.queue.put(c); err != nil {
		return err
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commitAll commits what is put into the queue until that is closed and empty.
func (l *Ledger) commitAll() {
	for {
		changes, closed := l.queue.take()
		switch {
		case len(changes) > 0:
			l.commit(changes)
			for _, c := range changes {
				close(c.done)
			}
			l.maintain()
		case closed:
			return
		default:
			l.wait()
		}
	}
}

// wait waits for the next change, or until a full disk should be looked at.
func (l *Ledger) wait() {
	var probe <-chan time.Time
	if errors.Is(l.health.err(), ledger.ErrFull) {
		timer := time.NewTimer(l.engine.probeEvery)
		defer timer.Stop()
		probe = timer.C
	}
	select {
	case <-l.queue.ready:
	case <-probe:
		l.regain()
	}
}

// commit commits changes and sets their errors.
func (l *Ledger) commit(changes []*change) {
	changes = l.refuse(changes)
	err := l.try(changes)
	if errors.Is(err, ledger.ErrFull) {
		if changes = l.refuse(changes); len(changes) > 0 && l.health.reserve.spend() {
			err = l.try(changes)
		}
	}
	for _, c := range changes {
		if err != nil {
			c.err = err
		}
	}
}

// refuse fails the changes that are not to be tried, and returns the others.
func (l *Ledger) refuse(changes []*change) (rest []*change) {
	for _, c := range changes {
		if c.err = l.health.refuses(c.grows); c.err == nil {
			rest = append(rest, c)
		}
	}
	return rest
}

// try commits changes together, or each alone if SQLite refuses one of them.
func (l *Ledger) try(changes []*change) error {
	if len(changes) == 0 {
		return nil
	}
	err := l.judge(l.writer.commit(changes, l.clock.Now(), l.options.NewID))
	if !errors.Is(err, errRefused) || len(changes) == 1 {
		return err
	}
	for _, c := range changes {
		if err := l.try([]*change{c}); err != nil {
			c.err = err
		}
	}
	return nil
}

// judge says what an error of writing means, and remembers it.
func (l *Ledger) judge(err error) error {
	if err == nil {
		return nil
	}
	switch err = l.engine.classify(err); {
	case errors.Is(err, ledger.ErrFull):
		if l.health.err() == nil {
			l.log.Error("ledger is full: no jobs are accepted", "path", l.path, "error", err)
		}
		l.health.full(err)
		return l.health.err()
	case errors.Is(err, ledger.ErrBusy), errors.Is(err, errRefused):
	default:
		l.log.Error("ledger is broken: nothing is written any more", "path", l.path, "error", err)
		l.health.broke(err)
		return l.health.err()
	}
	return err
}

// regain looks whether a full disk has room again, now and then.
func (l *Ledger) regain() {
	if time.Since(l.probed) < l.engine.probeEvery {
		return
	}
	l.probed = time.Now()
	if err := l.judge(l.writer.checkpoint("TRUNCATE")); err == nil && l.health.reserve.refill() {
		l.health.recover()
		l.log.Info("ledger has room again: jobs are accepted", "path", l.path)
	}
}

// walPages is how long the log may stay: 64 MiB.
const walPages = (64 << 20) / 4096

// maintain copies the log into the file when nobody waits for the disk.
func (l *Ledger) maintain() {
	if errors.Is(l.health.err(), ledger.ErrFull) {
		l.regain()
	}
	if l.health.err() != nil || !l.writer.shouldLook() {
		return
	}
	length, pending, err := l.writer.walLength()
	if l.judge(err) != nil || pending < l.engine.checkpointPages {
		return
	}
	mode := "PASSIVE"
	if length > walPages {
		mode = "TRUNCATE"
	}
	_ = l.judge(l.writer.checkpoint(mode))
}
