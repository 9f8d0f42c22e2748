package cli

import (
	"fmt"
	"strconv"
	"strings"
)

// size is a flag in bytes, written as people write it: 64mb, 4gb.
type size int64

var units = []struct {
	suffix string
	bytes  int64
}{{"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30}, {"b", 1}}

func (s *size) Set(text string) error {
	lower := strings.ToLower(strings.TrimSpace(text))
	for _, unit := range units {
		number, ok := strings.CutSuffix(lower, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n < 0 || n > (1<<62)/unit.bytes {
			break
		}
		*s = size(n * unit.bytes)
		return nil
	}
	return fmt.Errorf("%q is no size: write 512mb or 4gb", text)
}

func (s *size) Type() string { return "size" }

func (s *size) String() string {
	switch n := int64(*s); {
	case n == 0:
		return ""
	case n%(1<<30) == 0:
		return fmt.Sprintf("%dgb", n>>30)
	case n%(1<<20) == 0:
		return fmt.Sprintf("%dmb", n>>20)
	default:
		return fmt.Sprintf("%db", n)
	}
}

// bytesText shows a size to people.
func bytesText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}
