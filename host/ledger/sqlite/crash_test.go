package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

// childEnv makes this test binary a process that uses a ledger until it is
// killed: PATH SYNCHRONOUS EARLY DAYS.
const childEnv = "CLOCHE_LEDGER_CHILD"

func TestMain(m *testing.M) {
	if order := os.Getenv(childEnv); order != "" {
		if err := child(order); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child has the workload at work and says what happens, a line each.
func child(order string) error {
	var path, synchronous string
	var early bool
	var days int
	if _, err := fmt.Sscan(order, &path, &synchronous, &early, &days); err != nil {
		return err
	}
	e := quick()
	e.synchronous = synchronous
	say := func(entry entry) {
		// One write each: what is in the pipe outlives us.
		fmt.Fprintf(os.Stdout, "%s %s %s %d\n", entry.what, entry.id, entry.result, entry.attempt)
	}
	options := ledger.Options{Wall: func() time.Time { return time.Now().AddDate(0, 0, days) }}
	if early {
		// The control: accepted is said before the commit.
		ids := ledger.NewIDs(ledger.ID{})
		options.NewID = func(now time.Time) ledger.ID {
			id := ids.New(now)
			say(entry{what: "accepted", id: id})
			return id
		}
	}
	l, err := open(context.Background(), path, options, e)
	if err != nil {
		return err
	}
	w := &workload{ledger: l, say: say, stop: make(chan struct{}), workers: 8}
	w.run() // until it is killed, or its disk is cut off
	return nil
}

// victim is a running child.
type victim struct {
	cmd  *exec.Cmd
	read sync.WaitGroup

	mu   sync.Mutex
	dark bool // what is read from now on may not have been heard
	said int
}

// start starts a child whose words go into b.
func startVictim(t testing.TB, b *book, path, synchronous string, early bool, days int) *victim {
	t.Helper()
	v := &victim{cmd: exec.Command(os.Args[0], "-test.run=^$")}
	v.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %v %d", childEnv, path, synchronous, early, days))
	v.cmd.Stderr = os.Stderr
	out, err := v.cmd.StdoutPipe()
	if err == nil {
		err = v.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	v.read.Go(func() { v.listen(out, b) })
	return v
}

func (v *victim) listen(out io.Reader, b *book) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		e, ok := parseEntry(lines.Text())
		v.mu.Lock()
		if ok {
			b.write(e, v.dark)
			v.said++
		}
		v.mu.Unlock()
	}
}

func parseEntry(line string) (e entry, ok bool) {
	words := strings.Split(line, " ")
	if len(words) != 4 {
		return e, false
	}
	id, err := ledger.ParseID(words[1])
	e = entry{what: words[0], id: id, result: ledger.Result(words[2])}
	e.attempt, _ = strconv.Atoi(words[3])
	return e, err == nil
}

// heard is how many lines were read.
func (v *victim) heard() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.said
}

// waitFor waits until n lines were read, or the child has ended.
func (v *victim) waitFor(t testing.TB, n int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); v.heard() < n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the child said %d things in a minute", v.heard())
		}
	}
}

// darken makes what is read from now on uncertain.
func (v *victim) darken() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.dark = true
}

// kill kills the child and reads what it had said.
func (v *victim) kill() {
	_ = v.cmd.Process.Kill()
	v.read.Wait()
	_ = v.cmd.Wait()
}

// cycles is how many crashes a test has: CLOCHE_CRASH, or otherwise.
func cycles(otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv("CLOCHE_CRASH")); err == nil {
		return n
	}
	return otherwise
}

// perFile is how many crashes a file lives through: all its jobs are compared
// after each.
const perFile = 20

// TestKilled kills a process with a ledger, again and again. As the system lives
// on, the control is not one without syncs but one that says too early that a
// job is accepted.
func TestKilled(t *testing.T) {
	for _, test := range []struct {
		name   string
		early  bool
		cycles int
	}{
		{"nothing accepted is lost", false, cycles(10)},
		{"control: what is accepted before the commit is lost", true, 50},
	} {
		t.Run(test.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
			var path string
			var b *book
			jobs, ends, seen := 0, 0, 0
			for cycle := range test.cycles {
				if cycle%perFile == 0 {
					path, b = filepath.Join(t.TempDir(), "ledger.db"), newBook()
				}
				v := startVictim(t, b, path, "FULL", test.early, cycle)
				v.waitFor(t, 50+random.IntN(500))
				v.kill()
				j, e := recovered(t, path, b, true)
				jobs, ends, seen = jobs+j, ends+e, seen+len(b.jobs)
				if test.early && jobs > 0 {
					break
				}
			}
			t.Logf("up to %d cycles, %d jobs compared: lost %d jobs, %d ends", test.cycles, seen, jobs, ends)
			if lost := jobs+ends > 0; lost != test.early {
				t.Errorf("lost %d jobs, %d ends; want a loss: %v", jobs, ends, test.early)
			}
		})
	}
}
