package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cloche-run/cloche/abi"
)

const (
	kilobyte = 1 << 10
	megabyte = 1 << 20
	gigabyte = 1 << 30
)

// duration is "1m30s", or a bare number of seconds, from low to high.
func (t table) duration(key string, low, high time.Duration) *time.Duration {
	v, ok := t.values[key]
	if !ok {
		return nil
	}
	remedy := fmt.Sprintf(`write a duration from "%s" to "%s", such as "1m30s", or a number of seconds`,
		durationText(low), durationText(high))
	d, ok := parseDuration(v)
	if !ok {
		t.mistyped(key, "a duration", remedy)
		return nil
	}
	if d < low || d > high {
		t.fail(key, shown(v)+" is out of range", remedy)
		return nil
	}
	return &d
}

// parseDuration reads the units of Go's time.ParseDuration, as every other
// flag and key of cloche does.
func parseDuration(v any) (time.Duration, bool) {
	const most = float64(1<<63 - 1)
	if seconds, ok := number(v); ok {
		// What does not fit is out of any range, so the nearest will do.
		nanoseconds := max(-most/2, min(seconds*float64(time.Second), most/2))
		return time.Duration(nanoseconds), true
	}
	text, ok := v.(string)
	if !ok {
		return 0, false
	}
	d, err := time.ParseDuration(text)
	return d, err == nil
}

// durationText is d without the zeros of Duration.String: "24h", not "24h0m0s".
func durationText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// size is "1024mb", or a bare number of megabytes, from low to high bytes, and
// whole pages of a linear memory.
func (t table) size(key string, low, high int64) *int64 {
	v, ok := t.values[key]
	if !ok {
		return nil
	}
	remedy := fmt.Sprintf(`write a size from "%s" to "%s", such as "256mb", or a number of megabytes`,
		sizeText(low), sizeText(high))
	bytes, ok := parseSize(v)
	if !ok {
		t.mistyped(key, "a size", remedy)
		return nil
	}
	if bytes < float64(low) || bytes > float64(high) {
		t.fail(key, shown(v)+" is out of range", remedy)
		return nil
	}
	whole := int64(bytes)
	if float64(whole) != bytes || whole%abi.PageBytes != 0 {
		t.fail(key, fmt.Sprintf("%s is not a whole number of pages", shown(v)),
			fmt.Sprintf("write a multiple of %s", sizeText(abi.PageBytes)))
		return nil
	}
	return &whole
}

// parseSize returns bytes. A megabyte is 1,048,576 of them, and bare numbers
// are megabytes, as in Netlify's memory.
func parseSize(v any) (bytes float64, ok bool) {
	if megabytes, ok := number(v); ok {
		return megabytes * megabyte, true
	}
	text, ok := v.(string)
	if !ok {
		return 0, false
	}
	text, unit := splitUnit(strings.ToLower(strings.TrimSpace(text)))
	if strings.Trim(text, "0123456789.") != "" {
		return 0, false // ParseFloat takes signs, exponents and words
	}
	amount, err := strconv.ParseFloat(text, 64)
	return amount * unit, err == nil
}

func splitUnit(text string) (amount string, bytes float64) {
	bytes = megabyte
	for _, unit := range []struct {
		name  string
		bytes float64
	}{{"kb", kilobyte}, {"mb", megabyte}, {"gb", gigabyte}} {
		if before, ok := strings.CutSuffix(text, unit.name); ok {
			text, bytes = before, unit.bytes
			break
		}
	}
	return strings.TrimSpace(text), bytes
}

// sizeText is in the largest unit below a gigabyte that leaves no rest: the
// reader compares it with "1024mb".
func sizeText(bytes int64) string {
	if bytes%megabyte == 0 {
		return fmt.Sprintf("%dmb", bytes/megabyte)
	}
	return fmt.Sprintf("%dkb", bytes/kilobyte)
}
