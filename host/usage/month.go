package usage

import (
	"fmt"
	"time"
)

// Month is a month of the calendar in UTC: the year times twelve and the months
// passed of it, so that the next month is the next number. As text it is
// "2026-11".
type Month int

const monthLayout = "2006-01"

// MonthOf returns the month of t.
func MonthOf(t time.Time) Month {
	year, month, _ := t.UTC().Date()
	return Month(12*year + int(month) - 1)
}

func (m Month) String() string {
	return fmt.Sprintf("%04d-%02d", int(m)/12, int(m)%12+1)
}

// MarshalText makes a Month a key in JSON.
func (m Month) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (m *Month) UnmarshalText(text []byte) error {
	t, err := time.Parse(monthLayout, string(text))
	if err != nil {
		return fmt.Errorf("%q is not a month", text)
	}
	*m = MonthOf(t)
	return nil
}

// oldest returns the first of the months; there is at least one.
func oldest[V any](months map[Month]V) Month {
	first := Month(1 << 31)
	for month := range months {
		first = min(first, month)
	}
	return first
}
