package config

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
)

// FuzzParse wants an error or a site from any bytes, errors of one kind, fit to
// print; and it wants the scan to follow whatever the parser takes, and to know
// the line of every key.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"",
		"[build]\nbase = \"a\"\nenvironment.A = 'b'\n[build.\"x\".'y z']\n",
		"[functions]\nmemory = 1024\nenv = [\n \"A\", # x\n]\n[functions.\"a*\"]\ntimeout = \"1m\"\n",
		"[[redirects]]\nfrom = '/a'\n[redirects.headers]\nX = \"\"\"\n\\\n  \"\"\"\"\"\n",
		"[context.dev]\nenvironment = { A = \"1\", 'B' = '''\n2''' }\n[context.\"f*\".environment]\nC = ''\n",
		"a = [[1, 2.5, +inf], [{b = 1979-05-27 07:32:00}, {b.c = true}]]\r\n# end",
		"\ufeff\"\\u0061\\e\" = -0x1\n", "a = {\n b = 1,\n}\n", "[a]\n[a]\n", "a.b = 1\na = 2\n", "\xff\xfea", "a = \"\\", "a = '''''''", "[[a]]\n[[a.b]]\n[a.b.c]\n",
		"\"\"\"a\"\"\" = 1", "a = \"\"\"\\\"\"\"\"\n", "x=[" + strings.Repeat("[", 20), "[functions.queue]\nqueue = 1\n[functions.timeout]\nx=1",
	} {
		f.Add(seed, "production")
		f.Add(seed, "feat/x")
	}
	f.Fuzz(func(t *testing.T, raw, context string) {
		text, err := decodeText(raw)
		if err == nil {
			checkScan(t, text)
			_, err = checkParse(t, text, context)
		}
		if err == nil {
			return
		}
		if !errors.As(err, new(*Error)) {
			t.Errorf("got a %T: %v", err, err)
		}
		for _, line := range strings.Split(err.Error(), "\n") {
			if !strings.HasPrefix(line, FileName+":") || printable(line, len(line)) != line {
				t.Errorf("got %q", line)
			}
		}
	})
}

func checkParse(t *testing.T, text, context string) (*site, error) {
	start := time.Now()
	s, err := parse(text, context)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	if err != nil {
		return nil, err
	}
	c := &Config{rules: s.rules}
	for _, name := range []string{"hello", "a-background", context} {
		f := c.Function(name)
		if f.Timeout < MinTimeout || f.Timeout > MaxTimeout || f.MemoryBytes < MinMemoryBytes || f.MemoryBytes > MaxMemoryBytes ||
			f.Concurrency < MinConcurrency || f.Concurrency > MaxConcurrency || f.Queue < MinQueue || f.Queue > MaxQueue {
			t.Errorf("%s: %+v is out of bounds", name, f)
		}
	}
	return s, nil
}

func checkScan(t *testing.T, text string) {
	s, err := scan(text)
	if errors.As(err, new(*Error)) {
		return
	}
	var values map[string]any
	meta, parseErr := toml.Decode(text, &values)
	if err != nil {
		// BurntSushi/toml v1.6.0 lets six quotes end a string after an escape, and
		// takes a byte order mark off that is not the first.
		lenient := strings.Contains(text, `\"""""`) || strings.HasPrefix(text, "\ufeff")
		if parseErr == nil && !lenient {
			t.Errorf("the parser takes what the scan does not, at line %d", s.line)
		}
		return
	}
	if parseErr != nil {
		return
	}
	last := 1 + strings.Count(text, "\n")
	for _, key := range meta.Keys() {
		at := s.lines
		for _, part := range key {
			if at = at.next[part]; at == nil || at.line < 1 || at.line > last {
				t.Fatalf("no line for %q", key)
			}
		}
	}
}
