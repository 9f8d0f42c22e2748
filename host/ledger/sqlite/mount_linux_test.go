package sqlite

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/cloche-run/cloche/host/ledger"
)

// mount mounts a file system of its own kind, or says why it cannot be and skips
// the test. `make crash` counts those.
func mount(t testing.TB, dir string, args ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("CANNOT RUN HERE: mounting needs root")
	}
	if out, err := exec.Command("mount", append(args, dir)...).CombinedOutput(); err != nil {
		t.Skipf("CANNOT RUN HERE: mount %v: %v: %s", args, err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
}

// TestFullDisk fills a small disk.
func TestFullDisk(t *testing.T) {
	for _, test := range []struct {
		name            string
		checkpointPages int // what meets the full disk first: the file, or the log
		early           bool
	}{
		{"nothing accepted is lost when the file cannot grow", 1000, false},
		{"nothing accepted is lost when the log cannot grow", 1 << 30, false},
		{"control: what is accepted before the commit is lost", 1 << 30, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			mount(t, dir, "-t", "tmpfs", "-o", "size=24m", "tmpfs")
			path := filepath.Join(dir, "ledger.db")
			b := newBook()
			e := modernc()
			e.checkpointPages = test.checkpointPages
			fillDisk(t, path, e, b, test.early)
			jobs, ends := recovered(t, path, b, true)
			t.Logf("%d jobs: lost %d jobs, %d ends", len(b.jobs), jobs, ends)
			if lost := jobs+ends > 0; lost != test.early {
				t.Errorf("lost %d jobs, %d ends; want a loss: %v", jobs, ends, test.early)
			}
			if !test.early {
				makeRoom(t, path)
			}
		})
	}
}

// fillDisk enqueues until the disk is full, then goes on for a while.
func fillDisk(t *testing.T, path string, e engine, b *book, early bool) {
	t.Helper()
	ctx := context.Background()
	options := ledger.Options{}
	if early {
		ids := ledger.NewIDs(ledger.ID{})
		options.NewID = func(now time.Time) ledger.ID {
			id := ids.New(now)
			b.write(entry{what: "accepted", id: id}, false)
			return id
		}
	}
	l, err := open(ctx, path, options, e)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for i := 0; refused < 5; i++ {
		enqueued, err := l.Enqueue(ctx, []ledger.NewJob{{Function: "f", Request: ledger.Request{Body: make([]byte, 10_000)}}})
		switch {
		case err == nil:
			b.write(entry{what: "accepted", id: enqueued[0].ID}, false)
		case errors.Is(err, ledger.ErrFull):
			refused++
		default:
			t.Fatalf("job %d: got %v, want ErrFull", i, err)
		}
	}
	if err := l.Healthy(); !errors.Is(err, ledger.ErrFull) {
		t.Errorf("healthy: got %v, want ErrFull", err)
	}
	if _, err := l.List(ctx, ledger.Query{}); err != nil {
		t.Errorf("reading: %v", err)
	}
	if err := l.Close(ctx); err != nil {
		t.Logf("close: %v", err)
	}
}

// makeRoom opens the ledger on its full disk, ends and forgets jobs, and wants it
// to accept new ones then.
func makeRoom(t *testing.T, path string) {
	t.Helper()
	ctx := context.Background()
	l := mustOpen(t, path, modernc())
	defer l.Close(ctx)
	for ended := 0; ended < 900; {
		claims, err := l.Claim(ctx, ledger.Limits{Max: 100, Others: 1000})
		if err != nil {
			t.Fatalf("claim on a full disk: %v", err)
		}
		if len(claims) == 0 {
			break
		}
		var outcomes []ledger.Outcome
		for _, c := range claims {
			outcomes = append(outcomes, ledger.Outcome{ID: c.Job.ID, Token: c.Token, Result: ledger.OK})
		}
		if _, err := l.Finish(ctx, outcomes); err != nil {
			t.Fatalf("finish on a full disk: %v", err)
		}
		ended += len(claims)
	}
	pruned, err := l.Prune(ctx, ledger.Retention{Keep: map[ledger.Status]ledger.Keep{ledger.Succeeded: {}}}, 10_000)
	if err != nil || pruned.Jobs == 0 {
		t.Fatalf("prune on a full disk: got %+v, %v", pruned, err)
	}
	for deadline := time.Now().Add(20 * time.Second); l.Healthy() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d jobs are forgotten, and it is not well: %v", pruned.Jobs, l.Healthy())
		}
	}
	if _, err := l.Enqueue(ctx, []ledger.NewJob{{Function: "f"}}); err != nil {
		t.Errorf("enqueue: %v", err)
	}
}

// TestPowerLoss cuts a file system off from its disk while a process uses a
// ledger on it, and mounts it again. What was read before counts as heard: the
// cut takes a few milliseconds, in which a sync may lie.
func TestPowerLoss(t *testing.T) {
	for _, test := range []struct {
		name, synchronous string
		loses             bool
		cycles            int
	}{
		{"nothing accepted is lost", "FULL", false, cycles(3)},
		{"control: without syncs something is", "OFF", true, 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			var disk, dir string
			var b *book
			jobs, ends, seen := 0, 0, 0
			for cycle := range test.cycles {
				if cycle%perFile == 0 {
					disk, dir, b = filepath.Join(t.TempDir(), "disk"), t.TempDir(), newBook()
					makeDisk(t, disk)
				}
				cutOff(t, disk, dir, b, test.synchronous, cycle)
				mount(t, dir, "-o", "loop", disk)
				j, e := recovered(t, filepath.Join(dir, "ledger.db"), b, !test.loses)
				jobs, ends, seen = jobs+j, ends+e, seen+len(b.jobs)
				unmount(t, dir)
				if test.loses && jobs+ends > 0 {
					break
				}
			}
			t.Logf("up to %d cycles, %d jobs compared: lost %d jobs, %d ends", test.cycles, seen, jobs, ends)
			if lost := jobs+ends > 0; lost != test.loses {
				t.Errorf("lost %d jobs, %d ends; want a loss: %v", jobs, ends, test.loses)
			}
		})
	}
}

func makeDisk(t testing.TB, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 128<<20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", path).CombinedOutput(); err != nil {
		t.Skipf("CANNOT RUN HERE: mkfs.ext4: %v: %s", err, out)
	}
}

func unmount(t testing.TB, dir string) {
	t.Helper()
	if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
		t.Fatalf("umount: %v: %s", err, out)
	}
}

// cutOff runs a child on the disk until its power goes.
func cutOff(t testing.TB, disk, dir string, b *book, synchronous string, cycle int) {
	t.Helper()
	mount(t, dir, "-o", "loop", disk)
	v := startVictim(t, b, filepath.Join(dir, "ledger.db"), synchronous, false, cycle)
	v.waitFor(t, 200+rand.IntN(1000))
	v.darken()
	if err := shutdown(dir); err != nil {
		v.kill()
		t.Skipf("CANNOT RUN HERE: EXT4_IOC_SHUTDOWN: %v", err)
	}
	v.kill()
	unmount(t, dir)
}

// shutdown is EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH: nothing that is
// not on the disk gets there.
func shutdown(dir string) error {
	const ioctl, noLogFlush = 0x8004587d, uint32(2)
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	flags := noLogFlush
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, d.Fd(), ioctl, uintptr(unsafe.Pointer(&flags))); errno != 0 {
		return errno
	}
	return nil
}
