package logs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// sizeOf is what the segments of a data directory take, and how many there are.
func sizeOf(t *testing.T, data string) (total int64, n int) {
	t.Helper()
	all, err := list(directory(data))
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		total += one.bytes
	}
	return total, len(all)
}

func TestRotationKeepsTheLogWithinItsBound(t *testing.T) {
	data := t.TempDir()
	s := openStore(t, data, MinBytes)
	log := slog.New(s.Handler())
	message := strings.Repeat("x", 5000)
	const records = 600 // three times the bound
	for i := range records {
		log.Info(message, "i", i)
		if i%20 == 0 {
			s.Flush()
			if total, _ := sizeOf(t, data); total > MinBytes {
				t.Fatalf("after %d records the log takes %d bytes, bound %d", i, total, MinBytes)
			}
		}
	}
	s.Close()
	total, n := sizeOf(t, data)
	if total > MinBytes || total < MinBytes*3/4 || n < segments-1 {
		t.Errorf("the log takes %d bytes in %d segments, bound %d", total, n, MinBytes)
	}
	kept := collect(t, Read(data, Query{}))
	for i, r := range kept {
		if want := int64(records - len(kept) + i); r.Attr("i").Int64() != want {
			t.Fatalf("record %d of those kept is %d, want %d", i, r.Attr("i").Int64(), want)
		}
	}
	if got := collect(t, Read(data, Query{Limit: 30})); len(got) != 30 || got[0].Attr("i").Int64() != records-30 {
		t.Errorf("the newest 30 are %d records from %v", len(got), got[0].Attr("i"))
	}
}

func TestASmallerBoundShrinksTheLog(t *testing.T) {
	data := t.TempDir()
	s := openStore(t, data, 4*MinBytes)
	log := slog.New(s.Handler())
	for range 1000 {
		log.Info(strings.Repeat("x", 4000))
	}
	s.Close()
	s = openStore(t, data, MinBytes)
	if total, _ := sizeOf(t, data); total > MinBytes {
		t.Errorf("after Open with a smaller bound the log takes %d bytes", total)
	}
	slog.New(s.Handler()).Info("last")
	got := collect(t, s.Query(Query{Limit: 1}))
	if len(got) != 1 || got[0].Message != "last" {
		t.Errorf("got %v", got)
	}
}

func TestStrangersInTheDirectoryAreLeftAlone(t *testing.T) {
	data := t.TempDir()
	dir := directory(data)
	os.MkdirAll(filepath.Join(dir, "0000000009.jsonl"), 0o700) // a directory
	for _, name := range []string{"notes.txt", "1.jsonl", "000000000x.jsonl"} {
		os.WriteFile(filepath.Join(dir, name), []byte("mine\n"), 0o600)
	}
	s := openStore(t, data, MinBytes)
	slog.New(s.Handler()).Info("hello")
	if got := messages(collect(t, s.Query(Query{}))); !slices.Equal(got, []string{"hello"}) {
		t.Errorf("got %q", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "notes.txt")); err != nil {
		t.Error(err)
	}
}

// lineOf is a record as it is stored.
func lineOf(i int) []byte {
	return Record{
		Time: time.Unix(1e9, 0), Message: fmt.Sprintf("m%d \"\\\x1b\x00\n\r\t\x7f é\U0001F600\u202e\U000E0001", i),
		Function: "f", Request: "r", Attrs: []slog.Attr{slog.Int("i", i)},
	}.appendLine(nil)
}

// TestASegmentCutAtEveryByte cuts a segment everywhere, reads it, continues it
// and reads it again: only the torn line is lost.
func TestASegmentCutAtEveryByte(t *testing.T) {
	var whole []byte
	ends := []int{}
	for i := range 4 {
		whole = append(whole, lineOf(i)...)
		ends = append(ends, len(whole)-1) // a record without its line end is whole
	}
	data := t.TempDir()
	dir := directory(data)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut <= len(whole); cut++ {
		if err := os.WriteFile(path(dir, 1), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		want := 0
		for want < len(ends) && ends[want] <= cut {
			want++
		}
		if got := collect(t, Read(data, Query{})); len(got) != want {
			t.Fatalf("cut at %d: read %d records, want %d", cut, len(got), want)
		}
		if got := collect(t, Read(data, Query{Limit: 2})); len(got) != min(want, 2) {
			t.Fatalf("cut at %d: read the newest %d records, want %d", cut, len(got), min(want, 2))
		}
		s := openStore(t, data, 0)
		slog.New(s.Handler()).Info("after")
		s.Close()
		got := collect(t, Read(data, Query{}))
		if len(got) != want+1 || got[want].Message != "after" {
			t.Fatalf("cut at %d and continued: %d records, want %d", cut, len(got), want+1)
		}
	}
}

func TestAStringIsReadAsItWasStored(t *testing.T) {
	data := t.TempDir()
	os.MkdirAll(directory(data), 0o700)
	os.WriteFile(path(directory(data), 1), lineOf(7), 0o600)
	want := "m7 \"\\\x1b\x00\n\r\t\x7f é\U0001F600\u202e\U000E0001"
	if got := collect(t, Read(data, Query{}))[0].Message; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNumbersThatJSONHasNotAreStrings(t *testing.T) {
	r := Record{Attrs: []slog.Attr{slog.Float64("a", math.NaN()), slog.Float64("b", math.Inf(-1))}}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var read Record
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	if a, b := read.Attr("a").String(), read.Attr("b").String(); a != "NaN" || b != "-Inf" {
		t.Errorf("got %q and %q", a, b)
	}
}

func TestALineThatIsTooLongIsSkipped(t *testing.T) {
	data := t.TempDir()
	dir := directory(data)
	os.MkdirAll(dir, 0o700)
	for _, n := range []int{LineBytes - 1, LineBytes, LineBytes + 1, 3 * LineBytes} {
		text := slices.Concat(lineOf(0), bytes.Repeat([]byte("x"), n), []byte("\n"), lineOf(1), bytes.Repeat([]byte("y"), n))
		os.WriteFile(path(dir, 1), text, 0o600)
		if got := collect(t, Read(data, Query{})); len(got) != 2 {
			t.Errorf("around %d bytes: %d records, want 2", n, len(got))
		}
	}
}

func TestNoRecordIsLongerThanALine(t *testing.T) {
	bad := strings.Repeat("\x00\u202e\xff", MessageBytes)
	r := Record{Time: time.Now(), Level: 1 << 40, Function: bad, Request: bad, Message: bad}
	for range 1000 {
		r.Attrs = append(r.Attrs, slog.String(bad, bad), slog.Float64(bad, 1.2345678901234567e-300))
	}
	line := r.appendLine(nil)
	if len(line) > LineBytes {
		t.Errorf("a line of %d bytes, limit %d", len(line), LineBytes)
	}
	var read Record
	if err := read.UnmarshalJSON(line); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(read.Message, Mark) || len(read.Message) > MessageBytes {
		t.Errorf("a message of %d bytes, limit %d", len(read.Message), MessageBytes)
	}
	if !read.Attr(keyCut).Bool() {
		t.Error("nothing says that attributes were cut")
	}
}

func TestAMessageIsCutAtItsLimitExactly(t *testing.T) {
	for n, cut := range map[int]bool{MessageBytes: false, MessageBytes + 1: true} {
		var read Record
		line := Record{Time: time.Now(), Message: strings.Repeat("x", n)}.appendLine(nil)
		if err := read.UnmarshalJSON(line); err != nil {
			t.Fatal(err)
		}
		if len(read.Message) != MessageBytes || strings.HasSuffix(read.Message, Mark) != cut {
			t.Errorf("a message of %d bytes is kept as %d, ends in %q", n, len(read.Message), read.Message[len(read.Message)-10:])
		}
	}
}

func TestACutRecordSurvivesBeingPassedOn(t *testing.T) {
	r := Record{Time: time.Now()}
	for range 100 {
		r.Attrs = append(r.Attrs, slog.String("time", strings.Repeat("x", 1000)))
	}
	var read Record
	once := r.appendLine(nil)
	if err := read.UnmarshalJSON(once); err != nil {
		t.Fatal(err)
	}
	if twice := read.appendLine(nil); !bytes.Equal(once, twice) {
		t.Errorf("stored as\n%s and then as\n%s", once, twice)
	}
}
