package wasi

import (
	"encoding/binary"
	"math"
)

// fdRead reads from where the descriptor is, and moves on.
func fdRead(c *call) Errno {
	d, v, count, errno := c.buffers(rightRead)
	if errno != Success {
		return errno
	}
	if d.stream == &c.sys.streams[0] {
		c.awaitRequest()
	}
	var n int
	if d.stream != nil {
		n, errno = readStream(c, d, &v)
	} else {
		n, errno = readFile(d.file, &v, d.offset)
		d.offset += int64(n)
	}
	return transferred(count, n, errno)
}

// buffers are what fd_read and fd_write are given: a descriptor with the right
// need that is no directory, buffers, and where to tell how much was moved.
func (c *call) buffers(need rights) (d *descriptor, v iovecs, count []byte, errno Errno) {
	d, errno = c.descriptor(c.u32(0), 0)
	switch {
	case errno != Success:
		return d, v, nil, errno
	case d.dir != nil:
		return d, v, nil, EISDIR
	case d.base&need == 0:
		return d, v, nil, ENOTCAPABLE
	}
	if v, errno = c.iovecs(1); errno == Success {
		count, errno = c.result(c.u32(3), 4)
	}
	return d, v, count, errno
}

// readStream fills the buffers with what is there; only the first byte is
// waited for.
func readStream(c *call, d *descriptor, v *iovecs) (total int, errno Errno) {
	s := d.stream
	if _, waits := s.waits(); waits && d.flags&flagNonblock != 0 {
		return 0, EAGAIN
	}
	for {
		p, errno := v.next()
		if p == nil || errno != Success {
			return total, errno
		}
		n, errno := s.read(c.ctx, p)
		if errno != Success {
			c.endIfOver()
			return total, errno
		}
		total += n
		if _, waits := s.waits(); n < len(p) || waits {
			return total, Success
		}
	}
}

func readFile(f file, v *iovecs, at int64) (total int, errno Errno) {
	for {
		p, errno := v.next()
		if p == nil || errno != Success {
			return total, errno
		}
		if at > math.MaxInt64-int64(total)-int64(len(p)) {
			return total, Success // no file reaches as far
		}
		n, errno := f.readAt(p, at+int64(total))
		total += n
		if n < len(p) || errno != Success {
			return total, errno
		}
	}
}

// fdWrite writes to where the descriptor is, or to the end, and moves on.
func fdWrite(c *call) Errno {
	d, v, count, errno := c.buffers(rightWrite)
	if errno != Success {
		return errno
	}
	if d.stream != nil {
		n, errno := writeStream(c, d.stream, &v)
		return transferred(count, n, errno)
	}
	if d.flags&flagAppend != 0 {
		st, errno := d.file.stat()
		if errno != Success {
			return errno
		}
		d.offset = int64(st.size)
	}
	n, errno := writeFile(d, &v, d.offset)
	d.offset += int64(n)
	return transferred(count, n, errno)
}

func writeStream(c *call, s *stream, v *iovecs) (total int, errno Errno) {
	for {
		p, errno := v.next()
		if p == nil || errno != Success {
			return total, errno
		}
		n, errno := s.write(p)
		total += n
		if n < len(p) || errno != Success {
			c.endIfOver() // the writer may have stopped the invocation
			return total, errno
		}
	}
}

func writeFile(d *descriptor, v *iovecs, at int64) (total int, errno Errno) {
	for {
		p, errno := v.next()
		if p == nil || errno != Success {
			return total, syncAfter(d, total, errno)
		}
		if at > math.MaxInt64-int64(total)-int64(len(p)) {
			return total, EFBIG
		}
		n, errno := d.file.writeAt(p, at+int64(total))
		total += n
		if n < len(p) || errno != Success {
			return total, syncAfter(d, total, errno)
		}
	}
}

// syncAfter does what the flags "sync" and "dsync" ask for after a write.
func syncAfter(d *descriptor, written int, errno Errno) Errno {
	if errno == Success && written > 0 && d.flags&(flagSync|flagDsync) != 0 {
		return d.file.sync()
	}
	return errno
}

// transferred reports n bytes to the guest. What went wrong after the first of
// them comes up again with its next call.
func transferred(count []byte, n int, errno Errno) Errno {
	if n == 0 && errno != Success {
		return errno
	}
	binary.LittleEndian.PutUint32(count, uint32(n))
	return Success
}

func fdPread(c *call) Errno {
	d, v, errno := c.positional(rightRead | rightSeek)
	if errno != Success {
		return errno
	}
	count, errno := c.result(c.u32(4), 4)
	if errno != Success {
		return errno
	}
	n, errno := readFile(d.file, &v, int64(c.u64(3)))
	return transferred(count, n, errno)
}

// fdPwrite writes where it is told, also to a file that appends, as POSIX has it.
func fdPwrite(c *call) Errno {
	d, v, errno := c.positional(rightWrite | rightSeek)
	if errno != Success {
		return errno
	}
	count, errno := c.result(c.u32(4), 4)
	if errno != Success {
		return errno
	}
	n, errno := writeFile(d, &v, int64(c.u64(3)))
	return transferred(count, n, errno)
}

func (c *call) positional(need rights) (*descriptor, iovecs, Errno) {
	d, errno := c.fileAt(c.u32(0), need)
	if errno != Success {
		return nil, iovecs{}, errno
	}
	if int64(c.u64(3)) < 0 {
		return nil, iovecs{}, EINVAL
	}
	v, errno := c.iovecs(1)
	return d, v, errno
}

// Where fd_seek counts from.
const (
	seekSet = 0
	seekCur = 1
	seekEnd = 2
)

func fdSeek(c *call) Errno {
	delta, whence := int64(c.u64(1)), c.u32(2)
	need := rightSeek
	if delta == 0 && whence == seekCur {
		need = 0 // fd_tell in other words, which either right allows
	}
	d, errno := c.fileAt(c.u32(0), need)
	switch {
	case errno != Success:
		return errno
	case d.base&(rightSeek|rightTell) == 0:
		return ENOTCAPABLE
	}
	var from int64
	switch whence {
	case seekSet:
	case seekCur:
		from = d.offset
	case seekEnd:
		st, errno := d.file.stat()
		if errno != Success {
			return errno
		}
		from = int64(st.size)
	default:
		return EINVAL
	}
	if delta > math.MaxInt64-from || from+delta < 0 {
		return EINVAL
	}
	if errno := c.putU64(c.u32(3), uint64(from+delta)); errno != Success {
		return errno
	}
	d.offset = from + delta
	return Success
}

func fdTell(c *call) Errno {
	d, errno := c.fileAt(c.u32(0), 0)
	switch {
	case errno != Success:
		return errno
	case d.base&(rightSeek|rightTell) == 0:
		return ENOTCAPABLE
	}
	return c.putU64(c.u32(1), uint64(d.offset))
}

func fdSync(c *call) Errno     { return c.sync(rightSync) }
func fdDatasync(c *call) Errno { return c.sync(rightDatasync) }

func (c *call) sync(need rights) Errno {
	d, errno := c.descriptor(c.u32(0), need)
	if errno != Success || d.file == nil {
		return errno
	}
	return d.file.sync()
}
