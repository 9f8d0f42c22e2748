package logs

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strconv"
	"strings"
)

// eachField calls field for every member of a JSON object, with the name and the
// value as they stand. It reports false when data is no object. Lines are read
// by the hundred thousand, which is why this is not encoding/json.
func eachField(data []byte, field func(name, value []byte)) bool {
	data = bytes.TrimSpace(data)
	if !json.Valid(data) || data[0] != '{' {
		return false
	}
	// From here on data is known to be well formed.
	rest := bytes.TrimSpace(data[1:])
	for rest[0] != '}' {
		end := valueEnd(rest)
		name := rest[:end]
		rest = bytes.TrimSpace(rest[end:])
		rest = bytes.TrimSpace(rest[1:]) // the colon
		end = valueEnd(rest)
		field(name, rest[:end])
		rest = bytes.TrimSpace(rest[end:])
		if rest[0] == ',' {
			rest = bytes.TrimSpace(rest[1:])
		}
	}
	return true
}

// valueEnd is the length of the JSON value at the front of well-formed JSON.
func valueEnd(data []byte) int {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			if i += stringEnd(data[i:]) - 1; depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // the end of what a number stands in
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return len(data)
}

// stringEnd is the length of the JSON string at the front of data.
func stringEnd(data []byte) int {
	for i := 1; ; i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// text reads a JSON string; "" and false if value is something else.
func text(value []byte) (string, bool) {
	if value[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return strings.ToValidUTF8(string(value[1:len(value)-1]), "\uFFFD"), true
	}
	var s string
	err := json.Unmarshal(value, &s)
	return s, err == nil
}

// scalar reads a JSON value; an array or object stays as its JSON. null is none.
func scalar(value []byte) (slog.Value, bool) {
	switch value[0] {
	case '"':
		s, ok := text(value)
		return slog.StringValue(s), ok
	case 't', 'f':
		return slog.BoolValue(value[0] == 't'), true
	case 'n':
		return slog.Value{}, false
	case '{', '[':
		return slog.StringValue(strings.ToValidUTF8(string(value), "\uFFFD")), true
	}
	return number(string(value)), true
}

func number(text string) slog.Value {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return slog.Int64Value(n)
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return slog.Uint64Value(n)
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return slog.StringValue(text) // beyond a float64
	}
	return slog.Float64Value(n)
}
