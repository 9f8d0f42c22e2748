package wasi

import (
	"io/fs"
	"syscall"
)

// describeSystem adds what macOS knows of a file.
func describeSystem(s *stat, info fs.FileInfo) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return
	}
	s.dev, s.ino, s.links = uint64(st.Dev), st.Ino, uint64(st.Nlink)
	s.atim = uint64(st.Atimespec.Nano())
	s.mtim = uint64(st.Mtimespec.Nano())
	s.ctim = uint64(st.Ctimespec.Nano())
}
