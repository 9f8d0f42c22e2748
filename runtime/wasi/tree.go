package wasi

import "encoding/binary"

// directory is a directory of a file system: /tmp or a mount. Its methods take
// the name of one entry, never a path: walk takes paths apart, so there is one
// place that knows "..", slashes and symbolic links.
//
// Implementations are comparable, and equal if they are the same directory.
type directory interface {
	stat() (stat, Errno)
	setTimes(times) Errno
	// list returns all entries, "." and ".." first, then by name.
	list() ([]entry, Errno)

	// lookup says what an entry is, itself, if it is a symbolic link.
	lookup(name string) (stat, Errno)
	// enter returns an entry that is a directory.
	enter(name string) (directory, Errno)
	readlink(name string) (string, Errno)
	// open opens an entry that is a regular file, or makes one.
	open(name string, how opening) (file, Errno)
	mkdir(name string) Errno
	// remove removes an entry that is a directory, if it is empty, or none.
	remove(name string, isDirectory bool) Errno
	symlink(target, name string) Errno
	// link and rename know to as their own kind, or say EXDEV.
	link(name string, to directory, as string) Errno
	rename(name string, to directory, as string) Errno
	setEntryTimes(name string, t times) Errno
}

// file is an open regular file. It knows no position.
type file interface {
	stat() (stat, Errno)
	setTimes(times) Errno
	// readAt reads less than p only at the end of the file, writeAt only if
	// there is no more room.
	readAt(p []byte, at int64) (int, Errno)
	writeAt(p []byte, at int64) (int, Errno)
	truncate(size int64) Errno
	sync() Errno
	close()
}

// opening is how a file is opened.
type opening struct {
	read, write              bool
	create, exclusive, empty bool
}

// stat describes a file.
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#filestat
type stat struct {
	dev, ino, links, size uint64
	atim, mtim, ctim      uint64 // nanoseconds since 1970
	filetype              uint8
}

const statBytes = 64

func (s stat) encode(p []byte) {
	clear(p)
	p[16] = s.filetype
	le := binary.LittleEndian
	le.PutUint64(p[0:], s.dev)
	le.PutUint64(p[8:], s.ino)
	le.PutUint64(p[24:], s.links)
	le.PutUint64(p[32:], s.size)
	le.PutUint64(p[40:], s.atim)
	le.PutUint64(p[48:], s.mtim)
	le.PutUint64(p[56:], s.ctim)
}

// times are new times of a file, in nanoseconds since 1970.
type times struct {
	atim, mtim       uint64
	setAtim, setMtim bool
}

// entry is a line of a directory.
type entry struct {
	name     string
	ino      uint64
	filetype uint8
}
