package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/jobs"
	"github.com/cloche-run/cloche/host/ledger"
	"github.com/cloche-run/cloche/host/ledger/sqlite"
)

const (
	ledgerRounds = 7
	ledgerTurn   = 400 * time.Millisecond
	bodyBytes    = 512
)

// BenchmarkLedger records jobs, against what the disk can do, in turns in the
// same run. F is 4 KiB appended and synced, a second; W is a bare log whose
// writes are committed together, as the ledger's are. Ratios are medians of
// seven rounds; TMPDIR chooses the disk. Where F is above 10,000 the disk does not
// sync in earnest and only the ratios to W mean something.
func BenchmarkLedger(b *testing.B) {
	dir := b.TempDir()
	b.Logf("disk: %s", dir)
	l := openLedger(b, filepath.Join(dir, "ledger.db"))
	q := newQueue(b, l)
	w := openLog(b, filepath.Join(dir, "log"))
	var rounds []map[string]float64
	for range ledgerRounds {
		f := appendRate(b, filepath.Join(dir, "append"))
		bareOne, bareP50 := turn(b, 1, w.append)
		ledgerOne, ledgerP50 := turn(b, 1, func() error { return enqueue(q) })
		bareMany, _ := turn(b, 64, w.append)
		ledgerMany, _ := turn(b, 64, func() error { return enqueue(q) })
		rounds = append(rounds, map[string]float64{
			"F/s":              f,
			"W-1/s":            bareOne,
			"W-64/s":           bareMany,
			"enqueue-1/s":      ledgerOne,
			"enqueue-64/s":     ledgerMany,
			"enqueue-1-per-W":  ledgerOne / bareOne,
			"enqueue-64-per-W": ledgerMany / bareMany,
			"enqueue-64-per-F": ledgerMany / f,
			"ack-p50-per-W":    ledgerP50 / bareP50,
			"whole-life-per-F": lives(b, l, q) / f,
			"ns/op":            1e9 / ledgerOne,
			"counts-ms":        countsMillis(b, l),
		})
		drain(b, l)
	}
	for name := range rounds[0] {
		b.ReportMetric(medianOf(rounds, name), name)
	}
}

func medianOf(rounds []map[string]float64, name string) float64 {
	var values []float64
	for _, r := range rounds {
		values = append(values, r[name])
	}
	return median(values)
}

func openLedger(b *testing.B, path string) *sqlite.Ledger {
	l, err := sqlite.Open(context.Background(), path, ledger.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close(context.Background()) })
	return l
}

func newJob(n int) ledger.NewJob {
	return ledger.NewJob{Function: fmt.Sprint("f", n%10), MaxAge: 6 * time.Hour, Request: ledger.Request{
		Method: "POST", Proto: "HTTP/1.1", Scheme: "http", Host: "localhost", Path: "/.netlify/functions/f", Body: make([]byte, bodyBytes),
	}}
}

// newQueue is what a request goes through, in front of l.
func newQueue(b *testing.B, l *sqlite.Ledger) *jobs.Queue {
	q, err := jobs.NewQueue(context.Background(), l, oneFunction{}, noMeter{}, 1<<40)
	if err != nil {
		b.Fatal(err)
	}
	return q
}

// oneFunction takes all that comes.
type oneFunction struct{}

func (oneFunction) Policies() map[string]jobs.Policy {
	return map[string]jobs.Policy{"f": {Concurrency: 64, Backlog: 1 << 40, Timeout: time.Minute, MaxAge: 6 * time.Hour, Idempotency: time.Hour}}
}

type noMeter struct{}

func (noMeter) Accepted(string, time.Duration)  {}
func (noMeter) Attempted(string, ledger.Result) {}
func (noMeter) Died(string, ledger.Reason)      {}
func (noMeter) Skipped(string)                  {}

func enqueue(q *jobs.Queue) error {
	_, err := q.Enqueue(context.Background(), jobs.Submission{Function: "f", Origin: jobs.OriginHTTP, Request: &abi.Request{
		Method: "POST", Proto: "HTTP/1.1", Scheme: "http", Host: "localhost", Path: "/.netlify/functions/f", Body: make([]byte, bodyBytes),
	}})
	return err
}

// appendRate is F.
func appendRate(b *testing.B, path string) float64 {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	rate, _ := turn(b, 1, func() error {
		if _, err := f.Write(page); err != nil {
			return err
		}
		return syscall.Fdatasync(int(f.Fd()))
	})
	return rate
}

// turn has clients do something for a while, and returns how often a second it
// was done and the median of how many seconds it took.
func turn(b *testing.B, clients int, do func() error) (rate, p50 float64) {
	var mu sync.Mutex
	var took []float64
	var wg sync.WaitGroup
	start := time.Now()
	for range clients {
		wg.Go(func() {
			var mine []float64
			for time.Since(start) < ledgerTurn {
				before := time.Now()
				if err := do(); err != nil {
					b.Error(err)
					return
				}
				mine = append(mine, time.Since(before).Seconds())
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
		})
	}
	wg.Wait()
	if len(took) == 0 {
		b.Fatal("nothing was done")
	}
	rate = float64(len(took)) / time.Since(start).Seconds()
	slices.Sort(took)
	return rate, took[len(took)/2]
}

// lives is how many jobs a second are enqueued by 64 clients, claimed by a
// dispatcher with 64 slots, and ended by their workers: from the first until the
// last has ended.
func lives(b *testing.B, l *sqlite.Ledger, q *jobs.Queue) float64 {
	drain(b, l)
	const slots = 64
	var enqueued, ended atomic.Int64
	var produced atomic.Bool
	var workers sync.WaitGroup
	free := make(chan struct{}, slots)
	start := time.Now()
	workers.Go(func() {
		turn(b, 64, func() error {
			enqueued.Add(1)
			return enqueue(q)
		})
		produced.Store(true)
	})
	for !b.Failed() && (!produced.Load() || ended.Load() < enqueued.Load()) {
		claims, err := l.Claim(context.Background(), ledger.Limits{Max: slots - len(free), Others: 1 << 20})
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range claims {
			free <- struct{}{}
			workers.Go(func() {
				if err := finish(l, []ledger.Claim{c}); err != nil {
					b.Error(err)
				}
				ended.Add(1)
				<-free
			})
		}
		if len(free) == slots {
			free <- struct{}{} // wait for a slot
			<-free
		}
	}
	workers.Wait()
	return float64(ended.Load()) / time.Since(start).Seconds()
}

func finish(l *sqlite.Ledger, claims []ledger.Claim) error {
	var outcomes []ledger.Outcome
	for _, c := range claims {
		outcomes = append(outcomes, ledger.Outcome{ID: c.Job.ID, Token: c.Token, Result: ledger.OK})
	}
	_, err := l.Finish(context.Background(), outcomes)
	return err
}

// drain ends all jobs.
func drain(b *testing.B, l *sqlite.Ledger) {
	for {
		claims, err := l.Claim(context.Background(), ledger.Limits{Max: 1000, Others: 1 << 20})
		if err == nil && len(claims) > 0 {
			err = finish(l, claims)
		}
		if err != nil {
			b.Fatal(err)
		}
		if len(claims) == 0 {
			return
		}
	}
}

func countsMillis(b *testing.B, l *sqlite.Ledger) float64 {
	start := time.Now()
	if _, err := l.Stats(context.Background()); err != nil {
		b.Fatal(err)
	}
	return time.Since(start).Seconds() * 1e3
}

// bareLog is W: records appended to a file, synced together.
type bareLog struct {
	file *os.File
	puts chan chan error
}

func openLog(b *testing.B, path string) *bareLog {
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	l := &bareLog{file: f, puts: make(chan chan error, 1024)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.commitAll()
	}()
	b.Cleanup(func() {
		close(l.puts)
		<-ended
		_ = f.Close()
	})
	return l
}

func (l *bareLog) append() error {
	done := make(chan error, 1)
	l.puts <- done
	return <-done
}

// commitAll takes what is there and syncs it.
func (l *bareLog) commitAll() {
	for first := range l.puts {
		waiting := []chan error{first}
		for len(waiting) < 512 && len(l.puts) > 0 {
			waiting = append(waiting, <-l.puts)
		}
		_, err := l.file.Write(make([]byte, len(waiting)*(bodyBytes+128)))
		if err == nil {
			err = syscall.Fdatasync(int(l.file.Fd()))
		}
		for _, done := range waiting {
			done <- err
		}
	}
}

// BenchmarkLedgerStart opens a ledger of a million jobs as a killed process leaves
// it: to the first claim, and to the counts of all. Medians.
func BenchmarkLedgerStart(b *testing.B) {
	path := filepath.Join(b.TempDir(), "ledger.db")
	b.Logf("disk: %s", path)
	fillLedger(b, path, 1_000_000)
	b.ResetTimer()
	var rounds []map[string]float64
	for range b.N {
		b.StopTimer()
		leaveAsKilled(b, path)
		b.StartTimer()
		start := time.Now()
		l := openLedger(b, path)
		claims, err := l.Claim(context.Background(), ledger.Limits{Max: 1, Others: 1 << 20})
		if err != nil || len(claims) != 1 {
			b.Fatalf("claim: %d, %v", len(claims), err)
		}
		first := time.Since(start).Seconds() * 1e3
		rounds = append(rounds, map[string]float64{"to-first-claim-ms": first, "counts-ms": countsMillis(b, l)})
		b.StopTimer()
		if err := l.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	for name := range rounds[0] {
		b.ReportMetric(medianOf(rounds, name), name)
	}
}

// leaveAsKilled leaves a log beside the file: the last thousand jobs, which a
// process that is killed has not copied into the file yet.
func leaveAsKilled(b *testing.B, path string) {
	l := openLedger(b, path)
	batch := make([]ledger.NewJob, ledger.BatchJobs)
	for n := range batch {
		batch[n] = newJob(n)
	}
	_, err := l.Enqueue(context.Background(), batch)
	log, readErr := os.ReadFile(path + "-wal")
	err = errors.Join(err, readErr, l.Close(context.Background()), os.WriteFile(path+"-wal", log, 0o600))
	if err != nil {
		b.Fatal(err)
	}
}

func fillLedger(b *testing.B, path string, jobs int) {
	l, err := sqlite.Open(context.Background(), path, ledger.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for n := 0; n < jobs; {
		var batch []ledger.NewJob
		for range ledger.BatchJobs {
			batch = append(batch, newJob(n))
			n++
		}
		if _, err := l.Enqueue(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}
