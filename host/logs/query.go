package logs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"math"
	"os"
	"time"
)

// clockSlack is how much earlier than its last record a segment may seem to be
// written: file systems have coarse clocks.
const clockSlack = 10 * time.Second

// Query says which records to return; the zero Query means all of them.
type Query struct {
	// Function and Request, if not "", are matched whole.
	Function, Request string
	// Since leaves out what was logged before.
	Since time.Time
	// Level leaves out what is less severe: "debug", "info", "warn", "error", in
	// any case, or as slog writes them ("WARN+1"). "" leaves out nothing.
	Level string
	// Limit, if positive, keeps the newest Limit records of those that match.
	Limit int
}

// Check reports what is wrong with q, fit for whoever wrote it.
func (q Query) Check() error {
	_, err := q.filter()
	return err
}

// Read returns the records of the data directory data that q asks for, oldest
// first. It needs no server, and a running one does not mind. A directory that
// never had a log is fs.ErrNotExist.
func Read(data string, q Query) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) { read(directory(data), q, yield) }
}

func read(dir string, q Query, yield func(Record, error) bool) {
	filter, err := q.filter()
	if err != nil {
		yield(Record{}, err)
		return
	}
	c, err := newCursor(dir, q, filter)
	if err != nil {
		yield(Record{}, err)
		return
	}
	defer c.close()
	c.unfinished = true
	left := q.Limit
	c.drain(func(r Record, err error) bool {
		left-- // what was logged since the tail was found does not go beyond Limit
		return yield(r, err) && left != 0
	})
}

// filter is a Query made ready.
type filter struct {
	Query
	level slog.Level
	// function and request are how a line that matches has them.
	function, request []byte
}

func (q Query) filter() (filter, error) {
	f := filter{Query: q, level: math.MinInt}
	if q.Level != "" {
		if err := f.level.UnmarshalText([]byte(q.Level)); err != nil {
			return f, fmt.Errorf("logs: unknown level %q: use debug, info, warn or error", q.Level)
		}
	}
	if q.Limit < 0 {
		return f, fmt.Errorf("logs: limit %d is negative: leave it out for all records", q.Limit)
	}
	f.function = appendString(nil, q.Function, NameBytes)
	f.request = appendString(nil, q.Request, NameBytes)
	return f, nil
}

// match reads a line and reports whether it is a record that is wanted.
func (f *filter) match(line []byte) (r Record, ok bool) {
	if f.Function != "" && !bytes.Contains(line, f.function) {
		return r, false
	}
	if f.Request != "" && !bytes.Contains(line, f.request) {
		return r, false
	}
	if err := r.UnmarshalJSON(line); err != nil {
		return r, false
	}
	return r, f.wants(r)
}

func (f *filter) wants(r Record) bool {
	return (f.Function == "" || r.Function == f.Function) &&
		(f.Request == "" || r.Request == f.Request) &&
		r.Level >= f.level && !r.Time.Before(f.Since)
}

// newCursor stands before the first record that is wanted.
func newCursor(dir string, q Query, f filter) (*cursor, error) {
	all, err := list(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("logs: no log in %s: serve the site with this data directory first: %w", dir, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	for len(all) > 1 && all[0].written.Add(clockSlack).Before(q.Since) {
		all = all[1:]
	}
	c := &cursor{dir: dir, filter: f}
	if len(all) == 0 {
		return c, nil
	}
	c.number = all[0].number
	if q.Limit > 0 {
		return c, c.tail(all, q.Limit)
	}
	return c, nil
}

// tail moves c to the last limit records of all: it counts them from the newest
// segment backwards, so that what is long past is never read, and nothing kept.
func (c *cursor) tail(all []segment, limit int) error {
	for i := len(all) - 1; i >= 0; i-- {
		n, err := c.count(c.dir, all[i])
		if err != nil {
			return err
		}
		c.number = all[i].number
		if n >= limit {
			c.skip = n - limit
			return nil
		}
		limit -= n
	}
	return nil
}

// count is how many records of a segment are wanted.
func (f *filter) count(dir string, one segment) (n int, err error) {
	file, err := os.Open(path(dir, one.number))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // rotated away since
	}
	if err != nil {
		return 0, fmt.Errorf("logs: %w", err)
	}
	defer file.Close()
	for lines := newLines(file); ; {
		line, err := lines.next()
		if err == io.EOF {
			line, err = lines.take()
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, fmt.Errorf("logs: read: %w", err)
		}
		if _, ok := f.match(line); ok {
			n++
		}
	}
}
