package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// document is a file that is TOML, and what was found wrong while reading it.
type document struct {
	values   map[string]any
	lines    *keyLines
	errs     []*Error
	warnings []Warning
}

// read parses text. The scan comes first: the parser never sees more than the
// scan has checked against the limits.
func read(text string) (*document, error) {
	s, scanErr := scan(text)
	if limit := (*Error)(nil); errors.As(scanErr, &limit) {
		return nil, limit
	}
	if scanErr != nil {
		text = s.seen()
	}
	values, err := decode(text)
	if err != nil {
		return nil, err
	}
	if scanErr != nil {
		return nil, &Error{File: FileName, Line: s.line, Message: "is not valid TOML", Remedy: syntaxRemedy}
	}
	return &document{values: values, lines: s.lines}, nil
}

const syntaxRemedy = "https://toml.io/en/v1.0.0 shows how it is written"

// decode calls the TOML parser, which reports some bad input by panicking with
// a string.
func decode(text string) (values map[string]any, err error) {
	defer func() {
		if recover() != nil {
			values, err = nil, fileError("is not valid TOML", syntaxRemedy, nil)
		}
	}()
	_, err = toml.Decode(text, &values)
	if parse := (toml.ParseError{}); errors.As(err, &parse) {
		return nil, syntaxError(text, parse)
	}
	if err != nil {
		return nil, fileError("is not valid TOML: "+printable(err.Error(), maxMessage), syntaxRemedy, nil)
	}
	return values, nil
}

func syntaxError(text string, parse toml.ParseError) *Error {
	lines := strings.Split(text, "\n")
	line := min(max(parse.Position.Line, 1), len(lines))
	remedy := syntaxRemedy
	if header := strings.TrimSpace(lines[line-1]); strings.HasPrefix(header, "[functions.") && strings.Contains(header, "*") {
		remedy = `a glob needs quotes: [functions."api_*"]`
	} else if strings.Contains(parse.Message, "already been defined") {
		remedy = "keep one of the two"
	}
	return &Error{
		File: FileName, Line: line,
		Message: "is not valid TOML: " + printable(parse.Message, maxMessage), Remedy: remedy,
	}
}

// root is the table that the whole file is.
func (d *document) root() table { return table{doc: d, values: d.values} }

func (d *document) fail(path []string, message, remedy string) {
	d.errs = append(d.errs, &Error{
		File: FileName, Line: d.lines.at(path), Key: keyName(path), Message: message, Remedy: remedy,
	})
}

func (d *document) warn(path []string, message string) {
	d.warnings = append(d.warnings, Warning{Line: d.lines.at(path), Key: keyName(path), Message: message})
}

// err joins what failed, in the order of the file.
func (d *document) err() error {
	if len(d.errs) == 0 {
		return nil
	}
	if len(d.errs) == 1 {
		return d.errs[0]
	}
	slices.SortStableFunc(d.errs, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
	var joined []error
	for _, err := range d.errs[:min(len(d.errs), MaxErrors)] {
		joined = append(joined, err)
	}
	if more := len(d.errs) - MaxErrors; more > 0 {
		joined = append(joined, fileError(fmt.Sprintf("%d more errors", more), "correct these first", nil))
	}
	return errors.Join(joined...)
}

func (d *document) sortedWarnings() []Warning {
	slices.SortStableFunc(d.warnings, func(a, b Warning) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
	return d.warnings
}
