package wasi

import (
	"context"
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/tetratelabs/wazero/api"
)

// Limits on what one call may name.
const (
	// Iovecs is how many buffers a read or write may have (IOV_MAX on Linux).
	Iovecs = 1024
	// TransferBytes is what one read or write moves at most; it is then short,
	// as POSIX allows. It keeps a call of many overlapping buffers brief.
	TransferBytes = 16 << 20
	// PathBytes is the length of a path and of a symbolic link's text.
	PathBytes = 4096
	// NameBytes is the length of one name in a path.
	NameBytes = 255
)

// call is one call of a host function. It trusts nothing of the guest's: a
// 32-bit parameter's upper half is garbage, a pointer may be anywhere.
type call struct {
	ctx   context.Context
	sys   *System
	mem   api.Memory // nil if the module has none
	stack []uint64
}

func (c *call) u32(i int) uint32 { return uint32(c.stack[i]) }
func (c *call) u64(i int) uint64 { return c.stack[i] }

// bytes is a view of n bytes of the guest's memory, valid during the call.
func (c *call) bytes(ptr uint32, n uint32) ([]byte, bool) {
	switch {
	case n == 0:
		return nil, true
	case c.mem == nil:
		return nil, false
	}
	return c.mem.Read(ptr, n)
}

// result is a view of the place for n bytes of result, for a function that must
// not have had an effect when it says EFAULT. n is not 0.
func (c *call) result(ptr uint32, n uint32) ([]byte, Errno) {
	if p, ok := c.bytes(ptr, n); ok {
		return p, Success
	}
	return nil, EFAULT
}

func (c *call) putU32(ptr, v uint32) Errno {
	if c.mem == nil || !c.mem.WriteUint32Le(ptr, v) {
		return EFAULT
	}
	return Success
}

func (c *call) putU64(ptr uint32, v uint64) Errno {
	if c.mem == nil || !c.mem.WriteUint64Le(ptr, v) {
		return EFAULT
	}
	return Success
}

// path reads the path whose pointer is parameter i and its length the next.
func (c *call) path(i int) (string, Errno) {
	ptr, n := c.u32(i), c.u32(i+1)
	if n > PathBytes {
		return "", ENAMETOOLONG
	}
	p, ok := c.bytes(ptr, n)
	if !ok {
		return "", EFAULT
	}
	path := string(p)
	switch {
	case path == "":
		return "", ENOENT
	case strings.IndexByte(path, 0) >= 0:
		return "", EINVAL
	case !utf8.ValidString(path):
		return "", EILSEQ
	}
	return path, Success
}

// iovecs is a guest's list of buffers, checked as it is walked.
type iovecs struct {
	mem  api.Memory
	list []byte
	left int // of TransferBytes
}

// iovecs takes the list whose pointer is parameter i and its length the next.
func (c *call) iovecs(i int) (iovecs, Errno) {
	n := c.u32(i + 1)
	if n > Iovecs {
		return iovecs{}, EINVAL
	}
	list, ok := c.bytes(c.u32(i), 8*n)
	if !ok {
		return iovecs{}, EFAULT
	}
	return iovecs{c.mem, list, TransferBytes}, Success
}

// next is the next buffer that is not empty, or nil at the end.
func (v *iovecs) next() ([]byte, Errno) {
	for len(v.list) > 0 && v.left > 0 {
		ptr, n := binary.LittleEndian.Uint32(v.list), binary.LittleEndian.Uint32(v.list[4:])
		v.list = v.list[8:]
		if n == 0 {
			continue
		}
		p, ok := v.mem.Read(ptr, n)
		if !ok {
			return nil, EFAULT
		}
		p = p[:min(len(p), v.left)]
		v.left -= len(p)
		return p, Success
	}
	return nil, Success
}

// endIfOver ends the guest if its invocation is over. It is called where a host
// function waited or worked long: the guest must not go on from there.
func (c *call) endIfOver() {
	if err := c.ctx.Err(); err != nil {
		panic(err) // wazero makes it the error of the guest's call
	}
}
