package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"time"
)

// Follow is Read that goes on with what is logged from then on, across rotation,
// until ctx ends; that is no error. It looks every PollEvery.
func Follow(ctx context.Context, data string, q Query) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		follow(ctx, directory(data), q, poll, yield)
	}
}

func poll() func(context.Context) bool {
	return func(ctx context.Context) bool {
		timer := time.NewTimer(PollEvery)
		defer timer.Stop()
		select {
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// follow drains the log, and again whenever watch says that there may be more.
func follow(
	ctx context.Context, dir string, q Query,
	watch func() func(context.Context) bool, yield func(Record, error) bool,
) {
	filter, err := q.filter()
	if err != nil {
		yield(Record{}, err)
		return
	}
	wait := watch()
	c, err := newCursor(dir, q, filter)
	if err != nil {
		yield(Record{}, err)
		return
	}
	defer c.close()
	for c.drain(yield) && wait(ctx) {
		wait = watch()
	}
}

// cursor is a place in a log.
type cursor struct {
	filter
	dir string
	// unfinished takes what stands after the last line end for a line.
	unfinished bool
	// skip is how many more wanted records to leave out.
	skip int

	// number is the segment, open or to be opened; there is no segment 0.
	number uint64
	file   *os.File
	lines  *lines
	// sealed is set once there is a newer segment: nothing is written to this
	// one any more.
	sealed bool
}

// drain yields every record there is, and reports whether to come back.
func (c *cursor) drain(yield func(Record, error) bool) bool {
	for {
		line, err := c.line()
		if err == io.EOF {
			return true
		}
		if err != nil {
			yield(Record{}, err)
			return false
		}
		r, ok := c.match(line)
		if ok && c.skip > 0 {
			c.skip--
			continue
		}
		if ok && !yield(r, nil) {
			return false
		}
	}
}

// line returns the next line, or io.EOF at the end of the newest segment.
func (c *cursor) line() ([]byte, error) {
	for {
		if err := c.open(); err != nil {
			return nil, err
		}
		line, err := c.lines.next()
		if err == nil {
			return line, nil
		}
		if err != io.EOF {
			return nil, fmt.Errorf("logs: read: %w", err)
		}
		if line, err := c.end(); line != nil || err != nil {
			return line, err
		}
	}
}

// open opens the segment c stands in; if that is gone, the oldest after it.
func (c *cursor) open() error {
	for c.file == nil {
		file, err := os.Open(path(c.dir, c.number))
		if errors.Is(err, fs.ErrNotExist) {
			next, err := c.newer()
			if err != nil {
				return err
			}
			c.number, c.skip = next, 0
			continue
		}
		if err != nil {
			return fmt.Errorf("logs: %w", err)
		}
		c.file, c.sealed = file, false
		c.lines = newLines(file)
	}
	return nil
}

// end is called where a segment has no more lines. It returns one that was left
// unfinished, nothing when there may be more to read, or io.EOF.
func (c *cursor) end() ([]byte, error) {
	next, err := c.newer()
	if err == io.EOF && c.unfinished {
		return c.lines.take()
	}
	if err != nil {
		return nil, err
	}
	if !c.sealed {
		c.sealed = true // read once more: lines may have come before next was begun
		return nil, nil
	}
	c.close()
	c.number = next
	rest, err := c.lines.take()
	return rest, ignoreEOF(err)
}

func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// newer is the oldest segment after the one c stands in, or io.EOF.
func (c *cursor) newer() (uint64, error) {
	all, err := list(c.dir)
	if err != nil {
		return 0, fmt.Errorf("logs: %w", err)
	}
	for _, one := range all {
		if one.number > c.number {
			return one.number, nil
		}
	}
	return 0, io.EOF
}

func (c *cursor) close() {
	if c.file != nil {
		_ = c.file.Close() // only read from
		c.file = nil
	}
}
