package usage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

const (
	fileName = "usage.json"
	// version is the version of the file's format.
	version = 1
	// fileBytes is more than a file of ours can have: 64 MiB.
	fileBytes = 64 << 20
)

// file is the format of usage.json. Numbers may be beyond 2^53: readers in
// JavaScript take care.
type file struct {
	Version int                         `json:"version"`
	Months  map[Month]map[string]counts `json:"months"`
}

type counts struct {
	Invocations  uint64 `json:"invocations"`
	Errors       uint64 `json:"errors"`
	RunTimeNanos int64  `json:"run_time_ns"`
	Fuel         uint64 `json:"fuel"`
}

// load reads the file. There being none is no error, nor is a damaged one.
func (s *Store) load() (map[Month]map[string]*Counters, error) {
	empty := make(map[Month]map[string]*Counters)
	text, err := read(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return empty, nil
	}
	if err != nil {
		return nil, err
	}
	months, err := decode(text)
	if newer := (*NewerError)(nil); errors.As(err, &newer) {
		newer.Path = s.path
		return nil, newer
	}
	if err != nil {
		return empty, s.setAside(err)
	}
	return months, nil
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, fileBytes+1))
}

// NewerError is a file that a newer version wrote. It is left as it is.
type NewerError struct {
	Path    string
	Version int
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("%s has format version %d and this cloche knows up to %d: run the newer cloche, or move the file away to count from zero",
		e.Path, e.Version, version)
}

// decode reads and checks the text of a file.
func decode(text []byte) (map[Month]map[string]*Counters, error) {
	if len(text) > fileBytes {
		return nil, fmt.Errorf("larger than %d bytes", fileBytes)
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, err
	}
	if head.Version > version {
		return nil, &NewerError{Version: head.Version}
	}
	if head.Version < 1 {
		return nil, errors.New("no version in it")
	}
	var read file
	if err := json.Unmarshal(text, &read); err != nil {
		return nil, err
	}
	return take(read.Months)
}

// take makes counters of what was read, within the bounds that Add keeps.
func take(read map[Month]map[string]counts) (map[Month]map[string]*Counters, error) {
	for len(read) > MaxMonths {
		delete(read, oldest(read))
	}
	months := make(map[Month]map[string]*Counters, len(read))
	for month, functions := range read {
		if len(functions) > MaxFunctions+1 {
			return nil, fmt.Errorf("%d functions in %s", len(functions), month)
		}
		months[month] = make(map[string]*Counters, len(functions))
		for name, c := range functions {
			if c.RunTimeNanos < 0 || len(name) > NameBytes {
				return nil, fmt.Errorf("bad counters in %s", month)
			}
			months[month][name] = &Counters{c.Invocations, c.Errors, time.Duration(c.RunTimeNanos), c.Fuel}
		}
	}
	return months, nil
}

// setAside renames a damaged file so that nothing overwrites it.
func (s *Store) setAside(damage error) error {
	aside := s.path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000000000Z")
	if err := os.Rename(s.path, aside); err != nil {
		return fmt.Errorf("%s is damaged (%w) and cannot be set aside: %w", s.path, damage, err)
	}
	s.log.Warn("usage counters were damaged: set aside, counting from zero", "file", aside, "error", damage)
	return nil
}

// save replaces the file as a whole.
func (s *Store) save(snapshot Snapshot) error {
	out := file{Version: version, Months: make(map[Month]map[string]counts, len(snapshot.Months))}
	for month, functions := range snapshot.Months {
		out.Months[month] = make(map[string]counts, len(functions))
		for name, c := range functions {
			out.Months[month][name] = counts{c.Invocations, c.Errors, int64(c.RunTime), c.Fuel}
		}
	}
	text, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return replace(s.path, append(text, '\n'))
}

// replace writes a file so that a crash at any moment leaves the old or the new.
// What a crash leaves beside it is overwritten the next time.
func replace(path string, text []byte) error {
	next := path + ".next"
	f, err := os.OpenFile(next, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(path))
}

// syncDirectory makes a rename durable. Windows has no such thing.
func syncDirectory(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
