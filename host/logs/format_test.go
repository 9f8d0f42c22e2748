package logs

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode"
)

func TestFormat(t *testing.T) {
	when := time.Date(2026, 11, 2, 10, 11, 12, 345678900, time.FixedZone("", 3600))
	tests := map[string]struct {
		record Record
		want   string
	}{
		"a request": {
			Record{
				Time: when, Function: "hello", Request: "01J", Message: "request",
				Attrs: []slog.Attr{slog.Int("status", 200), slog.String("duration", "1.5ms")},
			},
			"2026-11-02T09:11:12.345Z INFO  hello request status=200 duration=1.5ms request=01J\n",
		},
		"a guest that talks to the terminal": {
			Record{
				Time: when, Level: slog.LevelWarn, Function: "f\x1b]0;x\a", Message: "a\x1b[2J\tb\nc\x7f\u0085\u202e\xff\\ é😀",
				Attrs: []slog.Attr{slog.String("k\r", "\x1b")},
			},
			"2026-11-02T09:11:12.345Z WARN  f\\x1b]0;x\\a a\\x1b[2J\\tb\\nc\\x7f\\u0085\\u202e\\xff\\ é😀 k\\r=\\x1b\n",
		},
		"values that need quotes": {
			Record{Time: when, Level: slog.LevelError, Attrs: []slog.Attr{
				slog.String("a", ""), slog.String("b", `x y="z"`),
			}},
			"2026-11-02T09:11:12.345Z ERROR a=\"\" b=\"x y=\\\"z\\\"\"\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := Format(&out, test.record, false); err != nil {
				t.Fatal(err)
			}
			if out.String() != test.want {
				t.Errorf("\n got %q\nwant %q", out.String(), test.want)
			}
		})
	}
}

func TestFormatHasColorsOnlyWhenAsked(t *testing.T) {
	r := Record{Time: time.Now(), Level: slog.LevelError, Function: "f", Message: "m"}
	for _, color := range []bool{true, false} {
		var out bytes.Buffer
		Format(&out, r, color)
		if got := strings.Contains(out.String(), "\x1b["); got != color {
			t.Errorf("color %v: %q", color, out.String())
		}
	}
}

func TestFormatCutsALongMessage(t *testing.T) {
	var out bytes.Buffer
	Format(&out, Record{Message: strings.Repeat("\x01", MessageBytes)}, false)
	if out.Len() > MessageBytes+100 || !strings.HasSuffix(out.String(), Mark+"\n") {
		t.Errorf("%d bytes, ends in %q", out.Len(), out.String()[out.Len()-20:])
	}
}

func TestASegmentIsSafeToPrint(t *testing.T) {
	line := lineOf(1)
	for _, r := range string(line[:len(line)-1]) {
		if !unicode.IsPrint(r) {
			t.Errorf("the line %q holds %U", line, r)
		}
	}
}
