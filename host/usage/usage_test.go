package usage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func open(t testing.TB, data string) *Store {
	t.Helper()
	s, err := Open(data, nil)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return s
}

func TestCountersSurviveARestart(t *testing.T) {
	data := t.TempDir()
	s := open(t, data)
	s.Add("hello", Counters{1, 0, time.Millisecond, math.MaxUint64 - 10})
	s.Add("hello", Counters{1, 1, time.Second, 5})
	s.Add("other", Counters{Invocations: 1})
	want := s.Snapshot()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got := open(t, data).Snapshot()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if c := got.ThisMonth("hello"); c != (Counters{2, 1, time.Second + time.Millisecond, math.MaxUint64 - 5}) {
		t.Errorf("hello took %+v", c)
	}
	if c := got.ThisMonth("nobody"); c != (Counters{}) {
		t.Errorf("nobody took %+v", c)
	}
}

func TestMonthsAreCountedApartAndTheOldestGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins on 2000-01-01
		data := t.TempDir()
		s := open(t, data)
		for i := range 20 {
			s.Add("f", Counters{Invocations: uint64(i + 1)})
			if got := s.Snapshot().Now.String(); got != fmt.Sprintf("%d-%02d", 2000+i/12, i%12+1) {
				t.Fatalf("month %d is %s", i, got)
			}
			now := time.Now().UTC()
			time.Sleep(time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, time.UTC).Sub(now))
		}
		s.Close()
		for name, s := range map[string]*Store{"before": s, "after a restart": open(t, data)} {
			months := s.Snapshot().Months
			if len(months) != MaxMonths || oldest(months).String() != "2000-08" {
				t.Errorf("%s: %d months from %s", name, len(months), oldest(months))
			}
			if got := months[oldest(months)]["f"].Invocations; got != 8 {
				t.Errorf("%s: %d invocations in 2000-08, want 8", name, got)
			}
		}
	})
}

func TestAClockThatWentBackErasesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir())
		for i := range Month(MaxMonths) { // all in the future
			s.months[MonthOf(time.Now())+1+i] = map[string]*Counters{"f": {Invocations: 1}}
		}
		s.Add("f", Counters{Invocations: 1})
		months := s.Snapshot().Months
		if got := months[oldest(months)]["f"].Invocations; len(months) != MaxMonths || got != 2 {
			t.Errorf("%d months, %d invocations in the oldest; want %d and 2", len(months), got, MaxMonths)
		}
	})
}

func TestNamesAreBounded(t *testing.T) {
	data := t.TempDir()
	s := open(t, data)
	for i := range MaxFunctions + 5 {
		s.Add(fmt.Sprint("f", i), Counters{Invocations: 1})
	}
	s.Add(strings.Repeat("x", NameBytes+1), Counters{Invocations: 1})
	s.Add("f0", Counters{Invocations: 1})
	s.Close()
	month := open(t, data).Snapshot()
	if got := len(month.Months[month.Now]); got != MaxFunctions+1 {
		t.Errorf("%d names, want %d", got, MaxFunctions+1)
	}
	if got := month.ThisMonth(Other).Invocations; got != 6 {
		t.Errorf("%d invocations of others, want 6", got)
	}
	if got := month.ThisMonth("f0").Invocations; got != 2 {
		t.Errorf("%d invocations of f0, want 2", got)
	}
}

func TestSumsStopAtTheLargestNumber(t *testing.T) {
	most := Counters{math.MaxUint64, math.MaxUint64, math.MaxInt64, math.MaxUint64}
	if got := most.Plus(Counters{1, 1, 1, 1}); got != most {
		t.Errorf("got %+v", got)
	}
}

func TestADamagedFileIsSetAside(t *testing.T) {
	good := `{"version":1,"months":{"2026-11":{"f":{"invocations":7}}}}`
	for name, text := range map[string]string{
		"empty": "", "no version": `{"months":{}}`, "a bad month": `{"version":1,"months":{"2026-13":{}}}`,
		"a negative count": strings.Replace(good, "7", "-7", 1), "binary": "\x00\xff",
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			os.WriteFile(filepath.Join(data, fileName), []byte(text), 0o600)
			var log bytes.Buffer
			s, err := Open(data, slog.New(slog.NewTextHandler(&log, nil)))
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			aside, _ := filepath.Glob(filepath.Join(data, fileName+".damaged-*"))
			if len(aside) != 1 || !strings.Contains(log.String(), aside[0]) {
				t.Fatalf("set aside: %q, logged: %s", aside, log.String())
			}
			if kept, _ := os.ReadFile(aside[0]); string(kept) != text {
				t.Errorf("kept %q, want %q", kept, text)
			}
			s.Add("f", Counters{Invocations: 1})
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAFileCutAtEveryByteIsDamagedOrWhole(t *testing.T) {
	whole := []byte(`{"version":1,"months":{"2026-11":{"f":{"invocations":7,"errors":1,"run_time_ns":5,"fuel":9}}}}`)
	for cut := range len(whole) {
		if months, err := decode(whole[:cut]); err == nil {
			t.Errorf("cut at %d: %v", cut, months)
		}
	}
	if _, err := decode(whole); err != nil {
		t.Errorf("whole: %v", err)
	}
}

func TestAFileOfANewerVersionIsRefusedAndKept(t *testing.T) {
	data := t.TempDir()
	path := filepath.Join(data, fileName)
	text := `{"version":2,"months":[]}`
	os.WriteFile(path, []byte(text), 0o600)
	_, err := Open(data, nil)
	if newer := (*NewerError)(nil); !errors.As(err, &newer) || !strings.Contains(err.Error(), "newer cloche") {
		t.Errorf("got %v", err)
	}
	if kept, _ := os.ReadFile(path); string(kept) != text {
		t.Errorf("the file is now %q", kept)
	}
}

func TestRunWritesEveryFewSecondsAndAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := t.TempDir()
		s := open(t, data)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		written := func() uint64 { return open(t, data).Snapshot().ThisMonth("f").Invocations }
		for want := uint64(1); want <= 3; want++ {
			s.Add("f", Counters{Invocations: 1})
			time.Sleep(FlushEvery)
			synctest.Wait()
			if got := written(); got != want {
				t.Errorf("%d invocations in the file, want %d", got, want)
			}
		}
		s.Add("f", Counters{Invocations: 1})
		cancel()
		if err := <-ended; err != nil || written() != 4 {
			t.Errorf("Run ended with %v, %d invocations in the file, want 4", err, written())
		}
	})
}

func TestADiskThatRefusesLosesNoCounts(t *testing.T) {
	data := filepath.Join(t.TempDir(), "not yet")
	s := open(t, data)
	s.Add("f", Counters{Invocations: 1})
	if err := s.Flush(); err == nil {
		t.Fatal("Flush into a directory that is not there: no error")
	}
	os.Mkdir(data, 0o700)
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := open(t, data).Snapshot().ThisMonth("f").Invocations; got != 1 {
		t.Errorf("%d invocations, want 1", got)
	}
	if info, _ := os.Stat(filepath.Join(data, fileName)); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
}

func TestAddIsSafeForConcurrentUse(t *testing.T) {
	s := open(t, t.TempDir())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				s.Add("f", Counters{1, 0, 1, 1})
			}
			s.Flush()
		})
	}
	all.Wait()
	if got := s.Snapshot().ThisMonth("f"); got != (Counters{8000, 0, 8000, 8000}) {
		t.Errorf("got %+v", got)
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	s := open(t, t.TempDir())
	s.Add("f", Counters{})
	if got := testing.AllocsPerRun(100, func() { s.Add("f", Counters{1, 1, 1, 1}) }); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}

func BenchmarkAdd(b *testing.B) {
	s := open(b, b.TempDir())
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s.Add("f", Counters{1, 0, 1000, 1000})
		}
	})
}
