package abi

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CutMark ends a text that was cut.
const CutMark = "…[cut]"

// Printable returns text as it may be shown: on one line, with nothing in it
// that a terminal or a log obeys, and about limit bytes long at most. Escapes
// look like Go's; a backslash stays as it is.
func Printable(text string, limit int) string {
	if len(text) <= limit && isPlain(text) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		if b.Len() > limit-len(CutMark) {
			b.WriteString(CutMark)
			break
		}
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD"):
			b.WriteString(`\x` + strconv.FormatUint(0x100|uint64(text[i]), 16)[1:])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

func isPlain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] >= 0x7f {
			return false
		}
	}
	return true
}
