package sqlite

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/cloche-run/cloche/host/ledger"
)

// TestADiskThatFails has every nth call of the disk fail in turn, once or from
// then on, and opens what is left on a good disk.
func TestADiskThatFails(t *testing.T) {
	for _, test := range []struct {
		name, kind string
		err        error
		from       bool // that call and all that follow
	}{
		{"a sync fails once", "sync", sqlite3.IOERR_FSYNC, false},
		{"syncs fail", "sync", sqlite3.IOERR_FSYNC, true},
		{"a write fails once", "write", sqlite3.IOERR_WRITE, false},
		{"writes fail", "write", sqlite3.IOERR_WRITE, true},
		{"a read fails once", "read", sqlite3.IOERR_READ, false},
		{"everything fails", "any", sqlite3.IOERR, true},
		{"the disk is full once", "write", sqlite3.FULL, false},
		{"the disk is full", "write", sqlite3.FULL, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			met := 0
			for nth := 1; nth < 200; nth += 1 + nth/cycles(5) {
				d := newDisk(t)
				fault := func(kind string, n int) error {
					if (kind == test.kind || test.kind == "any") && (n == nth || test.from && n > nth) {
						return test.err
					}
					return nil
				}
				if !failAt(t, d, fault) {
					break
				}
				met++
			}
			if met < 5 {
				t.Errorf("only %d calls of this kind: the test proves nothing", met)
			}
			t.Logf("%d places", met)
		})
	}
}

// failAt runs a story on a disk that fails, and reports whether it did.
func failAt(t *testing.T, d *disk, fault func(string, int) error) (met bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := mustOpen(t, path, d.engine())
	var broken error
	d.setFault(func(kind string, n int) error {
		err := fault(kind, n)
		if err != nil {
			broken = err
		}
		return err
	})
	b := newBook()
	story(t, l, b)
	health := l.Healthy()
	closed := l.Close(context.Background())
	d.setFault(func(string, int) error { return nil })
	switch {
	case broken == nil:
		if health != nil || closed != nil {
			t.Fatalf("no call failed, and the ledger is not well: %v, %v", health, closed)
		}
		return false
	case !errors.Is(broken, sqlite3.FULL) && health == nil && closed == nil && !isHarmless(broken):
		t.Errorf("a call failed with %v, and nobody was told", broken)
	}
	after := mustOpen(t, survivor(t, d, path), quick())
	if err := after.Check(context.Background()); err != nil {
		t.Error(err)
	}
	if jobs, ends := b.lost(t, after); jobs > 0 || ends > 0 {
		t.Errorf("after %v: lost %d jobs, %d ends", broken, jobs, ends)
	}
	// On a good disk it goes on.
	if _, err := after.Enqueue(context.Background(), []ledger.NewJob{{Function: "f"}}); err != nil {
		t.Error(err)
	}
	if err := after.Close(context.Background()); err != nil {
		t.Error(err)
	}
	return true
}

// survivor returns the ledger as another process finds it: as it was written, or,
// half of the times, with what was not synced gone from the disk's cache.
func survivor(t *testing.T, d *disk, path string) string {
	t.Helper()
	dir := t.TempDir()
	if rand.IntN(2) == 0 {
		d.remains(t, dir, rand.New(rand.NewPCG(rand.Uint64(), 0)))
		return filepath.Join(dir, "ledger.db")
	}
	for _, suffix := range []string{"", "-wal"} {
		text, err := os.ReadFile(path + suffix)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "ledger.db"+suffix), text, 0o600)
		}
		if err != nil && suffix == "" {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "ledger.db")
}

// isHarmless: SQLite may do without some reads, such as that of a spare page.
func isHarmless(err error) bool { return errors.Is(err, sqlite3.IOERR_READ) }

// story has one job after the other live and die, and takes down what it is told.
// After an error that is final nothing may be accepted any more.
func story(t *testing.T, l *Ledger, b *book) {
	t.Helper()
	ctx := context.Background()
	for i := range 12 {
		broken := errors.Is(l.Healthy(), ledger.ErrBroken)
		enqueued, err := l.Enqueue(ctx, []ledger.NewJob{{Function: "f", Request: ledger.Request{Body: make([]byte, i*1000)}}})
		if broken && err == nil {
			t.Error("a broken ledger accepted a job")
		}
		if err == nil {
			b.write(entry{what: "accepted", id: enqueued[0].ID}, false)
		} else if l.Healthy() == nil && !errors.Is(err, ledger.ErrFull) {
			t.Errorf("enqueue: %v, and the ledger is well", err)
		}
		claims, err := l.Claim(ctx, ledger.Limits{Max: 1, Others: 9})
		if err != nil || len(claims) == 0 {
			continue
		}
		result := []ledger.Result{ledger.OK, ledger.Error, ledger.Timeout}[i%3]
		o := ledger.Outcome{ID: claims[0].Job.ID, Token: claims[0].Token, Result: result}
		if result == ledger.Timeout {
			o.Dead = ledger.TimedOut
		}
		b.write(entry{what: "ends", id: o.ID, result: result}, false)
		if applied, err := l.Finish(ctx, []ledger.Outcome{o}); err == nil && applied[0] {
			b.write(entry{what: "ended", id: o.ID, result: result}, false)
		}
		if i%4 == 3 {
			// Have the log copied into the file, as the committer does now and then.
			_ = l.submit(ctx, &change{run: func(b *batch) error {
				b.rows = lookEvery
				return nil
			}})
		}
	}
}

func mustOpen(t testing.TB, path string, e engine) *Ledger {
	t.Helper()
	l, err := open(context.Background(), path, ledger.Options{}, e)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return l
}

// TestLossOfPower has the power go at an arbitrary call, with an arbitrary part
// of what was not synced on the disk. Without syncs it must find losses.
func TestLossOfPower(t *testing.T) {
	rounds := cycles(15)
	for _, test := range []struct {
		name, synchronous string
		loses             bool
	}{
		{"nothing accepted is lost", "FULL", false},
		{"control: without syncs something is", "OFF", true},
		{"control: with too few syncs something is", "NORMAL", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			jobs, ends := 0, 0
			for round := range rounds {
				j, e := powerFails(t, uint64(round), test.synchronous)
				if jobs, ends = jobs+j, ends+e; test.loses && jobs+ends > 0 {
					break
				}
			}
			t.Logf("up to %d rounds: lost %d jobs, %d ends", rounds, jobs, ends)
			if lost := jobs+ends > 0; lost != test.loses {
				t.Errorf("lost %d jobs, %d ends; want a loss: %v", jobs, ends, test.loses)
			}
		})
	}
}

func powerFails(t *testing.T, seed uint64, synchronous string) (jobs, ends int) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	d := newDisk(t)
	e := d.engine()
	e.synchronous = synchronous
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := mustOpen(t, path, e)

	stop, off := make(chan struct{}), 20+random.IntN(3000)
	b := newBook()
	var gone bool
	d.setFault(func(_ string, _ int) error {
		d.mu.Lock()
		now := !gone && d.calls["any"] >= off
		d.mu.Unlock()
		if now {
			// What is said from now on is said in the dark.
			b.mu.Lock()
			gone = true
			b.mu.Unlock()
			d.freeze()
			close(stop)
		}
		return nil
	})
	w := &workload{ledger: l, stop: stop, workers: 3, say: func(e entry) {
		b.mu.Lock()
		uncertain := gone
		b.mu.Unlock()
		b.write(e, uncertain)
	}}
	w.run()
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	left := t.TempDir()
	d.remains(t, left, random)
	return recovered(t, filepath.Join(left, "ledger.db"), b, synchronous == "FULL")
}

// recovered opens what a crash left and returns what was lost. What is left
// without syncs may be a ruin.
func recovered(t *testing.T, path string, b *book, whole bool) (jobs, ends int) {
	t.Helper()
	l, err := open(context.Background(), path, ledger.Options{}, quick())
	if err != nil {
		if whole {
			t.Fatalf("open: %v", err)
		}
		return 1, 0
	}
	if err := l.Check(context.Background()); err != nil {
		if whole {
			t.Error(err)
		}
		jobs++
	} else {
		jobs, ends = b.lost(t, l)
	}
	if err := l.Close(context.Background()); err != nil && whole {
		t.Error(err)
	}
	return jobs, ends
}

// TestAFullDiskRecovers wants a ledger on a full disk to refuse jobs, to end and
// forget others, and to accept jobs again when there is room.
func TestAFullDiskRecovers(t *testing.T) {
	ctx := context.Background()
	d := newDisk(t)
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := mustOpen(t, path, d.engine())
	defer l.Close(ctx)
	enqueue := func() error {
		_, err := l.Enqueue(ctx, []ledger.NewJob{{Function: "f"}})
		return err
	}
	if err := enqueue(); err != nil {
		t.Fatal(err)
	}
	claims, err := l.Claim(ctx, ledger.Limits{Max: 1, Others: 1})
	if err != nil {
		t.Fatal(err)
	}
	// The disk has room once the reserve is given up.
	d.setFault(func(kind string, _ int) error {
		if info, err := os.Stat(path + ".reserve"); kind == "write" && err == nil && info.Size() > 0 {
			return sqlite3.FULL
		}
		return nil
	})
	if err := enqueue(); !errors.Is(err, ledger.ErrFull) {
		t.Fatalf("enqueue: got %v, want ErrFull", err)
	}
	applied, err := l.Finish(ctx, []ledger.Outcome{{ID: claims[0].Job.ID, Token: claims[0].Token, Result: ledger.OK}})
	if err != nil || !applied[0] {
		t.Errorf("finish on a full disk: got %v, %v", applied, err)
	}
	pruned, err := l.Prune(ctx, ledger.Retention{Keep: map[ledger.Status]ledger.Keep{ledger.Succeeded: {}}}, 10)
	if err != nil || pruned.Jobs != 1 {
		t.Errorf("prune on a full disk: got %+v, %v", pruned, err)
	}
	d.setFault(func(string, int) error { return nil })
	for l.Healthy() != nil { // it looks for room after each of these
		if err := l.SetPaused(ctx, "g", true); err != nil {
			t.Fatal(err)
		}
	}
	if err := enqueue(); err != nil || l.Healthy() != nil {
		t.Errorf("with room again: %v, %v", err, l.Healthy())
	}
}
