package cron

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// field is one of the five: its name and the numbers and words that it takes.
type field struct {
	name      string
	low, high int
	words     []string // the first stands for low
}

func monthNames() []string {
	return []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
}

func weekdayNames() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

// parse reads a list of ranges, each perhaps with a step.
func (f field) parse(text string) (set bits, err error) {
	for part := range strings.SplitSeq(text, ",") {
		numbers, err := f.part(part)
		if err != nil {
			return 0, fmt.Errorf("%s %.32q: %w", f.name, text, err)
		}
		set |= numbers
	}
	return set, nil
}

// part is "*", "7", "1-5" or "jan", and with a step "*/15", "1-30/2"; "7/15" is
// from 7 to the end.
func (f field) part(text string) (bits, error) {
	text, step, stepped := strings.Cut(text, "/")
	low, high, err := f.bounds(text, stepped)
	if err != nil {
		return 0, err
	}
	by := 1
	if stepped {
		if by, err = number(step); err != nil || by < 1 || by > f.high {
			return 0, fmt.Errorf("a step is a number from 1 to %d", f.high)
		}
	}
	var set bits
	for n := low; n <= high; n += by {
		set |= 1 << n
	}
	return set, nil
}

func (f field) bounds(text string, stepped bool) (low, high int, err error) {
	if text == "*" || text == "?" && (f.name == "day" || f.name == "weekday") {
		if f.name == "weekday" {
			return f.low, 6, nil
		}
		return f.low, f.high, nil
	}
	from, to, isRange := strings.Cut(text, "-")
	if low, err = f.value(from); err != nil {
		return 0, 0, err
	}
	switch {
	case isRange:
		high, err = f.value(to)
	case stepped:
		high = f.high
	default:
		high = low
	}
	if err == nil && high < low {
		err = fmt.Errorf("a range goes up")
	}
	return low, high, err
}

func (f field) value(text string) (int, error) {
	if i := slices.Index(f.words, strings.ToLower(text)); i >= 0 {
		return f.low + i, nil
	}
	n, err := number(text)
	if err != nil || n < f.low || n > f.high {
		return 0, f.refuse()
	}
	return n, nil
}

func (f field) refuse() error {
	message := fmt.Sprintf("write numbers from %d to %d", f.low, f.high)
	if f.words != nil {
		message += fmt.Sprintf(" or names like %s", f.words[1])
	}
	return fmt.Errorf("%s, *, ranges as 1-5, lists as 1,3 or steps as */2", message)
}

// number reads digits only: no sign.
func number(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 8)
	return int(n), err
}

// span is the set of all numbers from low to high.
func span(low, high int) (set bits) {
	for n := low; n <= high; n++ {
		set |= 1 << n
	}
	return set
}
