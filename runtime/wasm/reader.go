package wasm

import (
	"fmt"
	"unicode/utf8"
)

// reader reads the encodings of
// https://webassembly.github.io/spec/core/binary/conventions.html from a stretch
// of a module. The first error sticks and moves the reader to its end, so that
// callers check once, after a loop that ended.
type reader struct {
	module   []byte // whole, so that pos is the offset in the file
	pos, end int
	section  string
	function int // -1 outside of a body
	err      *Error
}

// span is a stretch of the module's bytes.
type span struct{ start, end int }

func (s span) length() int { return s.end - s.start }

func (s span) of(module []byte) []byte { return module[s.start:s.end] }

// fail records what is wrong at offset.
func (r *reader) fail(offset int, format string, args ...any) {
	r.failure(&Error{Offset: offset, Message: fmt.Sprintf(format, args...)})
}

func (r *reader) failure(e *Error) {
	if r.err == nil {
		e.Section, e.Function = r.section, r.function
		r.err = e
	}
	r.pos = r.end
}

// within checks a value against the cap with that name; what is the noun for it.
func (r *reader) within(offset int, what string, value uint64, name string, limit uint64) bool {
	if value <= limit {
		return true
	}
	r.failure(&Error{
		Offset: offset, Cap: name, Value: value, Limit: limit,
		Message: fmt.Sprintf("%s is %d, the cap is %d%s", what, value, limit, remedy(name, value)),
	})
	return false
}

func (r *reader) left() int { return r.end - r.pos }

func (r *reader) byte() byte {
	if r.pos >= r.end {
		r.fail(r.pos, "unexpected end")
		return 0
	}
	b := r.module[r.pos]
	r.pos++
	return b
}

// u32 reads an unsigned LEB128: at most 5 bytes, the bits beyond the 32nd zero.
func (r *reader) u32() uint32 {
	if r.pos < r.end && r.module[r.pos] < 0x80 {
		r.pos++
		return uint32(r.module[r.pos-1])
	}
	start := r.pos
	var n uint32
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		if shift == 28 && b > 0x0f {
			r.fail(start, "an integer has more than 32 bits")
			return 0
		}
		n |= uint32(b&0x7f) << shift
		if b < 0x80 {
			break
		}
	}
	return n
}

// signed reads a signed LEB128 of at most bits bits: 32, 33 or 64.
func (r *reader) signed(bits int) int64 {
	start := r.pos
	var n int64
	for shift := 0; ; shift += 7 {
		b := r.byte()
		if rest := bits - shift; rest < 7 && !extends(b, rest) {
			r.fail(start, "an integer has more than %d bits", bits)
			return 0
		}
		n |= int64(b&0x7f) << shift
		if b < 0x80 {
			if shift < 57 && b&0x40 != 0 {
				n |= -1 << (shift + 7)
			}
			return n
		}
	}
}

// extends tells whether the last byte of a signed integer, of which rest bits
// count, ends it and repeats its sign in the others.
func extends(b byte, rest int) bool {
	sign := int8(b<<1) >> rest // the sign bit and those above it, twice shifted
	return b < 0x80 && (sign == 0 || sign == -1)
}

// count reads how many entries follow, each of at least size bytes. It fails
// before anything is allocated for entries that cannot be there.
func (r *reader) count(what, name string, limit uint64, size int) int {
	start := r.pos
	n := uint64(r.u32())
	if r.err != nil || !r.within(start, what, n, name, limit) {
		return 0
	}
	if n*uint64(size) > uint64(r.left()) {
		r.fail(start, "%s is %d, but only %d bytes are left", what, n, r.left())
		return 0
	}
	return int(n)
}

// skip passes over n bytes.
func (r *reader) skip(n uint64) span {
	if n > uint64(r.left()) {
		r.fail(r.pos, "%d bytes are claimed, %d are left", n, r.left())
		return span{}
	}
	s := span{r.pos, r.pos + int(n)}
	r.pos = s.end
	return s
}

// name reads a name, which must be UTF-8.
func (r *reader) name(limit uint64) string {
	start := r.pos
	n := r.u32()
	if r.err != nil || !r.within(start, "the length of a name", uint64(n), "NameBytes", limit) {
		return ""
	}
	s := r.skip(uint64(n)).of(r.module)
	if !utf8.Valid(s) {
		r.fail(start, "a name is not UTF-8")
		return ""
	}
	return string(s)
}

// index reads an index into a space of size entries.
func (r *reader) index(what string, size int) uint32 {
	start := r.pos
	n := r.u32()
	if r.err == nil && uint64(n) >= uint64(size) {
		r.fail(start, "%s %d does not exist, there are %d", what, n, size)
		return 0
	}
	return n
}
