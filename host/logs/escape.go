package logs

import (
	"unicode"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendString appends text as a JSON string of at most limit bytes between its
// quotes; a longer one is cut and ends with Mark. What a terminal could take for
// an order (control characters, escapes, changes of direction) is escaped, and
// invalid UTF-8 becomes U+FFFD, so that a segment is safe to print as it is.
func appendString(dst []byte, text string, limit int) []byte {
	dst = append(dst, '"')
	begin, keep := len(dst), len(dst)
	for i := 0; i < len(text); {
		size := 1
		if c := text[i]; c < utf8.RuneSelf {
			dst = appendASCII(dst, c)
		} else {
			var r rune
			r, size = utf8.DecodeRuneInString(text[i:])
			dst = appendRune(dst, r)
		}
		i += size
		switch used := len(dst) - begin; {
		case used > limit:
			dst = append(dst[:keep], Mark...)
			i = len(text)
		case used <= limit-len(Mark):
			keep = len(dst)
		}
	}
	return append(dst, '"')
}

func appendASCII(dst []byte, c byte) []byte {
	switch {
	case c == '"' || c == '\\':
		return append(dst, '\\', c)
	case ' ' <= c && c < 0x7f:
		return append(dst, c)
	case c == '\n':
		return append(dst, '\\', 'n')
	case c == '\t':
		return append(dst, '\\', 't')
	case c == '\r':
		return append(dst, '\\', 'r')
	}
	return appendUnit(dst, uint16(c))
}

func appendRune(dst []byte, r rune) []byte {
	if unicode.IsPrint(r) {
		return utf8.AppendRune(dst, r)
	}
	if r > 0xffff {
		r -= 0x10000
		dst = appendUnit(dst, 0xd800|uint16(r>>10))
		return appendUnit(dst, 0xdc00|uint16(r&0x3ff))
	}
	return appendUnit(dst, uint16(r))
}

// appendUnit appends one UTF-16 unit as \uXXXX.
func appendUnit(dst []byte, u uint16) []byte {
	return append(dst, '\\', 'u',
		hexDigits[u>>12], hexDigits[u>>8&15], hexDigits[u>>4&15], hexDigits[u&15])
}
