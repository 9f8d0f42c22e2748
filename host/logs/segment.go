package logs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// segments is how many files share the bound, and so how much of the log
	// goes at a time: a sixteenth.
	segments = 16
	// suffix ends the name of a segment, after its number in ten digits or more.
	suffix = ".jsonl"
)

// segment is one file of a log. Numbers grow and are never used twice.
type segment struct {
	number  uint64
	bytes   int64
	written time.Time
}

// segmented writes lines to the last segment of a directory and keeps all of
// them within maxBytes. It belongs to one goroutine.
type segmented struct {
	dir                    string
	maxBytes, segmentBytes int64

	file   *os.File // nil after an error: the next write begins a segment
	number uint64
	bytes  int64
}

// open continues the last segment, or begins the first.
func (s *segmented) open() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	all, err := list(s.dir)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return s.begin()
	}
	last := all[len(all)-1]
	s.number = last.number
	if last.bytes >= s.segmentBytes {
		return s.begin()
	}
	if err := s.prune(all[:len(all)-1]); err != nil {
		return err
	}
	return s.resume()
}

// resume opens the last segment for appending. What a crash left without an end
// gets one, so that it spoils no other line.
func (s *segmented) resume() error {
	file, err := os.OpenFile(path(s.dir, s.number), os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	s.file = file
	if s.bytes, err = file.Seek(0, io.SeekEnd); err != nil || s.bytes == 0 {
		return err
	}
	end := make([]byte, 1)
	if _, err := file.ReadAt(end, s.bytes-1); err != nil {
		return err
	}
	if end[0] != '\n' {
		_, err = file.Write([]byte{'\n'})
		s.bytes++
	}
	return err
}

// write appends whole lines and returns those it could not write.
func (s *segmented) write(lines []byte) (lost []byte) {
	for len(lines) > 0 {
		n := fitting(lines, s.segmentBytes-s.bytes)
		if n == 0 || s.file == nil {
			if err := s.begin(); err != nil {
				return lines
			}
			continue
		}
		if _, err := s.file.Write(lines[:n]); err != nil {
			s.repair()
			return lines
		}
		s.bytes += int64(n)
		lines = lines[n:]
	}
	return nil
}

// fitting is the length of the whole lines that fit into room.
func fitting(lines []byte, room int64) int {
	if int64(len(lines)) > room {
		lines = lines[:max(room, 0)]
	}
	return bytes.LastIndexByte(lines, '\n') + 1
}

// repair takes back what a failed write left behind, or gives the segment up.
func (s *segmented) repair() {
	if err := s.file.Truncate(s.bytes); err != nil {
		s.close()
	}
}

// begin makes room for a whole segment and starts it.
func (s *segmented) begin() error {
	s.close()
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	all, err := list(s.dir)
	if err != nil {
		return err
	}
	if err := s.prune(all); err != nil {
		return err
	}
	if len(all) > 0 {
		s.number = max(s.number, all[len(all)-1].number)
	}
	s.number++
	s.bytes = 0
	s.file, err = os.OpenFile(path(s.dir, s.number), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	return err
}

// prune deletes the oldest of the full segments until one more has room.
func (s *segmented) prune(full []segment) error {
	total := s.segmentBytes
	for _, one := range full {
		total += one.bytes
	}
	for _, one := range full {
		if total <= s.maxBytes {
			return nil
		}
		if err := os.Remove(path(s.dir, one.number)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		total -= one.bytes
	}
	return nil
}

func (s *segmented) close() {
	if s.file != nil {
		// Nothing was promised to be durable; a failed close loses nothing more.
		_ = s.file.Close()
		s.file = nil
	}
}

// list returns the segments of a directory, oldest first.
func list(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []segment
	for _, entry := range entries {
		number, ok := numberOf(entry.Name())
		if !ok {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // rotated away since
		}
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() {
			all = append(all, segment{number, info.Size(), info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b segment) int {
		if a.number < b.number {
			return -1
		}
		return 1
	})
	return all, nil
}

func path(dir string, number uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%010d", number)+suffix)
}

// numberOf reads a segment's number from the only name it can have.
func numberOf(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 10, 64)
	return number, err == nil && path("", number) == name
}
