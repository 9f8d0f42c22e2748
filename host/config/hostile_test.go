package config

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Each of these kept the parser, or a naive reader, busy for a long time or
// made it recurse without end.
func TestHostileFilesEndQuickly(t *testing.T) {
	const most = 3 * time.Second // they take milliseconds
	fill := func(s string) string { return strings.Repeat(s, MaxFileBytes/len(s)-20) }
	for name, text := range map[string]string{
		"open arrays":         "a=" + fill("["),
		"open tables":         fill("{a="),
		"open tables, keyed":  "a=" + fill("{a="),
		"arrays of tables":    "a=" + fill("[{a="),
		"a long dotted key":   fill("a.") + "a=1",
		"a long header":       "[" + fill("a.") + "a]",
		"a long key":          fill("a") + "=1",
		"a long header's key": "[" + strings.Repeat("a", MaxFileBytes/2) + "]\n" + strings.Repeat("a=1\n", MaxFileBytes/10),
		"many tables":         fill("[[a]]\n"),
		"many unknown keys":   manyUnknown(),
		"a long array":        "[dev]\na=[" + fill("1,") + "]",
		"an array of arrays":  "[dev]\na=[" + fill("[],") + "]",
		"quotes":              "a=" + fill(`"`),
		"escapes":             "[dev]\na=\"" + fill(`\\`) + `"`,
		"continued lines":     "[dev]\na=\"\"\"" + fill("\\\n") + `"""`,
		"no continued line":   "[dev]\na=\"\"\"\\" + fill(" ") + `"""`,
		"digits":              "[functions]\ntimeout=" + fill("9"),
		"a long size":         "[functions]\nmemory='" + fill("9") + "gb'",
		"a long duration":     "[functions]\ntimeout='" + fill("9h") + "'",
		"comments":            fill("#\n"),
		"blanks":              fill(" "),
		"syntax late":         fill("#\n") + "a",
		"globs":               manyGlobs(),
		"names":               "[functions]\nenv=[" + fill("'A',") + "]",
	} {
		start := time.Now()
		s, err := parse(text, "production")
		if err == nil {
			(&Config{rules: s.rules}).Function("hello")
		} else if len(err.Error()) > MaxErrors*1000 {
			t.Errorf("%s: the error is %d bytes long", name, len(err.Error()))
		}
		if took := time.Since(start); took > most {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

func manyUnknown() string {
	var b strings.Builder
	for i := range MaxKeys {
		fmt.Fprintf(&b, "retry_jitte%d%s = 1\n", i, strings.Repeat("r", i%25))
	}
	return b.String()
}

func manyGlobs() string {
	var b strings.Builder
	for i := range MaxKeys {
		fmt.Fprintf(&b, "[functions.\"*%d%s?\"]\n", i, strings.Repeat("*h", i%25))
	}
	return b.String()
}
