package logs

import (
	"bytes"
	"io"
	"testing"
	"unicode"
)

// FuzzLines reads any bytes as a segment. Whatever is read as a record must be
// the same after it is stored and read again, and be safe on a terminal.
func FuzzLines(f *testing.F) {
	f.Add(lineOf(1), 7)
	f.Add(append(lineOf(1), lineOf(2)[:20]...), 3)
	f.Add([]byte(`{"time":"2026-11-02T10:11:12Z","level":"WARN+1","msg":"m","a":[1,{"b":2}],"c":1e400,"d":-0}`), 1)
	f.Add([]byte("\n\n{}\n\xff\x00\n{\"time\":1}"), 2)
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		read := newLines(inSteps{bytes.NewReader(data), 1 + step&0xff})
		for n := 0; ; n++ {
			line, err := read.next()
			if err != nil {
				line, err = read.take()
			}
			if err == io.EOF {
				return
			}
			if n > len(data) {
				t.Fatal("more lines than bytes")
			}
			checkLine(t, line)
		}
	})
}

func checkLine(t *testing.T, line []byte) {
	var first, second Record
	if first.UnmarshalJSON(line) != nil {
		return
	}
	once := first.appendLine(nil)
	if len(once) > LineBytes {
		t.Fatalf("a line of %d bytes", len(once))
	}
	if err := second.UnmarshalJSON(once); err != nil {
		t.Fatalf("stored again as %q: %v", once, err)
	}
	if twice := second.appendLine(nil); !bytes.Equal(once, twice) {
		t.Fatalf("stored as\n%s and then as\n%s", once, twice)
	}
	var out bytes.Buffer
	Format(&out, second, false)
	for _, r := range out.String()[:out.Len()-1] {
		if !unicode.IsPrint(r) {
			t.Fatalf("printed %U in %q", r, out.String())
		}
	}
}

// inSteps reads a few bytes at a time.
type inSteps struct {
	io.Reader
	bytes int
}

func (s inSteps) Read(p []byte) (int, error) {
	return s.Reader.Read(p[:min(len(p), s.bytes)])
}
