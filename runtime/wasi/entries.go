package wasi

import "encoding/binary"

// entryAt follows a path to an entry that is to be made, moved or removed. fd,
// path and its length are parameters fd, i and i+1.
func (c *call) entryAt(fd int, need rights, i int) (target, Errno) {
	d, errno := c.directoryAt(c.u32(fd), need)
	if errno != Success {
		return target{}, errno
	}
	path, errno := c.path(i)
	if errno != Success {
		return target{}, errno
	}
	return entryOf(d.dir, path)
}

func pathCreateDirectory(c *call) Errno {
	t, errno := c.entryAt(0, rightCreateDirectory, 1)
	switch {
	case errno != Success:
		return errno
	case t.exists:
		return EEXIST
	}
	return t.dir.mkdir(t.name)
}

func pathRemoveDirectory(c *call) Errno {
	t, errno := c.entryAt(0, rightRemoveDirectory, 1)
	switch {
	case errno != Success:
		return errno
	case t.name == "":
		return EINVAL
	case !t.exists:
		return ENOENT
	case !t.isDirectory():
		return ENOTDIR
	}
	return t.dir.remove(t.name, true)
}

func pathUnlinkFile(c *call) Errno {
	t, errno := c.entryAt(0, rightUnlinkFile, 1)
	switch {
	case errno != Success:
		return errno
	case t.isDirectory():
		return EISDIR
	case t.missing() != Success:
		return t.missing()
	}
	return t.dir.remove(t.name, false)
}

// pathSymlink keeps a text that is no absolute path. Where it leads is looked at
// when it is followed.
func pathSymlink(c *call) Errno {
	text, errno := c.path(0)
	switch {
	case errno != Success:
		return errno
	case text[0] == '/':
		return ENOTCAPABLE
	}
	t, errno := c.entryAt(2, rightSymlink, 3)
	switch {
	case errno != Success:
		return errno
	case t.exists && t.slash && !t.isDirectory():
		return ENOTDIR
	case t.exists:
		return EEXIST
	case t.slash:
		return ENOENT
	}
	return t.dir.symlink(text, t.name)
}

// pathReadlink writes as much of a link's text as there is room for.
func pathReadlink(c *call) Errno {
	p, ok := c.bytes(c.u32(3), c.u32(4))
	if !ok {
		return EFAULT
	}
	used, errno := c.result(c.u32(5), 4)
	if errno != Success {
		return errno
	}
	t, errno := c.lookup(rightReadlink, 0, 1)
	switch {
	case errno != Success:
		return errno
	case t.name == "" || t.stat.filetype != typeSymlink:
		return EINVAL
	}
	text, errno := t.dir.readlink(t.name)
	if errno != Success {
		return errno
	}
	binary.LittleEndian.PutUint32(used, uint32(copy(p, text)))
	return Success
}

// pathLink gives a file a second name. A symbolic link is linked itself.
func pathLink(c *call) Errno {
	if c.u32(1) != 0 {
		return EINVAL
	}
	from, errno := c.entryAt(0, rightLinkSource, 2)
	if errno != Success {
		return errno
	}
	if errno := from.missing(); errno != Success {
		return errno
	}
	to, errno := c.entryAt(4, rightLinkTarget, 5)
	switch {
	case errno != Success:
		return errno
	case from.isDirectory():
		return EPERM
	case to.exists:
		return EEXIST
	case to.slash:
		return ENOENT
	}
	return from.dir.link(from.name, to.dir, to.name)
}

func pathRename(c *call) Errno {
	from, errno := c.entryAt(0, rightRenameSource, 1)
	if errno != Success {
		return errno
	}
	if errno := from.missing(); errno != Success {
		return errno
	}
	to, errno := c.entryAt(3, rightRenameTarget, 4)
	switch {
	case errno != Success:
		return errno
	case from.name == "" || to.name == "":
		return EBUSY
	case from.isDirectory() && to.exists && !to.isDirectory(), !from.isDirectory() && to.slash:
		return ENOTDIR
	case !from.isDirectory() && to.isDirectory():
		return EISDIR
	}
	return from.dir.rename(from.name, to.dir, to.name)
}
