package guest

import (
	"bytes"
	"fmt"
)

// lineBytes is where a line without an end is cut. Each line counts for lineCost
// bytes more than it has: that is about what a record of it takes, and a guest
// that writes empty lines must not fill a log either.
const (
	lineBytes = 16 << 10
	lineCost  = 256
)

// LogWriter cuts what a guest writes into lines and stops at a limit, with a
// mark, so that a guest cannot fill a disk.
type LogWriter struct {
	// Line takes one line without its end; nil discards. The bytes are the
	// guest's, unescaped, and are overwritten after the call.
	Line func(line []byte)
	// Limit is in bytes.
	Limit int

	written int
	partial []byte
}

// Written is the number of bytes taken, lineCost included.
func (w *LogWriter) Written() int { return min(w.written, w.Limit) }

// Write never fails: a guest that logs too much is not stopped, only unheard.
func (w *LogWriter) Write(p []byte) (int, error) {
	n := len(p)
	if w.Line == nil || w.written >= w.Limit {
		return n, nil
	}
	for len(p) > 0 && w.written < w.Limit {
		line, rest, found := bytes.Cut(p, []byte{'\n'})
		if room := lineBytes - len(w.partial); len(line) > room {
			line, rest, found = p[:room], p[room:], true
		}
		line = line[:min(len(line), w.Limit-w.written)]
		w.written += len(line)
		w.partial = append(w.partial, line...)
		if found {
			w.flushLine()
		}
		p = rest
	}
	if w.written >= w.Limit {
		w.Flush()
		w.Line(fmt.Appendf(nil, "(log truncated after %d bytes)", w.Limit))
	}
	return n, nil
}

// Flush emits a last line that has no end.
func (w *LogWriter) Flush() {
	if len(w.partial) > 0 && w.Line != nil {
		w.flushLine()
	}
}

func (w *LogWriter) flushLine() {
	w.written += lineCost
	w.Line(bytes.TrimSuffix(w.partial, []byte{'\r'}))
	w.partial = w.partial[:0]
}
