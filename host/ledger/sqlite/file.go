package sqlite

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cloche-run/cloche/host/lock"
)

// applicationID marks the file as ours: "cloc".
const applicationID = 0x636c6f63

// prepare makes the folder and takes the lock, having looked at what is there.
func prepare(path string) (held *os.File, err error) {
	dir := filepath.Dir(path)
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	if name, err := networkFS(dir); err != nil {
		return nil, err
	} else if name != "" {
		return nil, fmt.Errorf("%s is on a network file system (%s), which loses data under SQLite: choose a local disk", dir, name)
	}
	held, err = lock.File(path + ".lock")
	if errors.Is(err, lock.ErrHeld) {
		return nil, errors.New("in use by another process: end that one, or choose another data directory")
	}
	if err != nil {
		return nil, err
	}
	if err := lookAt(path); err != nil {
		_ = held.Close()
		return nil, err
	}
	return held, nil
}

// makeDir makes dir so that it is there after a loss of power.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// lookAt refuses a file that is not ours before SQLite touches it: SQLite takes
// up what it finds, and an empty or missing file is an empty database to it.
func lookAt(path string) error {
	head, err := readHead(path)
	if errors.Is(err, fs.ErrNotExist) {
		if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
			return errors.New("the file is gone, but its -wal file is here and may hold jobs: put it back, or move the -wal file away to start anew")
		}
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case len(head) == 0:
		return errors.New("the file is empty: restore it, or move it and its -wal file away to start anew")
	case len(head) < 100 || string(head[:16]) != "SQLite format 3\x00":
		return errors.New("the file is damaged or is no ledger: restore it, or move it away to start anew")
	case binary.BigEndian.Uint32(head[68:]) != applicationID:
		return errors.New("the file is a database of another program: move it away, or choose another data directory")
	}
	return nil
}

// readHead returns the first 100 bytes. Nothing of SQLite's is open yet.
func readHead(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file: move it away, or choose another data directory")
	}
	return io.ReadAll(io.LimitReader(f, 100))
}

// create makes a ledger if there is none: beside its place, then moved there, so
// that a crash leaves a whole one or none.
func create(ctx context.Context, path string, e engine) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	next := path + ".new"
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		if err := os.Remove(next + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := build(ctx, next, e); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// build writes an empty ledger to path.
func build(ctx context.Context, path string, e engine) error {
	db, err := e.open(path, "auto_vacuum(incremental)", "synchronous(extra)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(ctx, fmt.Sprintf("BEGIN; PRAGMA application_id=%d; %s PRAGMA user_version=%d; COMMIT;",
		applicationID, migrations[0], 1))
	return errors.Join(err, db.Close())
}
