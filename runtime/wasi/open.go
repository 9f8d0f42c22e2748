package wasi

// Flags of path_open.
const (
	openCreate    = 1 << 0
	openDirectory = 1 << 1
	openExclusive = 1 << 2
	openTruncate  = 1 << 3
)

// pathOpen opens a file or directory, or makes a file. What is asked for beyond
// what the directory passes on is left out, save reading and writing, which are
// refused at once: programs in Rust ask for everything.
func pathOpen(c *call) Errno {
	o, errno := c.opener()
	if errno != Success {
		return errno
	}
	fd, errno := c.sys.free()
	if errno != Success {
		return errno
	}
	out, errno := c.result(c.u32(8), 4)
	if errno != Success {
		return errno
	}
	d, errno := o.open()
	if errno != Success {
		return errno
	}
	c.sys.table[fd] = d
	copy(out, []byte{byte(fd), 0, 0, 0})
	return Success
}

// opener is one path_open.
type opener struct {
	from             *descriptor
	path             string
	follow           bool
	flags            uint32
	base, inheriting rights
	fdflags          uint16
}

func (c *call) opener() (o opener, errno Errno) {
	o.flags, o.base, o.inheriting = c.u32(4), rights(c.u64(5)), rights(c.u64(6))
	need := rightOpen
	if o.flags&openCreate != 0 {
		need |= rightCreateFile
	}
	if o.flags&openTruncate != 0 {
		need |= rightPathSetSize
	}
	if o.from, errno = c.directoryAt(c.u32(0), need); errno != Success {
		return o, errno
	}
	if c.u32(1) > followLink || o.flags > 15 || c.u32(7) > allFlags || o.flags&(openCreate|openDirectory) == openCreate|openDirectory {
		return o, EINVAL
	}
	if o.base&^o.from.inheriting&(rightRead|rightWrite) != 0 {
		return o, ENOTCAPABLE
	}
	o.follow = c.u32(1) == followLink && o.flags&(openCreate|openExclusive) != openCreate|openExclusive
	o.fdflags = uint16(c.u32(7))
	o.path, errno = c.path(2)
	return o, errno
}

func (o opener) open() (*descriptor, Errno) {
	t, errno := lookup(o.from.dir, o.path, o.follow)
	switch {
	case errno != Success:
		return nil, errno
	case t.exists && o.flags&(openCreate|openExclusive) == openCreate|openExclusive:
		return nil, EEXIST
	case t.isDirectory():
		return o.openDirectory(t)
	case !t.exists && o.flags&openCreate == 0:
		return nil, ENOENT
	case !t.exists && t.slash:
		return nil, EISDIR
	case !t.exists:
		return o.openFile(t)
	case t.stat.filetype == typeSymlink:
		return nil, ELOOP
	case t.slash || o.flags&openDirectory != 0:
		return nil, ENOTDIR
	case t.stat.filetype != typeRegular:
		return nil, ENOTSUP
	}
	return o.openFile(t)
}

func (o opener) openDirectory(t target) (*descriptor, Errno) {
	if o.flags&(openCreate|openTruncate) != 0 || o.base&rightWrite != 0 {
		return nil, EISDIR
	}
	dir, errno := t.dir, Success
	if t.name != "" {
		dir, errno = t.dir.enter(t.name)
	}
	inheriting := o.from.inheriting
	return &descriptor{
		dir: dir, flags: o.fdflags,
		base: o.base & inheriting & directoryRights, inheriting: o.inheriting & inheriting,
	}, errno
}

func (o opener) openFile(t target) (*descriptor, Errno) {
	how := opening{
		read:      o.base&rightRead != 0,
		write:     o.base&rightWrite != 0,
		create:    o.flags&openCreate != 0,
		exclusive: o.flags&openExclusive != 0,
		empty:     o.flags&openTruncate != 0,
	}
	f, errno := t.dir.open(t.name, how)
	inheriting := o.from.inheriting
	return &descriptor{
		file: f, flags: o.fdflags,
		base: o.base & inheriting & fileRights, inheriting: o.inheriting & inheriting,
	}, errno
}
