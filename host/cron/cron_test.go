package cron_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/host/cron"
)

func at(t testing.TB, text string) time.Time {
	t.Helper()
	v, err := time.Parse("2006-01-02 15:04:05", text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestNext(t *testing.T) {
	for name, test := range map[string]struct{ expression, after, want string }{
		"every minute":                     {"* * * * *", "2026-11-23 17:59:30", "2026-11-23 18:00:00"},
		"strictly after":                   {"* * * * *", "2026-11-23 18:00:00", "2026-11-23 18:01:00"},
		"@hourly":                          {"@hourly", "2026-11-23 18:00:00", "2026-11-23 19:00:00"},
		"@daily":                           {"@daily", "2026-11-23 18:00:00", "2026-11-24 00:00:00"},
		"@weekly is Sunday":                {"@weekly", "2026-11-23 18:00:00", "2026-11-29 00:00:00"},
		"@monthly":                         {"@monthly", "2026-11-23 18:00:00", "2026-12-01 00:00:00"},
		"@yearly":                          {"@yearly", "2026-11-23 18:00:00", "2027-01-01 00:00:00"},
		"a step":                           {"*/15 * * * *", "2026-11-23 18:16:00", "2026-11-23 18:30:00"},
		"a step from a number on":          {"5/20 * * * *", "2026-11-23 18:26:00", "2026-11-23 18:45:00"},
		"a step in a range":                {"0 8-18/4 * * *", "2026-11-23 12:00:00", "2026-11-23 16:00:00"},
		"a list":                           {"1,31 * * * *", "2026-11-23 18:02:00", "2026-11-23 18:31:00"},
		"weekdays by name":                 {"0 9 * * MON-fri", "2026-11-27 10:00:00", "2026-11-30 09:00:00"},
		"Sunday is 7 too":                  {"0 0 * * 7", "2026-11-23 18:00:00", "2026-11-29 00:00:00"},
		"a range to 7 ends on Sunday":      {"0 0 * * 6-7", "2026-11-28 00:00:00", "2026-11-29 00:00:00"},
		"months by name":                   {"0 0 1 feb *", "2026-11-23 18:00:00", "2027-02-01 00:00:00"},
		"a question mark is any day":       {"0 0 ? * 1", "2026-11-23 18:00:00", "2026-11-30 00:00:00"},
		"day or weekday, if both are said": {"0 0 13 * 5", "2026-11-09 00:00:00", "2026-11-13 00:00:00"},
		"the weekday of that pair":         {"0 0 13 * 5", "2026-11-13 00:00:00", "2026-11-20 00:00:00"},
		"any weekday restricts nothing":    {"0 0 13 * 0-6", "2026-11-13 00:00:00", "2026-12-13 00:00:00"},
		"any day restricts nothing":        {"0 0 1-31 * 5", "2026-11-13 00:00:00", "2026-11-20 00:00:00"},
		"the 31st skips short months":      {"0 0 31 * *", "2026-10-31 00:00:00", "2026-12-31 00:00:00"},
		"a leap day":                       {"0 0 29 2 *", "2026-11-23 18:00:00", "2028-02-29 00:00:00"},
		"a leap day across a century that has none":  {"0 0 29 2 *", "2096-02-29 00:00:00", "2104-02-29 00:00:00"},
		"the last minute of a year":                  {"59 23 31 12 *", "2026-12-31 23:59:00", "2027-12-31 23:59:00"},
		"spaces in front and tabs between":           {"  0\t0 1  1 * ", "2026-11-23 18:00:00", "2027-01-01 00:00:00"},
		"a summer time change elsewhere is no event": {"30 2 * * *", "2026-03-28 02:30:00", "2026-03-29 02:30:00"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := cron.Parse(test.expression)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := s.Next(at(t, test.after)); !ok || !got.Equal(at(t, test.want)) {
				t.Errorf("after %s comes %v, want %s", test.after, got, test.want)
			}
		})
	}
}

func TestNextIsUTC(t *testing.T) {
	s, err := cron.Parse("0 12 * * *")
	if err != nil {
		t.Fatal(err)
	}
	zone := time.FixedZone("", 5*60*60+30*60)
	got, _ := s.Next(time.Date(2026, 11, 23, 17, 0, 0, 0, zone)) // 11:30 in UTC
	if want := at(t, "2026-11-23 12:00:00"); !got.Equal(want) || got.Location() != time.UTC {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for expression, want := range map[string]string{
		"":                       "5 fields",
		"* * * *":                "5 fields",
		"* * * * * *":            "5 fields",
		"@reboot":                "no shortcut",
		"@annually":              "no shortcut",
		"@every 1m":              "no shortcut",
		"@Daily":                 "no shortcut",
		"TZ=UTC * * * * *":       "5 fields",
		"60 * * * *":             "from 0 to 59",
		"* 24 * * *":             "from 0 to 23",
		"* * 0 * *":              "from 1 to 31",
		"* * 32 * *":             "from 1 to 31",
		"* * * 13 *":             "names like feb",
		"* * * * 8":              "names like mon",
		"-1 * * * *":             "minute",
		"+1 * * * *":             "minute",
		"5-1 * * * *":            "goes up",
		"*/0 * * * *":            "a step",
		"*/60 * * * *":           "a step",
		"*/x * * * *":            "a step",
		"1,,2 * * * *":           "minute",
		"1- * * * *":             "minute",
		"? * * * *":              "minute",
		"* * L * *":              "day",
		"* * * * 5#2":            "weekday",
		"0 0 30 2 *":             "never fires",
		"0 0 31 2,4,6,9,11 *":    "never fires",
		"99999999999999 * * * *": "minute",
		"* * * * *" + strings.Repeat(" ", cron.ExpressionBytes): "longer than",
	} {
		if _, err := cron.Parse(expression); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %q", expression, err, want)
		}
	}
	if _, err := cron.Parse("* * * * *" + strings.Repeat(" ", cron.ExpressionBytes-9)); err != nil {
		t.Errorf("the longest that may be: %v", err)
	}
}

func TestLatest(t *testing.T) {
	s, err := cron.Parse("0 3 * * *")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ since, until, want string }{
		"the last of several":   {"2026-11-20 12:00:00", "2026-11-23 12:00:00", "2026-11-23 03:00:00"},
		"both ends count":       {"2026-11-23 03:00:00", "2026-11-23 03:00:00", "2026-11-23 03:00:00"},
		"none between":          {"2026-11-23 03:00:01", "2026-11-24 02:59:59", ""},
		"a range that is empty": {"2026-11-24 00:00:00", "2026-11-23 00:00:00", ""},
	} {
		got, ok := s.Latest(at(t, test.since), at(t, test.until))
		if ok != (test.want != "") || ok && !got.Equal(at(t, test.want)) {
			t.Errorf("%s: got %v %v, want %q", name, got, ok, test.want)
		}
	}
}

// slow is the definition, minute by minute.
func slow(fields [5]map[int]bool, t time.Time) bool {
	day, weekday := fields[2][t.Day()], fields[4][int(t.Weekday())]
	days := day || weekday
	if len(fields[2]) == 31 {
		days = weekday
	} else if len(fields[4]) == 7 {
		days = day
	}
	return fields[0][t.Minute()] && fields[1][t.Hour()] && days && fields[3][int(t.Month())]
}

func TestNextAgreesWithTheDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	bounds := [5][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 6}}
	for range 300 {
		var texts [5]string
		var fields [5]map[int]bool
		for i, b := range bounds {
			texts[i], fields[i] = randomField(random, b[0], b[1])
		}
		expression := strings.Join(texts[:], " ")
		s, err := cron.Parse(expression)
		if err != nil {
			continue // it never fires
		}
		from := time.Date(2026, 1, 1+random.IntN(700), random.IntN(24), random.IntN(60), 0, 0, time.UTC)
		got, _ := s.Next(from)
		want := from.Add(time.Minute)
		for limit := from.AddDate(0, 0, 40); !slow(fields, want) && want.Before(limit); {
			want = want.Add(time.Minute)
		}
		if slow(fields, want) != got.Equal(want) {
			t.Errorf("%q after %v: got %v, want %v", expression, from, got, want)
		}
	}
}

func randomField(random *rand.Rand, low, high int) (string, map[int]bool) {
	all := func(from, to, by int) map[int]bool {
		m := map[int]bool{}
		for n := from; n <= to; n += by {
			m[n] = true
		}
		return m
	}
	a := low + random.IntN(high-low+1)
	b := a + random.IntN(high-a+1)
	by := 1 + random.IntN(3)
	switch random.IntN(4) {
	case 0:
		return "*", all(low, high, 1)
	case 1:
		return strconv.Itoa(a), all(a, a, 1)
	case 2:
		return strconv.Itoa(a) + "-" + strconv.Itoa(b), all(a, b, 1)
	}
	return strconv.Itoa(a) + "-" + strconv.Itoa(b) + "/" + strconv.Itoa(by), all(a, b, by)
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"* * * * *", "@daily", "1-5/2,7 * 29 feb sun", "0 0 30 2 *", "5/20 ? * * mon#1"} {
		f.Add(seed)
	}
	from := time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, expression string) {
		s, err := cron.Parse(expression)
		if err != nil {
			return
		}
		next, ok := s.Next(from)
		if !ok || !next.After(from) || next.Second() != 0 {
			t.Errorf("%q: next is %v, %v", expression, next, ok)
		}
		again, err := cron.Parse(s.String())
		if err != nil {
			t.Fatalf("%q does not parse again: %v", s, err)
		}
		if n, _ := again.Next(from); !n.Equal(next) {
			t.Errorf("%q and %q differ", expression, s)
		}
	})
}
