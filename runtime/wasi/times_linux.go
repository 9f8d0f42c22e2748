package wasi

import (
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// setTimes sets the times of a file, of a symbolic link itself if it is one,
// which os.Root can not.
func setTimes(root *os.Root, name string, t times) error {
	dir, err := root.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	spec := []unix.Timespec{timespec(t.atim, t.setAtim), timespec(t.mtim, t.setMtim)}
	return unix.UtimesNanoAt(int(dir.Fd()), path.Base(name), spec, unix.AT_SYMLINK_NOFOLLOW)
}

func timespec(ns uint64, set bool) unix.Timespec {
	if !set {
		return unix.Timespec{Nsec: unix.UTIME_OMIT}
	}
	return unix.NsecToTimespec(int64(ns))
}
