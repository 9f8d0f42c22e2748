package sqlite

import (
	"os"
)

// reserveBytes is what is kept free for the end of jobs and for pruning: 8 MiB.
const reserveBytes = 8 << 20

// reserve is a file of that size that is given up when the disk is full, as even
// forgetting a job needs room to write. Jobs are accepted again once it is back.
type reserve struct {
	path  string
	bytes int64
}

// spend gives the room to whoever writes next; false if there was none.
func (r reserve) spend() bool {
	info, err := os.Stat(r.path)
	return err == nil && info.Size() > 0 && os.Truncate(r.path, 0) == nil
}

// fill takes the room, and reports whether there was so much.
func (r reserve) fill() bool {
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return false
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() == r.bytes {
		return true
	}
	if writeZeros(f, r.bytes) != nil {
		_ = f.Truncate(0)
		return false
	}
	return true
}

// writeZeros writes the room and has the disk assign it.
func writeZeros(f *os.File, bytes int64) error {
	zeros := make([]byte, min(bytes, 1<<20))
	for at := int64(0); at < bytes; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), bytes-at)], at); err != nil {
			return err
		}
	}
	return f.Sync()
}
