// Package sqlite is a ledger in one SQLite file, for one process.
//
// One goroutine owns the one connection that writes and commits what waits for
// it together (commit.go), with a sync of the disk per commit and not per job.
// Any error of the disk ends writing: a job whose record is in doubt is refused,
// never accepted (health.go). What is found at start is checked before it is
// trusted (file.go, check.go).
//
// Beside ledger.db there are SQLite's ledger.db-wal and -shm, ledger.db.lock,
// which keeps a second process out, and ledger.db.reserve (reserve.go). Nothing
// in this process may open ledger.db otherwise: closing any descriptor of it
// drops SQLite's locks.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

// readers is how many connections read at the same time.
const readers = 4

// Ledger is an open ledger.
type Ledger struct {
	path    string
	lock    *os.File
	options ledger.Options
	log     *slog.Logger
	engine  engine
	clock   *ledger.Clock
	health  *health

	writer *writer
	reader *sql.DB
	wake   chan struct{}

	queue  *queue
	probed time.Time     // when a full disk was looked at last: the committer's
	ended  chan struct{} // closed when the committer has ended

	closing sync.Once
}

var _ ledger.Ledger = (*Ledger)(nil)

// Open opens the ledger at path, and makes it if there is none. Its folder is
// made too. Jobs that ran when it was last open are interrupted.
//
// It refuses, and changes nothing, when another process has the ledger, when the
// file is damaged, is not a ledger, or is of a newer version, and on a network
// file system.
func Open(ctx context.Context, path string, options ledger.Options) (*Ledger, error) {
	l, err := open(ctx, path, options, modernc())
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	return l, nil
}

func open(ctx context.Context, path string, options ledger.Options, e engine) (*Ledger, error) {
	lock, err := prepare(path)
	if err != nil {
		return nil, err
	}
	l := &Ledger{
		path: path, lock: lock, options: options, log: options.Filled(ledger.ID{}).Log, engine: e,
		wake: make(chan struct{}, 1), queue: newQueue(), ended: make(chan struct{}),
	}
	if err := l.start(ctx); err != nil {
		return nil, errors.Join(explain(e.classify(err)), l.release())
	}
	go func() {
		defer close(l.ended)
		l.commitAll()
	}()
	return l, nil
}

// start opens what is there, with the room of the reserve if it needs it.
func (l *Ledger) start(ctx context.Context) error {
	l.health = newHealth(reserve{l.path + ".reserve", l.engine.reserveBytes})
	err := l.connect(ctx)
	if err != nil && errors.Is(l.engine.classify(err), ledger.ErrFull) && l.health.reserve.spend() {
		_ = l.disconnect()
		l.reader, l.writer = nil, nil
		err = l.connect(ctx)
	}
	if err != nil {
		return err
	}
	if !l.health.reserve.fill() {
		l.health.full(errors.New("no room for the reserve"))
		l.log.Warn("ledger is full: no jobs are accepted", "path", l.path)
	}
	return nil
}

func (l *Ledger) connect(ctx context.Context) error {
	if err := create(ctx, l.path, l.engine); err != nil {
		return err
	}
	w, err := openWriter(ctx, l.path, l.engine)
	if err != nil {
		return err
	}
	l.writer = w
	if err := l.checkFile(ctx); err != nil {
		return err
	}
	if l.reader, err = openReaders(ctx, l.path, l.engine); err != nil {
		return err
	}
	return l.resume()
}

// resume sets the clock and takes up what the process before left.
func (l *Ledger) resume() error {
	highWater, latest, err := l.writer.highWater()
	if err != nil {
		return err
	}
	l.options = l.options.Filled(latest)
	clock, trusted := ledger.NewClock(l.options.Wall, highWater)
	l.clock = clock
	switch behind := highWater.Sub(l.options.Wall()); {
	case !trusted:
		l.log.Warn("the ledger was last used in what is now the future: its time is not believed", "recorded", highWater)
	case behind > 5*time.Minute:
		l.log.Warn("the clock was set back: the ledger goes on with its own time", "behind", behind)
	}
	n := 0
	err = l.writer.commit([]*change{{run: func(b *batch) (err error) {
		n, err = b.interruptAll()
		return err
	}}}, l.clock.Now(), l.options.NewID)
	if n > 0 {
		l.log.Warn("jobs were interrupted by the end of the process before: they will be tried again", "jobs", n)
	}
	return err
}

// Healthy returns why no jobs are accepted, or nil.
func (l *Ledger) Healthy() error { return l.health.err() }

// Wake receives when NextDue may have become shorter.
func (l *Ledger) Wake() <-chan struct{} { return l.wake }

func (l *Ledger) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Close ends the ledger when what was begun is done; ctx does not hurry it.
//
// One that is broken is not let go of, and Close says why it broke: SQLite would
// copy the log into the file as it closes, and after a failed sync what it reads
// may not be what was written. Who opens the file next, in another process,
// checks the log first.
func (l *Ledger) Close(context.Context) error {
	err := ledger.ErrClosed
	l.closing.Do(func() {
		l.queue.close()
		<-l.ended
		if err = l.health.err(); err == nil {
			err = l.judge(l.writer.checkpoint("TRUNCATE"))
		}
		l.health.close()
		if errors.Is(err, ledger.ErrBroken) {
			return
		}
		if errors.Is(err, ledger.ErrFull) {
			err = nil // the log stays for the next process
		}
		err = errors.Join(err, l.release())
	})
	return err
}

// release lets go of the connections and then of the lock.
func (l *Ledger) release() error {
	return errors.Join(l.disconnect(), l.lock.Close())
}

func (l *Ledger) disconnect() (err error) {
	if l.reader != nil {
		err = l.reader.Close()
	}
	if l.writer != nil {
		err = errors.Join(err, l.writer.close())
	}
	return err
}
