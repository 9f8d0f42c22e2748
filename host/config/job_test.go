package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/host/config"
)

func TestRetriesAreOneValueAndNotJoined(t *testing.T) {
	c := load(t, `
[functions]
retries = ["5s"]
[functions."a*"]
retries = ["1s", "2s"]
[functions.ab]
retries = []
`, "")
	for name, want := range map[string][]time.Duration{
		"other": {5 * time.Second}, "a": {time.Second, 2 * time.Second}, "ab": {},
	} {
		got := c.Function(name).Job.Retries
		if len(got) != len(want) || len(got) > 0 && got[len(got)-1] != want[len(want)-1] {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestAScheduleMakesJobs(t *testing.T) {
	c := load(t, `
[functions.daily]
schedule = "@daily"
[functions.long-background]
schedule = "@daily"
[functions.quick]
schedule = "@daily"
timeout = 5
queue = 3
`, "")
	for name, want := range map[string]struct {
		job     bool
		timeout time.Duration
		queue   int
	}{
		"daily":           {true, 30 * time.Second, 10_000},
		"long-background": {true, 15 * time.Minute, 10_000},
		"quick":           {true, 5 * time.Second, 3},
		"hello":           {false, 10 * time.Second, 256},
	} {
		f := c.Function(name)
		if f.IsJob() != want.job || f.Timeout != want.timeout || f.Queue != want.queue {
			t.Errorf("%s: got %v, %v, %d; want %+v", name, f.IsJob(), f.Timeout, f.Queue, want)
		}
	}
}

func TestJobSettingsOutOfBounds(t *testing.T) {
	many := strings.Repeat(`"1s",`, config.MaxRetries)
	for toml, want := range map[string]string{
		`retries = "1m"`:                   "must be an array of durations",
		`retries = ["24h1s"]`:              "no duration in range",
		`retries = ["-1s"]`:                "no duration in range",
		`retries = ["soon"]`:               "no duration in range",
		`retries = [` + many + `"1s"]`:     "has 21 entries",
		`retry_jitter = 1.01`:              "out of range",
		`retry_jitter = -0.1`:              "out of range",
		`retry_jitter = "0.5"`:             "out of range",
		`max_age = "999ms"`:                "out of range",
		`max_age = "720h1s"`:               "out of range",
		`idempotency = 0`:                  "out of range",
		`schedule = "0 0 30 2 *"`:          "never fires",
		`schedule = "@annually"`:           "is no shortcut",
		`schedule = "* * * * * *"`:         "has 5 fields",
		`schedule = 5`:                     "must be a string",
		`on_success = "ftp://example.com"`: "only http and https",
		`on_success = "/.netlify/x"`:       "only http and https",
		`on_success = "https://a:b@c.d"`:   "has a user in it",
		`on_success = "http://0x7f.1/"`:    "ends in a number",
		`on_failure = "http://c.d:0"`:      "no port",
		`on_failure = "http://a` + strings.Repeat("/b", 1021) + `"`: "too long",
		`allow_hosts = "a"`:          "array of strings",
		`allow_hosts = ["a/b"]`:      "no host",
		`allow_hosts = ["http://a"]`: "no host",
		`allow_hosts = ["a:70000"]`:  "no port",
		`allow_hosts = ["a.*"]`:      "no host",
		`allow_hosts = ["fe80::1"]`:  "brackets",
		`allow_hosts = [` + strings.Repeat(`"a",`, config.MaxAllowHosts) + `"b"]`: "has 257 entries",
		`on_failure = "a b"`: "no function's name",
		`on_failure = ["a"]`: "must be a string",
	} {
		_, err := config.Load(write(t, "[functions.x]\n"+toml+"\n"), "")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "netlify.toml:2") {
			t.Errorf("%s: got %v, want %q with its line", toml, err, want)
		}
	}
	for _, toml := range []string{
		`retries = [` + many + `]`, `retries = ["24h", 0]`, `retry_jitter = 1`, `max_age = 1`, `max_age = "720h"`, `on_success = ""`,
		`on_success = "http://localhost:8888/.netlify/functions/a?b=c"`, `on_failure = "http://a` + strings.Repeat("/b", 1020) + `"`,
		`allow_hosts = []`, `allow_hosts = ["*", "*.example.com", "a:80", "[::1]:80", "10.0.0.1"]`,
		`allow_hosts = [` + strings.Repeat(`"a",`, config.MaxAllowHosts) + `]`,
	} {
		if _, err := config.Load(write(t, "[functions.x]\n"+toml+"\n"), ""); err != nil {
			t.Errorf("%s: %v", toml, err)
		}
	}
}
