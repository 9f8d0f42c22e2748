package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

const (
	// MaxErrors is how many errors Load reports one by one; a last one counts
	// the rest.
	MaxErrors = 20

	maxShown   = 64  // runes of a value or of a part of a key in a message
	maxMessage = 300 // runes of a message that another package made
)

// Error is one thing that is wrong with a site's configuration.
type Error struct {
	// File is "netlify.toml", or the site directory if that cannot be opened.
	File string
	// Line counts from 1; 0 if no line is to blame.
	Line int
	// Key is the dotted key, its parts quoted where TOML needs it; "" if no key
	// is to blame.
	Key string
	// Message says what is wrong, Remedy what to write instead; that may be "".
	// Neither holds control characters, whatever the file holds.
	Message, Remedy string

	cause error
}

// Error is one line: "netlify.toml:12: functions.hello.timout: unknown key; did
// you mean "timeout"?".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Key != "" {
		b.WriteString(": " + e.Key)
	}
	b.WriteString(": " + e.Message)
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return b.String()
}

// Unwrap returns what the operating system said, if it was that.
func (e *Error) Unwrap() error { return e.cause }

// Warning is a key that is known but has no effect.
type Warning struct {
	// Line counts from 1, in netlify.toml.
	Line int
	// Key is the dotted key, as in Error.
	Key string
	// Message says why it has none.
	Message string
}

func fileError(message, remedy string, cause error) *Error {
	return &Error{File: FileName, Message: message, Remedy: remedy, cause: cause}
}

func siteError(root string, cause error) *Error {
	return &Error{
		File:    printable(root, maxMessage),
		Message: "the site directory cannot be opened: " + reason(cause),
		cause:   cause,
	}
}

// reason is err without the path that the message names already.
func reason(err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return printable(err.Error(), maxMessage)
}

// keyName writes a path as it would stand in the file.
func keyName(path []string) string {
	parts := make([]string, len(path))
	for i, part := range path {
		parts[i] = part
		if !isBare(part) {
			parts[i] = quoted(part)
		} else if len(part) > maxShown {
			parts[i] = part[:maxShown] + "…"
		}
	}
	return strings.Join(parts, ".")
}

// isBare reports whether TOML takes part of a key without quotes.
func isBare(part string) bool {
	for i := range len(part) {
		if !isBareByte(part[i]) {
			return false
		}
	}
	return part != ""
}

func isBareByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// quoted is %q, cut to a length that fits in a message.
func quoted(s string) string { return strconv.Quote(cut(s, maxShown)) }

// printable makes text from elsewhere safe for a terminal or a log.
func printable(s string, runes int) string {
	return strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return '\ufffd'
	}, cut(s, runes))
}

// cut keeps the first runes of s.
func cut(s string, runes int) string {
	for i := range s {
		if runes == 0 {
			return s[:i] + "…"
		}
		runes--
	}
	return s
}
