//go:build !linux

package wasi

import (
	"io/fs"
	"os"
	"time"
)

// setTimes sets the times of a file. Those of a symbolic link itself can not be.
func setTimes(root *os.Root, name string, t times) error {
	info, err := root.Lstat(name)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return ENOTSUP
	}
	var atime, mtime time.Time // zero leaves it as it is
	if t.setAtim {
		atime = time.Unix(0, int64(t.atim))
	}
	if t.setMtim {
		mtime = time.Unix(0, int64(t.mtim))
	}
	return root.Chtimes(name, atime, mtime)
}
