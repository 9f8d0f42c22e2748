package wasi

import "encoding/binary"

// Descriptors is how many descriptors a guest has, open ones included that it
// was given.
const Descriptors = 64

// File types of preview 1.
const (
	typeUnknown   = 0
	typeBlock     = 1
	typeCharacter = 2
	typeDirectory = 3
	typeRegular   = 4
	typeSymlink   = 7
)

// Descriptor flags of preview 1.
const (
	flagAppend   = 1 << 0
	flagDsync    = 1 << 1
	flagNonblock = 1 << 2
	flagRsync    = 1 << 3
	flagSync     = 1 << 4
	allFlags     = 1<<5 - 1
)

// descriptor is an open stream, file or directory: one of the three is set.
type descriptor struct {
	stream *stream
	file   file
	dir    directory

	preopen          string // the guest's name for a directory it was given, or ""
	base, inheriting rights
	flags            uint16
	offset           int64
	listing          []entry // of fd_readdir, since its last start
}

// same reports whether nothing of a descriptor that a guest was given changed.
func (d *descriptor) same(o *descriptor) bool {
	return d.stream == o.stream && d.file == o.file && d.dir == o.dir && d.preopen == o.preopen &&
		d.base == o.base && d.inheriting == o.inheriting && d.flags == o.flags && d.offset == o.offset
}

func (d *descriptor) close() {
	if d.file != nil {
		d.file.close()
	}
}

func (d *descriptor) filetype() uint8 {
	switch {
	case d.stream != nil:
		return d.stream.filetype()
	case d.dir != nil:
		return typeDirectory
	}
	return typeRegular
}

// descriptor finds an open descriptor that has all rights of need.
func (c *call) descriptor(fd uint32, need rights) (*descriptor, Errno) {
	if fd >= Descriptors || c.sys.table[fd] == nil {
		return nil, EBADF
	}
	d := c.sys.table[fd]
	if d.base&need != need {
		return nil, ENOTCAPABLE
	}
	return d, Success
}

// fileAt finds an open file that has all rights of need.
func (c *call) fileAt(fd uint32, need rights) (*descriptor, Errno) {
	d, errno := c.descriptor(fd, 0)
	switch {
	case errno != Success:
		return nil, errno
	case d.dir != nil:
		return nil, EISDIR
	case d.stream != nil:
		return nil, ESPIPE
	case d.base&need != need:
		return nil, ENOTCAPABLE
	}
	return d, Success
}

// directoryAt finds an open directory that has all rights of need.
func (c *call) directoryAt(fd uint32, need rights) (*descriptor, Errno) {
	d, errno := c.descriptor(fd, 0)
	switch {
	case errno != Success:
		return nil, errno
	case d.dir == nil:
		return nil, ENOTDIR
	case d.base&need != need:
		return nil, ENOTCAPABLE
	}
	return d, Success
}

// free is the lowest number that is not in use, as POSIX has it.
func (s *System) free() (uint32, Errno) {
	for fd, d := range s.table {
		if d == nil {
			return uint32(fd), Success
		}
	}
	return 0, EMFILE
}

func fdClose(c *call) Errno {
	d, errno := c.descriptor(c.u32(0), 0)
	if errno != Success {
		return errno
	}
	d.close()
	c.sys.table[c.u32(0)] = nil
	return Success
}

// fdRenumber moves a descriptor onto another one, which must be open: so a guest
// can not make the table larger than it is.
func fdRenumber(c *call) Errno {
	from, errno := c.descriptor(c.u32(0), 0)
	if errno != Success {
		return errno
	}
	to, errno := c.descriptor(c.u32(1), 0)
	if errno != Success || from == to {
		return errno
	}
	to.close()
	c.sys.table[c.u32(1)], c.sys.table[c.u32(0)] = from, nil
	return Success
}

// fdFdstatGet: filetype, flags, rights, rights of what is opened below.
func fdFdstatGet(c *call) Errno {
	d, errno := c.descriptor(c.u32(0), 0)
	if errno != Success {
		return errno
	}
	p, errno := c.result(c.u32(1), 24)
	if errno != Success {
		return errno
	}
	clear(p)
	p[0] = d.filetype()
	binary.LittleEndian.PutUint16(p[2:], d.flags)
	binary.LittleEndian.PutUint64(p[8:], uint64(d.base))
	binary.LittleEndian.PutUint64(p[16:], uint64(d.inheriting))
	return Success
}

func fdFdstatSetFlags(c *call) Errno {
	d, errno := c.descriptor(c.u32(0), rightSetFlags)
	switch flags := c.u32(1); {
	case errno != Success:
		return errno
	case flags&^allFlags != 0:
		return EINVAL
	default:
		d.flags = uint16(flags)
	}
	return Success
}

// fdFdstatSetRights only ever takes rights away.
func fdFdstatSetRights(c *call) Errno {
	d, errno := c.descriptor(c.u32(0), 0)
	if errno != Success {
		return errno
	}
	base, inheriting := rights(c.u64(1)), rights(c.u64(2))
	if base&^d.base != 0 || inheriting&^d.inheriting != 0 {
		return ENOTCAPABLE
	}
	d.base, d.inheriting = base, inheriting
	return Success
}

// fdPrestatGet: the kind (0, a directory) and the length of its name.
func fdPrestatGet(c *call) Errno {
	d, errno := c.descriptor(c.u32(0), 0)
	switch {
	case errno != Success:
		return errno
	case d.preopen == "":
		return EBADF
	}
	return c.putU64(c.u32(1), uint64(len(d.preopen))<<32)
}

func fdPrestatDirName(c *call) Errno {
	d, errno := c.descriptor(c.u32(0), 0)
	switch {
	case errno != Success:
		return errno
	case d.preopen == "":
		return EBADF
	case int64(c.u32(2)) < int64(len(d.preopen)):
		return ENAMETOOLONG
	}
	p, ok := c.bytes(c.u32(1), uint32(len(d.preopen)))
	if !ok {
		return EFAULT
	}
	copy(p, d.preopen)
	return Success
}

// noSocket answers every function of sockets: no descriptor is one.
func noSocket(c *call) Errno {
	if _, errno := c.descriptor(c.u32(0), 0); errno != Success {
		return errno
	}
	return ENOTSOCK
}
