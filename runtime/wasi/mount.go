package wasi

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// IncludedFileBytes is the largest file of an fs.FS that is read when it can
// only be read as a whole.
const IncludedFileBytes = 64 << 20

// mount is a file system from outside: files to read, or a directory of the
// host. Guests' paths never reach it: walk hands it one name at a time and has
// followed every symbolic link. Should the host put one in the way meanwhile,
// os.Root keeps it inside.
type mount struct {
	fsys fs.FS
	root *os.Root // nil if it is only to be read
	dev  uint64
}

// place is a directory of a mount, by its path. A directory that is renamed
// while it is open is not found any more.
type place struct {
	mount *mount
	path  string // as io/fs has it
}

func (p place) join(name string) string { return path.Join(p.path, name) }

func (p place) stat() (stat, Errno) { return p.mount.lstat(p.path) }

func (p place) lookup(name string) (stat, Errno) {
	if !fs.ValidPath(name) || strings.ContainsRune(name, os.PathSeparator) {
		return stat{}, EINVAL // a name with "\" on Windows
	}
	return p.mount.lstat(p.join(name))
}

func (m *mount) lstat(name string) (stat, Errno) {
	info, err := fs.Lstat(m.fsys, name)
	if err != nil {
		return stat{}, hostErrno(err)
	}
	return m.describe(name, info), Success
}

// describe takes what the host knows, or makes up what every file has.
func (m *mount) describe(name string, info fs.FileInfo) stat {
	mtim := uint64(info.ModTime().UnixNano())
	s := stat{
		dev: m.dev, ino: madeUpIno(name), links: 1, size: uint64(info.Size()), filetype: filetypeOf(info.Mode()),
		atim: mtim, mtim: mtim, ctim: mtim,
	}
	if m.root != nil {
		describeSystem(&s, info)
	}
	if s.filetype == typeDirectory {
		s.size = 0 // it would tell guests about the host's file system
	}
	return s
}

// madeUpIno is FNV-1a, for file systems that number nothing.
func madeUpIno(name string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return h
}

func filetypeOf(mode fs.FileMode) uint8 {
	switch {
	case mode.IsRegular():
		return typeRegular
	case mode.IsDir():
		return typeDirectory
	case mode&fs.ModeSymlink != 0:
		return typeSymlink
	case mode&fs.ModeCharDevice != 0:
		return typeCharacter
	case mode&fs.ModeDevice != 0:
		return typeBlock
	}
	return typeUnknown
}

func (p place) enter(name string) (directory, Errno) { return place{p.mount, p.join(name)}, Success }

func (p place) readlink(name string) (string, Errno) {
	text, err := fs.ReadLink(p.mount.fsys, p.join(name))
	return text, hostErrno(err)
}

func (p place) list() ([]entry, Errno) {
	found, err := fs.ReadDir(p.mount.fsys, p.path)
	if err != nil {
		return nil, hostErrno(err)
	}
	self, errno := p.stat()
	if errno != Success {
		return nil, errno
	}
	above, errno := p.mount.lstat(path.Dir(p.path))
	if errno != Success {
		return nil, errno
	}
	list := make([]entry, 0, len(found)+2)
	list = append(list, entry{".", self.ino, typeDirectory}, entry{"..", above.ino, typeDirectory})
	for _, f := range found {
		if len(f.Name()) > NameBytes {
			continue // no path could name it
		}
		if info, err := f.Info(); err == nil { // or it has gone meanwhile
			st := p.mount.describe(p.join(f.Name()), info)
			list = append(list, entry{f.Name(), st.ino, st.filetype})
		}
	}
	return list, Success
}

func (p place) open(name string, how opening) (file, Errno) {
	at := p.join(name)
	if p.mount.root != nil {
		f, err := p.mount.root.OpenFile(at, hostFlags(how), 0o666)
		if err != nil {
			return nil, hostErrno(err)
		}
		return opened(hostFile{p, name, f}, f)
	}
	if how.write || how.create || how.empty {
		return nil, EROFS
	}
	f, err := p.mount.fsys.Open(at)
	if err != nil {
		return nil, hostErrno(err)
	}
	reader, err := readerAt(f)
	if err != nil {
		_ = f.Close()
		return nil, hostErrno(err)
	}
	return opened(includedFile{p.mount, at, f, reader}, f)
}

// opened makes sure that what was opened is a file: a FIFO or a device may have
// taken its place after walk looked.
func opened(f file, info interface{ Stat() (fs.FileInfo, error) }) (file, Errno) {
	if st, err := info.Stat(); err != nil || !st.Mode().IsRegular() {
		f.close()
		return nil, ENOTSUP
	}
	return f, Success
}

// hostFlags never ask for O_APPEND: appending is ours, as a guest may change its
// mind. Nor may an open wait for the other end of a FIFO.
func hostFlags(how opening) int {
	flags := os.O_RDONLY | syscall.O_NONBLOCK
	switch {
	case how.write && how.read:
		flags = os.O_RDWR | syscall.O_NONBLOCK
	case how.write || how.empty:
		flags = os.O_WRONLY | syscall.O_NONBLOCK
	}
	if how.create {
		flags |= os.O_CREATE
	}
	if how.exclusive {
		flags |= os.O_EXCL
	}
	if how.empty {
		flags |= os.O_TRUNC
	}
	return flags
}

func readerAt(f fs.File) (io.ReaderAt, error) {
	if r, ok := f.(io.ReaderAt); ok {
		return r, nil
	}
	text, err := io.ReadAll(io.LimitReader(f, IncludedFileBytes+1))
	if err == nil && len(text) > IncludedFileBytes {
		err = EFBIG
	}
	return bytes.NewReader(text), err
}

// change does something to the host's directory, if it may be changed.
func (p place) change(do func(root *os.Root) error) Errno {
	if p.mount.root == nil {
		return EROFS
	}
	return hostErrno(do(p.mount.root))
}

func (p place) mkdir(name string) Errno {
	return p.change(func(root *os.Root) error { return root.Mkdir(p.join(name), 0o777) })
}

func (p place) remove(name string, _ bool) Errno {
	return p.change(func(root *os.Root) error { return root.Remove(p.join(name)) })
}

func (p place) symlink(text, name string) Errno {
	return p.change(func(root *os.Root) error { return root.Symlink(text, p.join(name)) })
}

func (p place) link(name string, to directory, as string) Errno {
	other, ok := to.(place)
	if !ok || other.mount != p.mount {
		return EXDEV
	}
	return p.change(func(root *os.Root) error { return root.Link(p.join(name), other.join(as)) })
}

func (p place) rename(name string, to directory, as string) Errno {
	other, ok := to.(place)
	if !ok || other.mount != p.mount {
		return EXDEV
	}
	from, onto := p.join(name), other.join(as)
	switch {
	case from == onto:
		return Success
	case strings.HasPrefix(onto, from+"/"):
		return EINVAL
	}
	return p.change(func(root *os.Root) error {
		// os.Root does not replace an empty directory, as POSIX does.
		if st, err := root.Lstat(onto); err == nil && st.IsDir() {
			if err := root.Remove(onto); err != nil {
				return err
			}
		}
		return root.Rename(from, onto)
	})
}

func (p place) setTimes(t times) Errno {
	return p.change(func(root *os.Root) error { return setTimes(root, p.path, t) })
}

func (p place) setEntryTimes(name string, t times) Errno {
	return p.change(func(root *os.Root) error { return setTimes(root, p.join(name), t) })
}

// hostFile is an open file of a host directory.
type hostFile struct {
	dir  place
	name string
	f    *os.File
}

func (h hostFile) stat() (stat, Errno) {
	info, err := h.f.Stat()
	if err != nil {
		return stat{}, hostErrno(err)
	}
	return h.dir.mount.describe(h.dir.join(h.name), info), Success
}

// setTimes goes by the name, as Go has no other way, if it is still this file's.
func (h hostFile) setTimes(t times) Errno {
	mine, err := h.f.Stat()
	if err != nil {
		return hostErrno(err)
	}
	named, err := h.dir.mount.root.Lstat(h.dir.join(h.name))
	if err != nil {
		return hostErrno(err)
	}
	if !os.SameFile(mine, named) {
		return ENOENT
	}
	return h.dir.setEntryTimes(h.name, t)
}

func (h hostFile) readAt(p []byte, at int64) (int, Errno) { return readFull(h.f, p, at) }

func (h hostFile) writeAt(p []byte, at int64) (int, Errno) {
	n, err := h.f.WriteAt(p, at)
	return n, hostErrno(err)
}

func (h hostFile) truncate(size int64) Errno { return hostErrno(h.f.Truncate(size)) }
func (h hostFile) sync() Errno               { return hostErrno(h.f.Sync()) }
func (h hostFile) close()                    { _ = h.f.Close() }

// includedFile is an open file that can only be read.
type includedFile struct {
	mount  *mount
	name   string
	f      fs.File
	reader io.ReaderAt
}

func (i includedFile) stat() (stat, Errno) {
	info, err := i.f.Stat()
	if err != nil {
		return stat{}, hostErrno(err)
	}
	return i.mount.describe(i.name, info), Success
}

func (i includedFile) readAt(p []byte, at int64) (int, Errno) { return readFull(i.reader, p, at) }
func (i includedFile) writeAt([]byte, int64) (int, Errno)     { return 0, EROFS }
func (i includedFile) truncate(int64) Errno                   { return EROFS }
func (i includedFile) setTimes(times) Errno                   { return EROFS }
func (i includedFile) sync() Errno                            { return Success }
func (i includedFile) close()                                 { _ = i.f.Close() }

func readFull(r io.ReaderAt, p []byte, at int64) (int, Errno) {
	n, err := r.ReadAt(p, at)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, hostErrno(err)
}
