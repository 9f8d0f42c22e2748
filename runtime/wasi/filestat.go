package wasi

import "math"

func fdFilestatGet(c *call) Errno {
	d, errno := c.descriptor(c.u32(0), rightStat)
	if errno != Success {
		return errno
	}
	p, errno := c.result(c.u32(1), statBytes)
	if errno != Success {
		return errno
	}
	st, errno := d.stat()
	if errno == Success {
		st.encode(p)
	}
	return errno
}

func (d *descriptor) stat() (stat, Errno) {
	switch {
	case d.dir != nil:
		return d.dir.stat()
	case d.file != nil:
		return d.file.stat()
	}
	return stat{filetype: d.stream.filetype(), links: 1}, Success
}

func fdFilestatSetSize(c *call) Errno {
	d, errno := c.fileAt(c.u32(0), rightSetSize)
	if errno != Success {
		return errno
	}
	if c.u64(1) > math.MaxInt64 {
		return EINVAL
	}
	return d.file.truncate(int64(c.u64(1)))
}

// fdAllocate makes a file at least as large as asked for. In /tmp that is a
// promise, as all of a file's size is counted; a host's directory is only made
// to look so.
func fdAllocate(c *call) Errno {
	d, errno := c.fileAt(c.u32(0), rightAllocate)
	if errno != Success {
		return errno
	}
	offset, n := c.u64(1), c.u64(2)
	switch {
	case offset > math.MaxInt64 || n > math.MaxInt64 || n == 0:
		return EINVAL
	case offset+n > math.MaxInt64:
		return EFBIG
	}
	st, errno := d.file.stat()
	if errno != Success || st.size >= offset+n {
		return errno
	}
	return d.file.truncate(int64(offset + n))
}

// fdAdvise takes any advice and follows none.
func fdAdvise(c *call) Errno {
	_, errno := c.fileAt(c.u32(0), rightAdvise)
	switch {
	case errno != Success:
		return errno
	case c.u64(1) > math.MaxInt64 || c.u64(2) > math.MaxInt64 || c.u32(3) > 5:
		return EINVAL
	}
	return Success
}

func fdFilestatSetTimes(c *call) Errno {
	d, errno := c.descriptor(c.u32(0), rightSetTimes)
	if errno != Success {
		return errno
	}
	t, errno := c.times(1)
	switch {
	case errno != Success:
		return errno
	case d.dir != nil:
		return d.dir.setTimes(t)
	}
	return d.file.setTimes(t)
}

// Which times to set.
const (
	setAtim    = 1 << 0
	setAtimNow = 1 << 1
	setMtim    = 1 << 2
	setMtimNow = 1 << 3
)

// times reads two times and the flags from parameter i on.
func (c *call) times(i int) (times, Errno) {
	t := times{atim: c.u64(i), mtim: c.u64(i + 1)}
	flags := c.u32(i + 2)
	switch {
	case flags > setAtim|setAtimNow|setMtim|setMtimNow,
		flags&setAtim != 0 && (flags&setAtimNow != 0 || t.atim > math.MaxInt64),
		flags&setMtim != 0 && (flags&setMtimNow != 0 || t.mtim > math.MaxInt64):
		return times{}, EINVAL
	}
	if flags&setAtimNow != 0 {
		t.atim = now()
	}
	if flags&setMtimNow != 0 {
		t.mtim = now()
	}
	t.setAtim, t.setMtim = flags&(setAtim|setAtimNow) != 0, flags&(setMtim|setMtimNow) != 0
	return t, Success
}

// followLink is the one flag of a lookup.
const followLink = 1 << 0

// lookup follows the path of parameters i and i+1 from the directory in
// parameter 0; flags are the lookup's.
func (c *call) lookup(need rights, flags uint32, i int) (target, Errno) {
	d, errno := c.directoryAt(c.u32(0), need)
	if errno != Success {
		return target{}, errno
	}
	if flags > followLink {
		return target{}, EINVAL
	}
	path, errno := c.path(i)
	if errno != Success {
		return target{}, errno
	}
	t, errno := lookup(d.dir, path, flags == followLink)
	if errno == Success {
		errno = t.missing()
	}
	return t, errno
}

func pathFilestatGet(c *call) Errno {
	p, errno := c.result(c.u32(4), statBytes)
	if errno != Success {
		return errno
	}
	t, errno := c.lookup(rightPathStat, c.u32(1), 2)
	if errno != Success {
		return errno
	}
	st := t.stat
	if t.name == "" {
		if st, errno = t.dir.stat(); errno != Success {
			return errno
		}
	}
	st.encode(p)
	return Success
}

func pathFilestatSetTimes(c *call) Errno {
	times, errno := c.times(4)
	if errno != Success {
		return errno
	}
	t, errno := c.lookup(rightPathSetTimes, c.u32(1), 2)
	switch {
	case errno != Success:
		return errno
	case t.name == "":
		return t.dir.setTimes(times)
	}
	return t.dir.setEntryTimes(t.name, times)
}
