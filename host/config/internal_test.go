package config

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func TestTheExampleNamesEveryKnownKey(t *testing.T) {
	data, err := os.ReadFile("../../netlify.toml.example")
	if err != nil {
		t.Fatal(err)
	}
	settings, unserved, found := strings.Cut(string(data), "not served so far")
	if !found {
		t.Fatal("the example has no list of what is not served")
	}
	words := " " + strings.Join(strings.Fields(unserved), " ") + " "
	for _, keys := range []vocabulary{siteKeys(), buildKeys(), contextKeys(), functionsKeys()} {
		for _, key := range strings.Fields(keys.served) {
			if !strings.Contains(settings, "\n"+key+" = ") && !strings.Contains(settings, "\n#"+key+" = ") &&
				!strings.Contains(settings, "["+key) && !strings.Contains(settings, "."+key+"]") {
				t.Errorf("the example does not show %s", key)
			}
		}
		for _, key := range strings.Fields(keys.planned + " " + keys.netlify) {
			if !strings.Contains(words, " "+key+" ") {
				t.Errorf("the example does not list %s", key)
			}
		}
	}
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		glob, name string
		want       bool
	}{
		{"hello", "hello", true},
		{"hello", "hell", false},
		{"hell", "hello", false},
		{"*", "", true},
		{"*", "hello", true},
		{"?", "", false},
		{"?", "h", true},
		{"?", "he", false},
		{"h*", "h", true},
		{"h*o", "hello", true},
		{"h*o", "hellos", false},
		{"*l*l*", "hello", true},
		{"*l*l*l*", "hello", false},
		{"h??lo", "hello", true},
		{"**o", "hello", true},
		{"*lo", "lolo", true},
		{"*ab", "aab", true},
		{"a*?", "a", false},
		{"*-background", "x-background", true},
		{strings.Repeat("a*", 32), strings.Repeat("a", 31) + "b", false},
		{strings.Repeat("*a", 32) + "b", strings.Repeat("a", 100_000), false},
	} {
		if got := match(tt.glob, tt.name); got != tt.want {
			t.Errorf("match(%q, %q) = %v, want %v", tt.glob, tt.name, got, tt.want)
		}
	}
}

func TestAnExactNameWeighsMoreThanAnyGlobForIt(t *testing.T) {
	const name = "hello"
	for _, glob := range []string{"*", "hello*", "*hello", "*hello*", "hell?", "h*o"} {
		if !match(glob, name) || literals(glob) >= literals(name) {
			t.Errorf("%s weighs %d, %s %d", glob, literals(glob), name, literals(name))
		}
	}
}

func TestNearest(t *testing.T) {
	candidates := []string{"timeout", "memory", "env", "concurrency", "retries", "retry_jitter"}
	for word, want := range map[string]string{
		"timout": "timeout", "tiemout": "timeout", "TIMEOUT": "timeout", "timeouts": "timeout", "time": "",
		"envs": "env", "evn": "env", "x": "", "": "", "concurency": "concurrency", "retrys": "retries", "retry": "",
		strings.Repeat("timeout", 10): "", "mémory": "memory",
	} {
		if got := nearest(word, candidates); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestAFileCutAnywhereIsReadOrRefused(t *testing.T) {
	const whole = "\ufeff[functions]\r\nenv = [ # comment\n \"\\u0041\", 'B',\n]\n[functions.\"api_*\"]\nmemory = \"1.5gb\" # x\n" +
		"[context]\n'feat/*' = { environment.A = \"\"\"a\\\n\"b\"\"\", environment.\"B\" = '''\n'''' }\n[[redirects]]\nstatus = 3_01\n"
	if text, err := decodeText(whole); err != nil {
		t.Fatal(err)
	} else if _, err := parse(text, "feat/x"); err != nil {
		t.Fatal(err)
	}
	for i := range len(whole) {
		text, err := decodeText(whole[:i])
		if err == nil {
			_, err = parse(text, "feat/x")
		}
		if e := new(Error); err != nil && (!errors.As(err, &e) || e.Line > 1+strings.Count(whole[:i], "\n")) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
}
