package wasi

import "encoding/binary"

const direntBytes = 24

// fdReaddir writes entries, the last one cut where the buffer ends, as preview 1
// has it. A cookie is the number of entries before; they count in the listing
// that was made when the guest last began at 0, so it keeps its order whatever
// happens to the directory meanwhile.
func fdReaddir(c *call) Errno {
	d, errno := c.directoryAt(c.u32(0), rightReaddir)
	if errno != Success {
		return errno
	}
	buf, ok := c.bytes(c.u32(1), c.u32(2))
	if !ok {
		return EFAULT
	}
	used, errno := c.result(c.u32(4), 4)
	if errno != Success {
		return errno
	}
	cookie := c.u64(3)
	if cookie == 0 || d.listing == nil {
		if d.listing, errno = d.dir.list(); errno != Success {
			return errno
		}
	}
	n := 0
	for ; n < len(buf) && cookie < uint64(len(d.listing)); cookie++ {
		n += d.listing[cookie].encode(buf[n:], cookie+1)
	}
	binary.LittleEndian.PutUint32(used, uint32(n))
	return Success
}

// encode writes as much of an entry as there is room for.
func (e entry) encode(p []byte, next uint64) int {
	var head [direntBytes]byte
	binary.LittleEndian.PutUint64(head[0:], next)
	binary.LittleEndian.PutUint64(head[8:], e.ino)
	binary.LittleEndian.PutUint32(head[16:], uint32(len(e.name)))
	head[20] = e.filetype
	n := copy(p, head[:])
	return n + copy(p[n:], e.name)
}
