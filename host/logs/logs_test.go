package logs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// openStore opens a log in data and closes it when the test ends.
func openStore(t testing.TB, data string, maxBytes int64) *Store {
	t.Helper()
	s, err := Open(data, maxBytes)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// collect returns the records of a sequence that must not fail.
func collect(t testing.TB, records iter.Seq2[Record, error]) (all []Record) {
	t.Helper()
	for r, err := range records {
		if err != nil {
			t.Fatalf("reading the log: %v", err)
		}
		all = append(all, r)
	}
	return all
}

func messages(records []Record) (texts []string) {
	for _, r := range records {
		texts = append(texts, r.Message)
	}
	return texts
}

func TestARecordIsReadAsItWasLogged(t *testing.T) {
	data := t.TempDir()
	s := openStore(t, data, 0)
	log := slog.New(s.Handler()).With("function", "hello", "node", "a")
	before := time.Now()
	log.WithGroup("http").Warn("answered", "status", 502, "duration", 1500*time.Microsecond, "error", errors.New("boom\x1b[31m"))
	log.Info("plain", "request", "01J", "ratio", 0.5, "cached", true, "msg", "mine", slog.Group("g", "k", "v"))
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}

	records := collect(t, Read(data, Query{}))
	if len(records) != 2 {
		t.Fatalf("got %d records, want 2", len(records))
	}
	first := records[0]
	if first.Function != "hello" || first.Level != slog.LevelWarn || first.Message != "answered" {
		t.Errorf("first record is %+v", first)
	}
	if first.Time.Before(before) || first.Time.Location() != time.UTC {
		t.Errorf("time %v is not UTC or before %v", first.Time, before)
	}
	wantAttrs(t, first, "node=a", "http.status=502", "http.duration=1.5ms", "http.error=boom\x1b[31m")
	if records[1].Request != "01J" {
		t.Errorf("request %q, want 01J", records[1].Request)
	}
	wantAttrs(t, records[1], "node=a", "ratio=0.5", "cached=true", "attr.msg=mine", "g.k=v")
}

func wantAttrs(t *testing.T, r Record, want ...string) {
	t.Helper()
	var got []string
	for _, attr := range r.Attrs {
		got = append(got, attr.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("attributes of %q:\n got %q\nwant %q", r.Message, got, want)
	}
}

func TestAnAttributeInsideAGroupIsNoField(t *testing.T) {
	s := openStore(t, t.TempDir(), 0)
	slog.New(s.Handler()).WithGroup("job").With("function", "a").Info("x", "request", "b")
	r := collect(t, s.Query(Query{}))[0]
	if r.Function != "" || r.Request != "" {
		t.Errorf("function %q, request %q: want none", r.Function, r.Request)
	}
	wantAttrs(t, r, "job.function=a", "job.request=b")
}

func TestAnythingMayBeAnAttribute(t *testing.T) {
	s := openStore(t, t.TempDir(), 0)
	var nilError *fs.PathError
	slog.New(s.Handler()).Info("x", "a", nilError, "b", []byte("bytes"), "c", []int{1}, "d", nil,
		"e", slog.AnyValue(time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)), "", "no key", "z", uint64(1<<63))
	r := collect(t, s.Query(Query{}))[0]
	if got := r.Attr("b").String(); got != "bytes" {
		t.Errorf("bytes are %q", got)
	}
	if got := r.Attr("z").Uint64(); got != 1<<63 {
		t.Errorf("z is %d", got)
	}
	if len(r.Attrs) != 6 {
		t.Errorf("got %v, want six attributes", r.Attrs)
	}
}

func TestQueryKeepsWhatItIsAskedFor(t *testing.T) {
	data := t.TempDir()
	s := openStore(t, data, 0)
	log := slog.New(s.Handler())
	log.Debug("one", "function", "a", "request", "r1")
	log.Info("two", "function", "b", "request", "r2")
	log.Warn("three", "function", "a", "request", "r3")
	s.Flush()
	middle := time.Now()
	log.Error("four", "function", "a", "stream", `"function":"b"`)
	tests := map[string]struct {
		query Query
		want  []string
	}{
		"everything":              {Query{}, []string{"one", "two", "three", "four"}},
		"one function":            {Query{Function: "b"}, []string{"two"}},
		"one request":             {Query{Request: "r3"}, []string{"three"}},
		"a level and above":       {Query{Level: "Warn"}, []string{"three", "four"}},
		"since a time":            {Query{Since: middle}, []string{"four"}},
		"the newest":              {Query{Limit: 2}, []string{"three", "four"}},
		"the newest of a filter":  {Query{Function: "a", Limit: 2}, []string{"three", "four"}},
		"a limit above the count": {Query{Function: "a", Limit: 9}, []string{"one", "three", "four"}},
		"nothing":                 {Query{Function: "c"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := messages(collect(t, s.Query(test.query))); !slices.Equal(got, test.want) {
				t.Errorf("Store.Query: got %q, want %q", got, test.want)
			}
			if got := messages(collect(t, Read(data, test.query))); !slices.Equal(got, test.want) {
				t.Errorf("Read: got %q, want %q", got, test.want)
			}
		})
	}
}

func TestAWrongQueryIsNamed(t *testing.T) {
	s := openStore(t, t.TempDir(), 0)
	for _, q := range []Query{{Level: "loud"}, {Limit: -1}} {
		if q.Check() == nil {
			t.Errorf("Check of %+v found nothing", q)
		}
		n := 0
		for _, err := range s.Query(q) {
			if n++; err == nil {
				t.Errorf("query %+v gave a record", q)
			}
		}
		if n != 1 {
			t.Errorf("query %+v gave %d errors, want 1", q, n)
		}
	}
}

func TestReadOfADirectoryWithoutALogSaysSo(t *testing.T) {
	for _, err := range Read(t.TempDir(), Query{}) {
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "serve the site") {
			t.Errorf("got %v", err)
		}
		return
	}
	t.Error("no error")
}

func TestALogContinuesAfterAReopen(t *testing.T) {
	data := t.TempDir()
	for i := range 3 {
		s := openStore(t, data, 0)
		slog.New(s.Handler()).Info(fmt.Sprint("start ", i))
		s.Close()
		if err := s.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	}
	want := []string{"start 0", "start 1", "start 2"}
	if got := messages(collect(t, Read(data, Query{}))); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	files, _ := filepath.Glob(filepath.Join(data, "logs", "*"))
	if len(files) != 1 {
		t.Errorf("three short runs left %d segments, want 1", len(files))
	}
}

func TestAClosedStoreTakesNothing(t *testing.T) {
	s := openStore(t, t.TempDir(), 0)
	s.Close()
	s.Flush()
	r := slog.NewRecord(time.Now(), slog.LevelInfo, "late", 0)
	if err := s.Handler().Handle(context.Background(), r); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func TestALogIsPrivate(t *testing.T) {
	data := t.TempDir()
	openStore(t, data, 0)
	for name, want := range map[string]fs.FileMode{"logs": 0o700, "logs/0000000001.jsonl": 0o600} {
		info, err := os.Stat(filepath.Join(data, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %v, want %v", name, got, want)
		}
	}
}

func TestABoundTooSmallIsRefused(t *testing.T) {
	if _, err := Open(t.TempDir(), MinBytes-1); err == nil || !strings.Contains(err.Error(), fmt.Sprint(MinBytes)) {
		t.Errorf("got %v, want an error that names %d", err, MinBytes)
	}
}

func TestConcurrentWritersLoseNothing(t *testing.T) {
	const writers, each = 8, 2000
	data := t.TempDir()
	s := openStore(t, data, 0)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			log := slog.New(s.Handler()).With("writer", w)
			for i := range each {
				log.Info("line", "i", i, "function", "f")
			}
		})
	}
	all.Wait()
	s.Close()

	next := map[int64]int64{}
	for _, r := range collect(t, Read(data, Query{Function: "f"})) {
		writer, i := r.Attr("writer").Int64(), r.Attr("i").Int64()
		if next[writer] != i {
			t.Fatalf("writer %d: got line %d, want %d", writer, i, next[writer])
		}
		next[writer]++
	}
	for w := range int64(writers) {
		if next[w] != each {
			t.Errorf("writer %d: %d lines, want %d", w, next[w], each)
		}
	}
}

func TestHandleAllocatesNothingOfItsOwn(t *testing.T) {
	h := (&handler{sink: &sink{write: func([]byte) error { return nil }}}).
		WithAttrs([]slog.Attr{slog.String("function", "hello")})
	r := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
	r.AddAttrs(slog.String("request", "01J"), slog.Int("status", 200), slog.Float64("ms", 1.25))
	got := testing.AllocsPerRun(1000, func() { h.Handle(context.Background(), r) })
	if got > 2 {
		t.Errorf("%v allocations a record, want at most 2", got)
	}
}

func BenchmarkHandle(b *testing.B) {
	s := openStore(b, b.TempDir(), 0)
	log := slog.New(s.Handler())
	b.ReportAllocs()
	for b.Loop() {
		log.Info("request", "function", "hello", "request", "01JABCDEFGHJKMNPQRSTVWXYZ0",
			"status", 200, "duration", 1234*time.Microsecond, "fuel", 123456)
	}
	b.ReportMetric(float64(s.Dropped()), "dropped")
}

func BenchmarkRead(b *testing.B) {
	data := b.TempDir()
	s := openStore(b, data, 0)
	log := slog.New(s.Handler())
	for range 10000 {
		log.Info("request", "function", "hello", "request", "01JABCDEFGHJKMNPQRSTVWXYZ0",
			"status", 200, "duration", 1234*time.Microsecond, "fuel", 123456)
	}
	s.Close()
	b.ReportAllocs()
	for b.Loop() {
		if n := len(collect(b, Read(data, Query{}))); n != 10000 {
			b.Fatalf("got %d records", n)
		}
	}
}
