package guest

import (
	"reflect"
	"strings"
	"testing"
)

func TestLogLines(t *testing.T) {
	long := strings.Repeat("x", lineBytes)
	for name, test := range map[string]struct {
		limit  int
		writes []string
		want   []string
	}{
		"a line in pieces":          {1000, []string{"he", "llo\nwor", "ld"}, []string{"hello", "world"}},
		"CRLF and empty lines":      {1000, []string{"a\r\n\nb\n"}, []string{"a", "", "b"}},
		"a line that is too long":   {1 << 20, []string{long + "y\n"}, []string{long, "y"}},
		"one that is just not":      {1 << 20, []string{long + "\nz\n"}, []string{long, "z"}},
		"more than the limit":       {lineCost + 3, []string{"ab\ncdef\n"}, []string{"ab", "c", "(log truncated after 259 bytes)"}},
		"all after it is unheard":   {lineCost + 1, []string{"a\n", "b\n", "c\n"}, []string{"a", "(log truncated after 257 bytes)"}},
		"a flood of empty lines":    {3 * lineCost, []string{strings.Repeat("\n", 1<<20)}, []string{"", "", "", "(log truncated after 768 bytes)"}},
		"nothing":                   {1000, nil, nil},
		"a line that ends a buffer": {1 << 20, []string{long, "\n", "a\n"}, []string{long, "a"}},
	} {
		var got []string
		w := LogWriter{Limit: test.limit, Line: func(line []byte) { got = append(got, string(line)) }}
		for _, text := range test.writes {
			if n, err := w.Write([]byte(text)); n != len(text) || err != nil {
				t.Errorf("%s: %d, %v", name, n, err)
			}
		}
		w.Flush()
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %.100q, want %.100q", name, got, test.want)
		}
	}
}
