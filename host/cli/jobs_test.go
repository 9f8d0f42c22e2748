package cli

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi/tck"
	"github.com/cloche-run/cloche/host/admin"
)

func TestCommandsAboutJobs(t *testing.T) {
	site := newSite(t)
	functions := filepath.Join(site, "netlify", "functions")
	for name, content := range map[string][]byte{
		filepath.Join(functions, "tck-background.wasm"): tck.Guest,
		filepath.Join(functions, "cleanup.wasm"):        tck.Guest,
		filepath.Join(site, "netlify.toml"):             []byte("[functions]\nretries = []\n[functions.cleanup]\nschedule = \"@yearly\"\n"),
	} {
		if err := os.WriteFile(name, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, aside, code := run(t, nil, "jobs", "list", "--site", site); code != 1 || !strings.Contains(aside, "start it with cloche serve") {
		t.Errorf("without a server: %d %s", code, aside)
	}
	v := start(t, nil, "serve", site, "--addr", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	jobs := func(args ...string) (string, string, int) {
		return run(t, nil, append([]string{"jobs"}, append(args, "--site", site)...)...)
	}
	submit := func(does string) string {
		t.Helper()
		req, _ := http.NewRequestWithContext(t.Context(), "POST", v.url+"/.netlify/functions/tck-background", strings.NewReader("\x1b[31m"))
		req.Header.Set("x-tck", does)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.Header.Get("X-Cloche-Job")
	}
	status := func(id string) (status string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			out, aside, code := jobs("show", id, "--json")
			var job admin.JobDetail
			if code != 0 || json.Unmarshal([]byte(out), &job) != nil {
				t.Fatalf("show: %d %s %s", code, out, aside)
			}
			if status = job.Status; status != "queued" && status != "running" {
				return status
			}
		}
		return status
	}
	dead := submit("exit3")
	if got := status(dead); got != "dead" {
		t.Fatalf("got %s", got)
	}
	loud := submit("log")
	if got := status(loud); got != "succeeded" {
		t.Fatalf("got %s", got)
	}
	sleeps := submit("sleep")
	for _, test := range []struct {
		name string
		args []string
		out  string // parts of standard output, apart by |
		err  string
		code int
	}{
		{"a list", []string{"list"}, dead + "  tck-background  dead (exhausted)  1|Runtime exited with error: exit status 3|" + sleeps, "", 0},
		{"a list of some", []string{"list", "tck-background", "--status", "dead", "-n", "1", "--json"}, `[{"id":"` + dead, "", 0},
		{"a list of none", []string{"list", "cleanup"}, "no jobs", "", 0},
		{"a list with a bad status", []string{"list", "--status", "asleep"}, "", "status", 1},
		{"a list of no jobs", []string{"list", "-n", "0"}, "", "from 1 on", 2},
		{"one", []string{"show", dead}, "status    dead (exhausted)|attempt 1  error|  ! RequestId: ", "", 0},
		{"one that logged", []string{"show", loud}, "  | plain line\n", "", 0},
		{"one that is not there", []string{"show", "01KAN0M7VJ3F5ZK6C5Q8S1W2XE"}, "", "no such job", 1},
		{"none at all", []string{"show"}, "", "name one job", 2},
		{"to cancel", []string{"cancel", sleeps}, sleeps, "", 0},
		{"to cancel nothing", []string{"cancel"}, "", "name a job", 2},
		{"to replay", []string{"replay", dead}, dead + " is job ", "", 0},
		{"to replay nothing", []string{"replay"}, "", "--all", 2},
		{"to replay both", []string{"replay", dead, "--all"}, "", "--all", 2},
		{"to replay all of a function", []string{"replay", "--all", "--function", "cleanup"}, "no dead jobs", "", 0},
		{"to pause", []string{"pause", "tck-background", "cleanup"}, "tck-background: paused\ncleanup: paused\n", "", 0},
		{"to pause nothing", []string{"pause", "nope"}, "", "there is no function", 1},
		{"to resume", []string{"resume", "tck-background", "--json"}, `"paused":false`, "", 0},
		{"to purge", []string{"purge", "--status", "succeeded", "--function", "tck-background"}, "1 jobs forgotten", "", 0},
		{"to purge everything unasked", []string{"purge"}, "", "--all", 2},
		{"to purge what runs", []string{"purge", "--status", "running"}, "", "only jobs that have ended", 1},
	} {
		out, aside, code := jobs(test.args...)
		for part := range strings.SplitSeq(test.out, "|") {
			if code != test.code || !strings.Contains(out, part) || !strings.Contains(aside, test.err) {
				t.Errorf("%s: code %d, want %d\nstdout: %s\nstderr: %s\nwant %q and %q", test.name, code, test.code, out, aside, part, test.err)
			}
		}
		if strings.Contains(out+aside, "\x1b") {
			t.Errorf("%s: colours on what is no terminal", test.name)
		}
	}
	if out, _, code := run(t, nil, "jobs"); code != 0 || !strings.Contains(out, "cancel") || !strings.Contains(out, "--status dead") {
		t.Errorf("help: %d %s", code, out)
	}
	if _, aside, code := run(t, nil, "jobs", "lst"); code != 2 || !strings.Contains(aside, `did you mean "list"`) {
		t.Errorf("an unknown one: %d %s", code, aside)
	}
	if out, _, _ := run(t, nil, "functions", site); !strings.Contains(out, "@yearly (paused)") || !strings.Contains(out, "job") {
		t.Errorf("functions: %s", out)
	}
	if out, aside, code := run(t, nil, "invoke", "cleanup", "--scheduled", "-H", "x-tck: event", "--site", site); code != 0 || !strings.Contains(out, "next_run") {
		t.Errorf("invoke --scheduled: %d %s %s", code, out, aside)
	}
	if _, aside, code := run(t, nil, "invoke", "tck", "--scheduled", "--site", site); code != 1 || !strings.Contains(aside, "no schedule") {
		t.Errorf("invoke --scheduled of what has none: %d %s", code, aside)
	}
	if _, aside, code := run(t, nil, "invoke", "tck-background", "--site", site); code != 0 || !strings.Contains(aside, "cloche jobs show ") {
		t.Errorf("invoke of a background function: %d %s", code, aside)
	}
}

func TestBadTimeScales(t *testing.T) {
	site := newSite(t)
	for _, scale := range []string{"0", "-1", "NaN", "Inf", "1e7", "0.0001", "fast"} {
		if _, aside, code := run(t, nil, "dev", site, "--time-scale="+scale); code != 2 {
			t.Errorf("%s: %d %s", scale, code, aside)
		}
	}
	if _, aside, code := run(t, nil, "serve", site, "--time-scale", "2"); code != 2 || !strings.Contains(aside, "unknown flag") {
		t.Errorf("serve: %d %s", code, aside)
	}
}
