package ledger_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/ledger"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestIDsIncreaseAndReadBack(t *testing.T) {
	ids, last := ledger.NewIDs(ledger.ID{}), ledger.ID{}
	for i := range 10_000 {
		if i%1000 == 0 {
			ids = ledger.NewIDs(last)
		}
		// The clock stands still, and sometimes goes back.
		id := ids.New(noon.Add(-time.Duration(i%7) * time.Second))
		if bytes.Compare(id[:], last[:]) <= 0 {
			t.Fatalf("id %d: %s after %s, want greater", i, id, last)
		}
		read, err := ledger.ParseID(strings.ToLower(id.String()))
		if err != nil || read != id {
			t.Fatalf("ParseID(%q) = %s, %v", id, read, err)
		}
		last = id
	}
}

func TestWhatIsNoIDIsNotFound(t *testing.T) {
	for _, s := range []string{"", "x", strings.Repeat("0", 26), strings.Repeat("Z", 26), strings.Repeat("U", 26), strings.Repeat("0", 27)} {
		if id, err := ledger.ParseID(s); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("ParseID(%q) = %s, %v; want ErrNotFound", s, id, err)
		}
	}
}

func TestClockNeverGoesBack(t *testing.T) {
	wall := noon
	clock, trusted := ledger.NewClock(func() time.Time { return wall }, noon.Add(-time.Hour))
	if !trusted {
		t.Error("a recorded time in the past is not trusted")
	}
	for _, step := range []struct {
		name string
		wall time.Duration // since noon
		want time.Duration
	}{
		{"it follows the wall clock", time.Minute, time.Minute},
		{"it stands while the wall clock is set back", -time.Hour, time.Minute},
		{"it goes on at the wall clock's pace", -time.Hour + time.Second, time.Minute + time.Second},
		{"a step ahead is time that passes", 2 * time.Hour, 3*time.Hour + time.Minute},
	} {
		wall = noon.Add(step.wall)
		if got := clock.Now().Sub(noon); got != step.want {
			t.Errorf("%s: got %v, want %v", step.name, got, step.want)
		}
	}
}

func TestClockGoesOnWhereItWas(t *testing.T) {
	for name, test := range map[string]struct {
		highWater time.Duration // since noon
		want      time.Duration
		trusted   bool
	}{
		"a clock set back by an hour goes on":          {time.Hour, time.Hour, true},
		"at the limit it still does":                   {ledger.MaxSetBack, ledger.MaxSetBack, true},
		"beyond it the recorded time is not believed":  {ledger.MaxSetBack + time.Microsecond, 0, false},
		"a recorded time in the past changes nothing":  {-time.Hour, 0, true},
		"a new ledger has the time of the wall clock":  {-1 << 62, 0, true},
		"a recorded time of now is the same as before": {0, 0, true},
	} {
		clock, trusted := ledger.NewClock(func() time.Time { return noon }, noon.Add(test.highWater))
		if got := clock.Now().Sub(noon); got != test.want || trusted != test.trusted {
			t.Errorf("%s: got %v, %v; want %v, %v", name, got, trusted, test.want, test.trusted)
		}
	}
}

func TestBackoffGrowsUpToFiveMinutes(t *testing.T) {
	want := []time.Duration{time.Second, time.Second, 4 * time.Second, 16 * time.Second, 64 * time.Second, 256 * time.Second, 5 * time.Minute}
	for n, w := range want {
		if got := ledger.Backoff(n); got != w {
			t.Errorf("Backoff(%d) = %v, want %v", n, got, w)
		}
	}
	if got := ledger.Backoff(1 << 40); got != 5*time.Minute {
		t.Errorf("Backoff(1<<40) = %v, want 5m", got)
	}
}

func TestLimitsOfAJob(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, test := range map[string]struct {
		change func(j *ledger.NewJob)
		ok     bool
	}{
		"a plain job":                    {func(j *ledger.NewJob) {}, true},
		"no function":                    {func(j *ledger.NewJob) { j.Function = "" }, false},
		"the longest name":               {func(j *ledger.NewJob) { j.Function = long(ledger.NameBytes) }, true},
		"a longer name":                  {func(j *ledger.NewJob) { j.Function = long(ledger.NameBytes + 1) }, false},
		"the longest origin":             {func(j *ledger.NewJob) { j.Origin = long(ledger.NameBytes) }, true},
		"a longer origin":                {func(j *ledger.NewJob) { j.Origin = long(ledger.NameBytes + 1) }, false},
		"the largest body":               {func(j *ledger.NewJob) { j.Request.Body = make([]byte, ledger.BodyBytes) }, true},
		"a larger body":                  {func(j *ledger.NewJob) { j.Request.Body = make([]byte, ledger.BodyBytes+1) }, false},
		"a large header":                 {func(j *ledger.NewJob) { j.Request.Header.Set("x", long(ledger.HeadBytes-1000)) }, true},
		"a larger header":                {func(j *ledger.NewJob) { j.Request.Header.Set("x", long(ledger.HeadBytes)) }, false},
		"the longest idempotency key":    {func(j *ledger.NewJob) { j.IdempotencyKey = long(ledger.KeyBytes) }, true},
		"a longer idempotency key":       {func(j *ledger.NewJob) { j.IdempotencyKey = long(ledger.KeyBytes + 1) }, false},
		"a longer unique key":            {func(j *ledger.NewJob) { j.UniqueKey = long(ledger.KeyBytes + 1) }, false},
		"the longest destination":        {func(j *ledger.NewJob) { j.OnSuccess = long(ledger.TargetBytes) }, true},
		"a longer destination":           {func(j *ledger.NewJob) { j.OnFailure = long(ledger.TargetBytes + 1) }, false},
		"a negative depth":               {func(j *ledger.NewJob) { j.Depth = -1 }, false},
		"the longest wait":               {func(j *ledger.NewJob) { j.RunAt = noon.Add(ledger.MaxWait) }, true},
		"a longer wait":                  {func(j *ledger.NewJob) { j.RunAt = noon.Add(ledger.MaxWait + 1) }, false},
		"a year nobody can store":        {func(j *ledger.NewJob) { j.RunAt = time.Unix(-1<<62, 0) }, false},
		"a negative age":                 {func(j *ledger.NewJob) { j.MaxAge = -1 }, false},
		"the greatest age":               {func(j *ledger.NewJob) { j.MaxAge = ledger.MaxWait }, true},
		"a greater age":                  {func(j *ledger.NewJob) { j.MaxAge = ledger.MaxWait + 1 }, false},
		"an idempotency key for ever":    {func(j *ledger.NewJob) { j.KeyAge = ledger.MaxWait + 1 }, false},
		"a unique key for less than now": {func(j *ledger.NewJob) { j.UniqueAge = -1 }, false},
	} {
		job := ledger.NewJob{Function: "f", Request: request()}
		test.change(&job)
		if err := job.Validate(noon); (err == nil) != test.ok || err != nil && !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%s: got %v, want ok %v", name, err, test.ok)
		}
	}
}

// request is one in which everything is set, and not all of it is UTF-8.
func request() ledger.Request {
	return ledger.Request{
		ID: "01HZXW", Method: "POST", Proto: "HTTP/1.1", Scheme: "http", Host: "a.example:80", Path: "/a%20b",
		RawQuery: "x=\xff\x00", HasQuery: true, RemoteAddr: "127.0.0.1:1",
		Header: abi.Header{{Name: "x-a", Value: "\x80\xfe"}, {Name: "x-a", Value: ""}, {Name: "", Value: "x"}},
		Body:   []byte("\x00\xff\xc0body"),
	}
}

func TestARequestIsARequestAgain(t *testing.T) {
	r := request()
	whole := r.ABI("f")
	if got := ledger.FromABI(whole); !reflect.DeepEqual(got, r) {
		t.Errorf("through abi: got %+v, want %+v", got, r)
	}
	v := reflect.ValueOf(*whole)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("a job forgets %s of a request", v.Type().Field(i).Name)
		}
	}
	if got := r.Clone(); !reflect.DeepEqual(got, r) {
		t.Errorf("clone: got %+v, want %+v", got, r)
	}
}

func TestAHeadCutShortIsDamagedOrShorter(t *testing.T) {
	r := request()
	head := r.AppendHead(nil)
	for n := range head {
		if got, err := ledger.DecodeHead(head[:n]); err == nil && len(got.Header) >= len(r.Header) {
			t.Errorf("%d of %d bytes: got a whole head", n, len(head))
		}
	}
	head[0]++
	if _, err := ledger.DecodeHead(head); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("a newer version: got %v", err)
	}
}

func FuzzDecodeHead(f *testing.F) {
	r := request()
	f.Add(r.AppendHead(nil))
	f.Add([]byte{1, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, head []byte) {
		r, err := ledger.DecodeHead(head)
		if err != nil {
			return
		}
		again, err := ledger.DecodeHead(r.AppendHead(nil))
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("got %+v, %v; want %+v", again, err, r)
		}
	})
}
