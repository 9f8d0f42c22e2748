package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// Limits of what is handed to the TOML parser. It recurses for every level and
// writes out a whole key for every value, so without them a file of a megabyte
// could keep it busy for hours.
const (
	// MaxDepth is how deep arrays and tables may nest, and how many parts a
	// dotted key may have.
	MaxDepth = 16
	// MaxKeys is how many keys and table headers a file may hold.
	MaxKeys = 10_000
	// MaxKeyBytes is the longest part of a key.
	MaxKeyBytes = 256
)

// errSyntax is where the scan cannot follow. The parser words the error.
var errSyntax = errors.New("not TOML")

// keyLines is the tree of a file's keys with the line where each first appears,
// which the parser does not tell.
type keyLines struct {
	line int
	next map[string]*keyLines
}

// at returns the line of path, or of the nearest key above it that has one.
func (k *keyLines) at(path []string) int {
	for _, part := range path {
		next := k.next[part]
		if next == nil {
			break
		}
		k = next
	}
	return k.line
}

// scanner walks through TOML just closely enough to see its keys. It accepts
// more than TOML does; what it refuses is no TOML.
type scanner struct {
	text  string
	pos   int
	line  int
	keys  int
	lines *keyLines
	table []string // the last [header]
}

// scan finds the keys of text. It returns errSyntax with the scanner standing
// where it could not follow, or an *Error for a limit.
func scan(text string) (*scanner, error) {
	s := &scanner{text: text, line: 1, lines: &keyLines{}}
	for {
		s.skipBlank()
		if s.pos == len(s.text) {
			return s, nil
		}
		if err := s.statement(); err != nil {
			return s, err
		}
	}
}

// statement is one table header or one key with its value, and its line end.
func (s *scanner) statement() error {
	var err error
	if strings.HasPrefix(s.text[s.pos:], "[") {
		err = s.header()
	} else {
		err = s.pair(s.table, 0)
	}
	if err != nil {
		return err
	}
	s.skipSpace()
	s.skipComment()
	if s.pos < len(s.text) && s.text[s.pos] != '\n' {
		return errSyntax
	}
	return nil
}

func (s *scanner) header() error {
	end := "]"
	if s.take("[[") {
		end = "]]"
	} else {
		s.pos++
	}
	path, err := s.key(nil)
	if err != nil {
		return err
	}
	if !s.take(end) {
		return errSyntax
	}
	s.table = path
	return s.record(path)
}

// pair is a key and its value; depth is how many brackets it stands in.
func (s *scanner) pair(table []string, depth int) error {
	path, err := s.key(table)
	if err != nil {
		return err
	}
	if !s.take("=") {
		return errSyntax
	}
	if err := s.record(path); err != nil {
		return err
	}
	s.skipSpace()
	return s.value(path, depth)
}

// key reads a dotted key that belongs to table, and returns its whole path.
func (s *scanner) key(table []string) ([]string, error) {
	path := append([]string(nil), table...)
	for {
		s.skipSpace()
		part, err := s.part()
		if err != nil {
			return nil, err
		}
		if len(path) == MaxDepth {
			return nil, s.limit(fmt.Sprintf("a key has more than %d parts", MaxDepth), "nest less deep")
		}
		path = append(path, part)
		s.skipSpace()
		if !s.take(".") {
			return path, nil
		}
	}
}

func (s *scanner) part() (string, error) {
	part, err := s.partText()
	if err != nil {
		return "", err
	}
	if len(part) > MaxKeyBytes {
		return "", s.limit(fmt.Sprintf("a key is longer than %d bytes", MaxKeyBytes), "use a shorter one")
	}
	return part, nil
}

func (s *scanner) partText() (string, error) {
	start := s.pos
	if s.take(`"`) || s.take(`'`) {
		if err := s.untilQuote(s.text[start]); err != nil {
			return "", err
		}
		return unquote(s.text[start:s.pos])
	}
	for s.pos < len(s.text) && isBareByte(s.text[s.pos]) {
		s.pos++
	}
	if s.pos == start {
		return "", errSyntax
	}
	return s.text[start:s.pos], nil
}

// unquote leaves the escapes to the parser.
func unquote(literal string) (string, error) {
	if literal[0] == '\'' || !strings.Contains(literal, `\`) {
		return literal[1 : len(literal)-1], nil
	}
	if len(literal)-2 > MaxKeyBytes*len(`\U0001F600`) {
		return literal, nil // too long for the caller, whatever it spells
	}
	var key struct{ K string }
	if _, err := toml.Decode("K = "+literal, &key); err != nil {
		return "", errSyntax
	}
	return key.K, nil
}

// record notes the line of path and of the tables that it implies.
func (s *scanner) record(path []string) error {
	if s.keys++; s.keys > MaxKeys {
		return s.limit(fmt.Sprintf("the file has more than %d keys", MaxKeys), "split the site")
	}
	at := s.lines
	for _, part := range path {
		next := at.next[part]
		if next == nil {
			next = &keyLines{line: s.line}
			if at.next == nil {
				at.next = make(map[string]*keyLines)
			}
			at.next[part] = next
		}
		at = next
	}
	return nil
}

func (s *scanner) value(path []string, depth int) error {
	if s.pos == len(s.text) {
		return errSyntax
	}
	first := s.text[s.pos]
	switch {
	case s.take(`"""`), s.take(`'''`):
		return s.untilTripleQuote(first)
	case s.take(`"`), s.take(`'`):
		return s.untilQuote(first)
	case first != '[' && first != '{':
		return s.scalar()
	case depth == MaxDepth:
		return s.limit(fmt.Sprintf("arrays and tables nest deeper than %d", MaxDepth), "nest less deep")
	case s.take("["):
		return s.list("]", func() error { return s.value(path, depth+1) })
	default:
		s.pos++
		return s.list("}", func() error { return s.pair(path, depth+1) })
	}
}

// list reads the items of an array or of an inline table, up to its end.
func (s *scanner) list(end string, item func() error) error {
	for {
		s.skipBlank()
		if s.take(end) {
			return nil
		}
		if err := item(); err != nil {
			return err
		}
		s.skipBlank()
		if s.take(",") {
			continue
		}
		if !s.take(end) {
			return errSyntax
		}
		return nil
	}
}

// scalar is a number, a date or a word: all up to what can follow it.
func (s *scanner) scalar() error {
	n := strings.IndexAny(s.text[s.pos:], ",]}#\n")
	if n < 0 {
		n = len(s.text) - s.pos
	}
	if n == 0 {
		return errSyntax
	}
	s.pos += n
	return nil
}

// untilQuote passes the end of a string of one line.
func (s *scanner) untilQuote(quote byte) error {
	for s.pos < len(s.text) && s.text[s.pos] != '\n' {
		c := s.text[s.pos]
		s.pos++
		if c == quote {
			return nil
		}
		if c == '\\' && quote == '"' && s.pos < len(s.text) && s.text[s.pos] != '\n' {
			s.pos++
		}
	}
	return errSyntax
}

// untilTripleQuote passes the end of a string of many lines. Up to two quotes
// more may stand before the closing three.
func (s *scanner) untilTripleQuote(quote byte) error {
	end := strings.Repeat(string(quote), 3)
	for s.pos < len(s.text) {
		if s.take(end) {
			for range 2 {
				s.take(end[:1])
			}
			return nil
		}
		if s.text[s.pos] == '\\' && quote == '"' && s.pos+1 < len(s.text) {
			s.pass()
		}
		s.pass()
	}
	return errSyntax
}

// skipBlank passes spaces, comments and line ends.
func (s *scanner) skipBlank() {
	for {
		s.skipSpace()
		s.skipComment()
		if s.pos == len(s.text) || s.text[s.pos] != '\n' {
			return
		}
		s.pass()
	}
}

func (s *scanner) skipSpace() {
	for s.pos < len(s.text) && strings.IndexByte(" \t\r", s.text[s.pos]) >= 0 {
		s.pos++
	}
}

func (s *scanner) skipComment() {
	if !s.take("#") {
		return
	}
	for s.pos < len(s.text) && s.text[s.pos] != '\n' {
		s.pos++
	}
}

// pass goes one byte on and counts lines.
func (s *scanner) pass() {
	if s.text[s.pos] == '\n' {
		s.line++
	}
	s.pos++
}

// take passes prefix if it is next.
func (s *scanner) take(prefix string) bool {
	if !strings.HasPrefix(s.text[s.pos:], prefix) {
		return false
	}
	s.pos += len(prefix)
	return true
}

// seen is the text up to where the scan stopped and a little more, so that the
// parser meets the error too but nothing that the limits do not cover.
func (s *scanner) seen() string {
	const more = 64
	end := min(s.pos+more, len(s.text))
	for end < len(s.text) && !utf8.RuneStart(s.text[end]) {
		end++
	}
	return s.text[:end]
}

func (s *scanner) limit(message, remedy string) *Error {
	return &Error{File: FileName, Line: s.line, Message: message, Remedy: remedy}
}
