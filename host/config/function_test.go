package config_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/host/config"
	"github.com/cloche-run/cloche/host/cron"
)

func TestAFunctionHasDefaults(t *testing.T) {
	c := load(t, "", "")
	want := config.Function{
		Timeout: 10 * time.Second, MemoryBytes: 1 << 30, TmpBytes: 64 << 20, Concurrency: 64, Queue: 256, Protocol: "event", Isolation: "snapshot",
		Job: config.Job{Retries: []time.Duration{time.Minute, 2 * time.Minute}, MaxAge: 6 * time.Hour, Idempotency: 24 * time.Hour},
	}
	if got := c.Function("hello"); !reflect.DeepEqual(got, want) {
		t.Errorf("hello: got %+v, want %+v", got, want)
	}
	if got := config.Defaults(); !reflect.DeepEqual(got, want) {
		t.Errorf("Defaults: got %+v, want %+v", got, want)
	}
	want.Background, want.Timeout, want.Queue = true, 15*time.Minute, 10_000
	if got := c.Function("hello-background"); !reflect.DeepEqual(got, want) {
		t.Errorf("hello-background: got %+v, want %+v", got, want)
	}
}

func TestAFunctionHasEverySetting(t *testing.T) {
	c := load(t, `
[functions.hello]
timeout = "1m30s"
memory = "64kb"
tmp = "0mb"
fuel = 5
concurrency = 2
queue = 0
background = true
protocol = "cgi"
isolation = "fresh"
env = ["B", "A", "B"]
allow_hosts = ["b.example", "*.a.example:8080", "b.example"]
retries = [1, "2s", "0s"]
retry_jitter = 0.5
max_age = "10m"
idempotency = "1h"
schedule = "@daily"
on_success = "done"
on_failure = "alarm"
`, "")
	daily, err := cron.Parse("@daily")
	if err != nil {
		t.Fatal(err)
	}
	want := config.Function{
		Timeout: 90 * time.Second, MemoryBytes: 64 << 10, Fuel: 5, Concurrency: 2, Queue: 0,
		Background: true, Protocol: "cgi", Isolation: "fresh", Env: []string{"A", "B"},
		AllowHosts: []string{"*.a.example:8080", "b.example"},
		Job: config.Job{
			Retries: []time.Duration{time.Second, 2 * time.Second, 0}, RetryJitter: 0.5, MaxAge: 10 * time.Minute,
			Idempotency: time.Hour, Schedule: daily, OnSuccess: "done", OnFailure: "alarm",
		},
	}
	if got := c.Function("hello"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := c.Function("other"), config.Defaults(); !reflect.DeepEqual(got, want) {
		t.Errorf("other: got %+v, want %+v", got, want)
	}
}

func TestBackground(t *testing.T) {
	c := load(t, `
[functions.report]
background = true
[functions.fast-background]
background = false
[functions.slow]
background = true
timeout = "1h"
`, "")
	for name, want := range map[string]struct {
		background bool
		timeout    time.Duration
	}{
		"report":          {true, 15 * time.Minute},
		"fast-background": {false, 10 * time.Second},
		"slow":            {true, time.Hour},
		"backgrounds":     {false, 10 * time.Second},
		"x-background":    {true, 15 * time.Minute},
		"-background":     {true, 15 * time.Minute},
	} {
		if got := c.Function(name); got.Background != want.background || got.Timeout != want.timeout {
			t.Errorf("%s: got %v and %v, want %v and %v", name, got.Background, got.Timeout, want.background, want.timeout)
		}
	}
}

const rules = `
[functions]
timeout = 1
memory = 1
queue = 1
env = ["ALL"]

[functions.api_hello]
timeout = 5

[functions."api_*"]
timeout = 3
memory = 3
env = ["API"]

[functions."*"]
memory = 2
concurrency = 2

[functions."api_h*"]
memory = 4
env = ["API", "H"]

[functions."api_?*o"]
memory = 4.5

[functions."*_hello"]
queue = 9
timeout = 4
`

func TestRulesOfMoreLiteralCharactersWinKeyByKey(t *testing.T) {
	c := load(t, rules, "")
	for _, tt := range []struct {
		name, function                    string
		timeout, memory, concurrency, que int
		env                               string
	}{
		{"[functions] is for all, and a glob wins over it", "other", 1, 2 << 20, 2, 1, "ALL"},
		{"a longer glob wins over a shorter", "api_x", 3, 3 << 20, 2, 1, "ALL API"},
		{"a longer one still", "api_ha", 3, 4 << 20, 2, 1, "ALL API H"},
		{"of two that weigh the same the later wins", "api_ho", 3, 4<<20 + 1<<19, 2, 1, "ALL API H"},
		{"an exact name wins over all", "api_hello", 5, 4<<20 + 1<<19, 2, 9, "ALL API H"},
		{"a glob may begin with a star", "x_hello", 4, 2 << 20, 2, 9, "ALL"},
		{"names have case", "API_x", 1, 2 << 20, 2, 1, "ALL"},
		{"a glob is for whole names", "my_api_x", 1, 2 << 20, 2, 1, "ALL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := c.Function(tt.function)
			got := fmt.Sprint(f.Timeout, f.MemoryBytes, f.Concurrency, f.Queue, strings.Join(f.Env, " "))
			want := fmt.Sprint(time.Duration(tt.timeout)*time.Second, tt.memory, tt.concurrency, tt.que, tt.env)
			if got != want {
				t.Errorf("%s: got %s, want %s", tt.function, got, want)
			}
		})
	}
}

func TestVariablesOfAFunction(t *testing.T) {
	c := load(t, "[functions.none]\nenv = []\n[functions.some]\nenv = ['A']", "")
	for name, want := range map[string][]string{"all": nil, "none": {}, "some": {"A"}} {
		if got := c.Function(name).Env; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %#v, want %#v", name, got, want)
		}
	}
	c.Function("some").Env[0] = "CHANGED"
	if got := c.Function("some").Env[0]; got != "A" {
		t.Errorf("a caller's change shows: got %q", got)
	}
}

func TestAFunctionMayBeCalledLikeASetting(t *testing.T) {
	c := load(t, `
[functions.queue]
timeout = "5s"
[functions.timeout]
[functions.directory]
fuel = 1
memory = 64
`, "")
	if got := c.Function("queue").Timeout; got != 5*time.Second {
		t.Errorf("queue: timeout is %v", got)
	}
	if got := c.Function("directory").MemoryBytes; got != 64<<20 {
		t.Errorf("directory: memory is %d", got)
	}
	if got := c.Function("other"); !reflect.DeepEqual(got, config.Defaults()) {
		t.Errorf("other: got %+v, want defaults", got)
	}
	_, err := config.Load(write(t, "[functions.queue]\nsize = 3"), "")
	checkError(t, err, 1, "functions.queue", "must be a whole number, not a table")
}

func TestBounds(t *testing.T) {
	for _, tt := range []struct {
		setting string
		wantErr string // "" if it is within
	}{
		{`timeout = "1ms"`, ""},
		{`timeout = 0.001`, ""},
		{`timeout = "24h"`, ""},
		{`timeout = 86400`, ""},
		{`timeout = "999us"`, `the string "999us" is out of range; write a duration from "1ms" to "24h"`},
		{`timeout = "24h0m0.001s"`, "is out of range"},
		{`timeout = 86401`, "the number 86401 is out of range"},
		{`timeout = 0`, "the number 0 is out of range"},
		{`timeout = -1`, "the number -1 is out of range"},
		{`timeout = "-1s"`, "is out of range"},
		{`timeout = 9223372036854775807`, "is out of range"},
		{`timeout = -9223372036854775807`, "is out of range"},
		{`timeout = 1e300`, "is out of range"},
		{`timeout = inf`, "must be a duration, not the number +Inf"},
		{`timeout = nan`, "must be a duration, not the number NaN"},
		{`timeout = "10"`, `must be a duration, not the string "10"; write a duration from`},
		{`timeout = ""`, "must be a duration"},
		{`timeout = true`, "must be a duration, not true"},
		{`timeout = 2026-01-01`, "must be a duration, not a date"},
		{`timeout = [1]`, "must be a duration, not an array"},

		{`memory = "64kb"`, ""},
		{`memory = 0.0625`, ""},
		{`memory = "4096mb"`, ""},
		{`memory = "4gb"`, ""},
		{`memory = "4 GB"`, ""},
		{`memory = "1.5gb"`, ""},
		{`memory = "1024"`, ""},
		{`memory = 4096`, ""},
		{`memory = "63kb"`, `the string "63kb" is out of range; write a size from "64kb" to "4096mb"`},
		{`memory = "65kb"`, `the string "65kb" is not a whole number of pages; write a multiple of 64kb`},
		{`memory = 0.07`, "is not a whole number of pages"},
		{`memory = "4194304.1kb"`, "is out of range"},
		{`memory = 4097`, "the number 4097 is out of range"},
		{`memory = 0`, "is out of range"},
		{`memory = -1024`, "is out of range"},
		{`memory = "99999999999999999999999gb"`, "is out of range"},
		{`memory = "-1gb"`, "must be a size"},
		{`memory = "1e3mb"`, "must be a size"},
		{`memory = "infgb"`, "must be a size"},
		{`memory = "1tb"`, "must be a size"},
		{`memory = "1.2.3mb"`, "must be a size"},
		{`memory = "mb"`, "must be a size"},
		{`memory = ""`, "must be a size"},
		{`memory = false`, "must be a size, not false"},

		{`concurrency = 1`, ""},
		{`concurrency = 4096`, ""},
		{`concurrency = 0`, "0 is out of range; write a whole number from 1 to 4096"},
		{`concurrency = 4097`, "4097 is out of range"},
		{`concurrency = 1.5`, "must be a whole number, not the number 1.5"},
		{`concurrency = "64"`, `must be a whole number, not the string "64"; write one from 1 to 4096, without quotes`},

		{`queue = 0`, ""},
		{`queue = 65536`, ""},
		{`queue = -1`, "-1 is out of range; write a whole number from 0 to 65536"},
		{`queue = 65537`, "65537 is out of range"},

		{`background = false`, ""},
		{`background = "true"`, `must be true or false, not the string "true"; write it without quotes`},

		{`protocol = "event"`, ""},
		{`protocol = "cgi"`, ""},
		{`protocol = "CGI"`, `"CGI" is no protocol; write one of ["event" "cgi"]`},
		{`isolation = "fresh"`, ""},
		{`isolation = "reuse"`, ""},
		{`isolation = "Snapshot"`, `"Snapshot" is no isolation; write one of ["snapshot" "fresh" "reuse"]`},
		{`isolation = ""`, `"" is no isolation; write one of`},
		{`isolation = false`, "must be a string, not false"},
		{`protocol = 1`, "must be a string, not the number 1"},

		{`env = []`, ""},
		{`env = ["A", "b_1"]`, ""},
		{`env = "A"`, `must be an array of strings, not the string "A"; write it as ["A", "B"]`},
		{`env = ["A", 1]`, "must hold strings only, not the number 1"},
		{`env = ["A-B"]`, `"A-B" is not a variable name; use letters`},
		{`env = [["A"]]`, "must hold strings only, not an array"},
		{`env = [{ A = 1 }]`, "must hold strings only, not a table"},
	} {
		key, _, _ := strings.Cut(tt.setting, " ")
		for _, table := range []string{"functions", "functions.hello", `functions."h*"`} {
			t.Run(tt.setting+" in "+table, func(t *testing.T) {
				_, err := config.Load(write(t, "\n["+table+"]\n"+tt.setting), "")
				if tt.wantErr == "" {
					if err != nil {
						t.Errorf("got %v, want no error", err)
					}
					return
				}
				checkError(t, err, 3, table+"."+key, tt.wantErr)
			})
		}
	}
}

func TestUnmatchedRulesAreTold(t *testing.T) {
	c := load(t, `
[functions]
timeout = 3
[functions.hllo]
[functions.hello]
[functions."api_*"]
[functions."h*"]
[functions.entirely-different]
`, "")
	got := fmt.Sprint(c.Unmatched([]string{"hello", "world"}))
	want := fmt.Sprint([]config.Warning{
		{4, "functions.hllo", `no function has this name; did you mean "hello"?`},
		{6, `functions."api_*"`, "no function has this name"},
		{8, "functions.entirely-different", "no function has this name"},
	})
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
