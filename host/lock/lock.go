//go:build unix

// Package lock keeps two processes from using the same directory or file.
package lock

import (
	"errors"
	"os"
	"syscall"
)

// ErrHeld says that another process holds the lock.
var ErrHeld = errors.New("locked by another process")

// File opens path, making it if need be, and locks it for as long as the file is
// open: the system lets go when the process ends, however it ends
// (https://man7.org/linux/man-pages/man2/flock.2.html).
func File(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrHeld
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
