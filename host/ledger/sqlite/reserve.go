package sqlite

import "os"

// reserveBytes is what is kept free for ending and forgetting jobs: 8 MiB.
const reserveBytes = 8 << 20

// reserve is a file that is given up when the disk is full, as even forgetting a
// job needs room to write. Jobs are accepted again when it is back and there is
// as much room again beside it.
type reserve struct {
	path  string
	bytes int64
}

// spend gives the room to whoever writes next; false if there was none.
func (r reserve) spend() bool {
	info, err := os.Stat(r.path)
	return err == nil && info.Size() > 0 && os.Truncate(r.path, 0) == nil
}

// fill takes the room, if it is not taken, and reports whether it could.
func (r reserve) fill() bool {
	info, err := os.Stat(r.path)
	return err == nil && info.Size() == r.bytes || r.take(r.bytes)
}

// refill takes the room if there is twice as much.
func (r reserve) refill() bool { return r.take(2*r.bytes) && os.Truncate(r.path, r.bytes) == nil }

// take makes the file that large, or leaves it as it was.
func (r reserve) take(bytes int64) bool {
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false
	}
	if writeZeros(f, info.Size(), bytes) != nil {
		_ = f.Truncate(info.Size())
		return false
	}
	return true
}

// writeZeros writes from one offset to another and has the disk assign the room.
func writeZeros(f *os.File, from, to int64) error {
	zeros := make([]byte, 1<<20)
	for at := from; at < to; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), to-at)], at); err != nil {
			return err
		}
	}
	return f.Sync()
}
