package logs

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"time"
)

// Keys of the fields every record has a place for.
// (UnmarshalJSON has them too, in quotes.)
const (
	keyTime     = "time"
	keyLevel    = "level"
	keyFunction = "function"
	keyRequest  = "request"
	keyMessage  = "msg"
	// keyCut is set on a record that lost attributes to AttrBytes.
	keyCut = "attributes_cut"
)

// timeLayout is RFC 3339 in UTC with a fixed number of digits, so that lines
// sort by time as they stand.
const timeLayout = "2006-01-02T15:04:05.000000000Z07:00"

// errNotRecord is a line that no Store wrote.
var errNotRecord = errors.New("logs: not a record")

// Record is one line of a log.
type Record struct {
	Time  time.Time
	Level slog.Level
	// Function and Request are "" where the host speaks for itself.
	Function, Request string
	Message           string
	// Attrs hold strings, numbers and booleans; durations and times are kept as
	// text ("12.5ms", RFC 3339).
	Attrs []slog.Attr
}

// Attr returns the value of the attribute key, or the zero Value.
func (r Record) Attr(key string) slog.Value {
	for _, attr := range r.Attrs {
		if attr.Key == key {
			return attr.Value
		}
	}
	return slog.Value{}
}

// MarshalJSON returns the record as the log stores it: one flat object, every
// string within its limit, control characters escaped.
func (r Record) MarshalJSON() ([]byte, error) {
	line := r.appendLine(nil)
	return line[:len(line)-1], nil
}

// UnmarshalJSON reads what MarshalJSON wrote. An object without a time and a
// level is no record.
func (r *Record) UnmarshalJSON(data []byte) error {
	var read Record
	var when, level string
	known := true
	object := eachField(data, func(name, value []byte) {
		ok := true
		switch string(name) {
		case `"time"`:
			when, ok = text(value)
		case `"level"`:
			level, ok = text(value)
		case `"function"`:
			read.Function, ok = text(value)
		case `"request"`:
			read.Request, ok = text(value)
		case `"msg"`:
			read.Message, ok = text(value)
		default:
			read.addAttr(name, value)
		}
		known = known && ok
	})
	if !object || !known {
		return errNotRecord
	}
	var err error
	if read.Time, err = time.Parse(time.RFC3339Nano, when); err != nil {
		return fmt.Errorf("%w: bad time", errNotRecord)
	}
	read.Time = read.Time.UTC()
	if err := read.Level.UnmarshalText([]byte(level)); err != nil {
		return fmt.Errorf("%w: bad level", errNotRecord)
	}
	*r = read
	return nil
}

func (r *Record) addAttr(name, value []byte) {
	key, _ := text(name)
	if v, ok := scalar(value); ok {
		r.Attrs = append(r.Attrs, slog.Attr{Key: key, Value: v})
	}
}

// appendLine appends the record and a newline.
func (r Record) appendLine(dst []byte) []byte {
	var attrs attrs
	for _, attr := range r.Attrs {
		attrs.add("", attr)
	}
	return appendRecord(dst, r, attrs.close())
}

// appendRecord appends r with attributes that are encoded already: ",KEY:VALUE"
// any number of times.
func appendRecord(dst []byte, r Record, attrs []byte) []byte {
	dst = append(dst, `{"time":"`...)
	dst = inYears(r.Time).AppendFormat(dst, timeLayout)
	dst = append(dst, `","level":"`...)
	dst = append(dst, r.Level.String()...)
	dst = append(dst, '"')
	if r.Function != "" {
		dst = appendString(append(dst, `,"function":`...), r.Function, NameBytes)
	}
	if r.Request != "" {
		dst = appendString(append(dst, `,"request":`...), r.Request, NameBytes)
	}
	dst = appendString(append(dst, `,"msg":`...), r.Message, MessageBytes)
	dst = append(dst, attrs...)
	return append(dst, '}', '\n')
}

// inYears returns t in UTC, in one of the years that RFC 3339 can write.
func inYears(t time.Time) time.Time {
	t = t.UTC()
	if t.Year() < 0 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// attrs encodes attributes, up to AttrBytes.
type attrs struct {
	encoded []byte
	cut     bool
}

// add appends one attribute, a group as one for each member. prefix is the name
// of the open groups, each with its dot.
func (a *attrs) add(prefix string, attr slog.Attr) {
	value := attr.Value.Resolve()
	if attr.Key == "" && value.Kind() != slog.KindGroup {
		return
	}
	if value.Kind() == slog.KindGroup {
		if attr.Key != "" {
			prefix += attr.Key + "."
		}
		for _, member := range value.Group() {
			a.add(prefix, member)
		}
		return
	}
	a.pair(prefix+attr.Key, value)
}

// pair appends a scalar, a string cut to the room there is, or leaves it out
// when there is none.
func (a *attrs) pair(key string, value slog.Value) {
	const least = NameBytes + 64 // a key, its punctuation and a number
	if len(a.encoded) > AttrBytes-2*least {
		a.cut = true
		return
	}
	switch key {
	case keyTime, keyLevel, keyFunction, keyRequest, keyMessage:
		key = "attr." + key
	}
	a.encoded = appendString(append(a.encoded, ','), key, NameBytes)
	a.encoded = appendValue(append(a.encoded, ':'), value, AttrBytes-least-len(a.encoded))
}

// close returns what was encoded, with the mark of what was not.
func (a *attrs) close() []byte {
	if a.cut {
		return append(a.encoded, `,"`+keyCut+`":true`...)
	}
	return a.encoded
}

func appendValue(dst []byte, value slog.Value, limit int) []byte {
	switch value.Kind() {
	case slog.KindString:
		return appendString(dst, value.String(), limit)
	case slog.KindInt64:
		return strconv.AppendInt(dst, value.Int64(), 10)
	case slog.KindUint64:
		return strconv.AppendUint(dst, value.Uint64(), 10)
	case slog.KindBool:
		return strconv.AppendBool(dst, value.Bool())
	case slog.KindFloat64:
		return appendFloat(dst, value.Float64())
	case slog.KindTime:
		return appendString(dst, inYears(value.Time()).Format(time.RFC3339Nano), limit)
	case slog.KindAny:
		return appendString(dst, textOf(value.Any()), limit)
	}
	return appendString(dst, value.String(), limit)
}

// appendFloat writes what JSON has no number for as a string.
func appendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(strconv.AppendFloat(append(dst, '"'), f, 'g', -1, 64), '"')
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64)
}

// textOf renders any other value. fmt survives a nil receiver of Error or String.
func textOf(value any) string {
	if text, ok := value.([]byte); ok {
		return string(text)
	}
	return fmt.Sprint(value)
}
