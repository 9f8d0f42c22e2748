package logs

import (
	"bytes"
	"io"
)

// lines reads lines of at most LineBytes and skips longer ones. It may be asked
// again after io.EOF, when more was written.
type lines struct {
	from io.Reader
	// buf[begin:end] is what was read and not yet returned.
	buf        []byte
	begin, end int
	// skipping is set in the middle of a line that is too long.
	skipping bool
}

func newLines(from io.Reader) *lines {
	return &lines{from: from, buf: make([]byte, LineBytes)}
}

// next returns a line without its end. The line is good until the next call.
func (l *lines) next() ([]byte, error) {
	for {
		if n := bytes.IndexByte(l.buf[l.begin:l.end], '\n'); n >= 0 {
			line := l.buf[l.begin : l.begin+n]
			l.begin += n + 1
			if !l.skipping {
				return line, nil
			}
			l.skipping = false
			continue
		}
		if err := l.fill(); err != nil {
			return nil, err
		}
	}
}

// take returns what stands after the last line end, a line that is not finished
// or torn for good, or io.EOF when there is nothing.
func (l *lines) take() ([]byte, error) {
	rest := l.buf[l.begin:l.end]
	l.begin = l.end
	if l.skipping || len(rest) == 0 {
		return nil, io.EOF
	}
	return rest, nil
}

// fill reads more behind what is left, or forgets it when it fills the buffer.
func (l *lines) fill() error {
	l.end = copy(l.buf, l.buf[l.begin:l.end])
	l.begin = 0
	if l.end == len(l.buf) {
		l.skipping, l.end = true, 0
	}
	n, err := l.from.Read(l.buf[l.end:])
	l.end += n
	if n > 0 {
		return nil
	}
	return err
}
