// Package cron knows when a schedule fires: it parses the five fields of a cron
// expression and says which minute comes next. It is pure: no clock of its own,
// no time zone but UTC.
//
// The language is that of Netlify's scheduled functions
// (https://docs.netlify.com/build/functions/scheduled-functions/): minute, hour,
// day of the month, month, day of the week, and the five shortcuts @yearly,
// @monthly, @weekly, @daily and @hourly.
package cron

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ExpressionBytes is the longest expression that Parse takes.
const ExpressionBytes = 256

// Schedule is a parsed expression. The zero Schedule never fires.
type Schedule struct {
	text                         string
	minutes, hours, days, months bits
	weekdays                     bits
	everyDay, everyWeekday       bool
}

// bits is a set of small numbers.
type bits uint64

func (b bits) has(n int) bool { return b&(1<<n) != 0 }

// Parse reads an expression. An error says which field is wrong and what it may
// be. One that no date will ever match is an error too.
func Parse(expression string) (Schedule, error) {
	if len(expression) > ExpressionBytes {
		return Schedule{}, fmt.Errorf("the schedule is longer than %d bytes", ExpressionBytes)
	}
	text := strings.TrimSpace(expression)
	if strings.HasPrefix(text, "@") {
		long, ok := shortcut(text)
		if !ok {
			return Schedule{}, fmt.Errorf("%.32q is no shortcut: write @hourly, @daily, @weekly, @monthly, @yearly or five fields", text)
		}
		text = long
	}
	s := Schedule{text: strings.TrimSpace(expression)}
	if err := s.parse(strings.Fields(text)); err != nil {
		return Schedule{}, err
	}
	// Everything that can happen does within eight years: a leap day may be that far away.
	if _, ok := s.Next(time.Date(2096, 2, 29, 23, 59, 0, 0, time.UTC)); !ok {
		return Schedule{}, errors.New("the schedule never fires: no month of its has such a day")
	}
	return s, nil
}

// shortcut spells out what begins with @.
func shortcut(name string) (fields string, ok bool) {
	switch name {
	case "@yearly":
		return "0 0 1 1 *", true
	case "@monthly":
		return "0 0 1 * *", true
	case "@weekly":
		return "0 0 * * 0", true
	case "@daily":
		return "0 0 * * *", true
	case "@hourly":
		return "0 * * * *", true
	}
	return "", false
}

func (s *Schedule) parse(fields []string) error {
	if len(fields) != 5 {
		return fmt.Errorf("a schedule has 5 fields (minute, hour, day, month, weekday), this one %d", len(fields))
	}
	var err error
	for i, f := range []struct {
		field
		to *bits
	}{
		{field{"minute", 0, 59, nil}, &s.minutes},
		{field{"hour", 0, 23, nil}, &s.hours},
		{field{"day", 1, 31, nil}, &s.days},
		{field{"month", 1, 12, monthNames()}, &s.months},
		{field{"weekday", 0, 7, weekdayNames()}, &s.weekdays},
	} {
		if *f.to, err = f.parse(fields[i]); err != nil {
			return err
		}
	}
	if s.weekdays.has(7) { // Sunday is 0 and 7
		s.weekdays |= 1
	}
	s.everyDay = s.days == span(1, 31)
	s.everyWeekday = s.weekdays&span(0, 6) == span(0, 6)
	return nil
}

// String is the expression as it was written, "" for the zero Schedule.
func (s Schedule) String() string { return s.text }

// IsZero reports whether s is no schedule at all.
func (s Schedule) IsZero() bool { return s.text == "" }

// years is how far ahead Next looks: the longest time between two leap days.
const years = 8

// Next returns the first minute after t at which the schedule fires, in UTC;
// false if there is none.
func (s Schedule) Next(t time.Time) (next time.Time, ok bool) {
	t = t.UTC()
	last := t.Year() + years
	t = t.Truncate(time.Minute).Add(time.Minute)
	for t.Year() <= last {
		switch {
		case !s.months.has(int(t.Month())):
			t = time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
		case !s.day(t):
			t = time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, time.UTC)
		case !s.hours.has(t.Hour()):
			t = t.Truncate(time.Hour).Add(time.Hour)
		case !s.minutes.has(t.Minute()):
			t = t.Add(time.Minute)
		default:
			return t, true
		}
	}
	return time.Time{}, false
}

// Latest returns the last minute up to t at which the schedule fired and that
// is not before since; false if there was none.
func (s Schedule) Latest(since, t time.Time) (latest time.Time, ok bool) {
	for next, found := s.Next(since.Add(-time.Nanosecond)); found && !next.After(t); next, found = s.Next(next) {
		latest, ok = next, true
	}
	return latest, ok
}

// day is cron's old rule: of day and weekday, if both are restricted, one is enough.
func (s Schedule) day(t time.Time) bool {
	day, weekday := s.days.has(t.Day()), s.weekdays.has(int(t.Weekday()))
	switch {
	case s.everyDay:
		return weekday
	case s.everyWeekday:
		return day
	}
	return day || weekday
}
