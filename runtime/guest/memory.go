package guest

import (
	"github.com/tetratelabs/wazero/api"

	"github.com/cloche-run/cloche/abi"
)

// memory reads and writes a guest's memory, trusting none of its pointers. A
// 32-bit parameter's upper half is garbage, so every one is cut first.
type memory struct{ api.Memory }

// read is a view of the guest's memory, valid until the guest runs again.
func (m memory) read(ptr, size uint64) []byte {
	if uint32(size) == 0 {
		return nil
	}
	p, ok := m.Read(uint32(ptr), uint32(size))
	if !ok {
		abort("%d bytes at %d are outside the memory", uint32(size), uint32(ptr))
	}
	return p
}

func (m memory) string(ptr, size uint64) string {
	if uint32(size) > abi.ResponseHeaderBytes {
		abort("a text of %d bytes: the limit is %d", uint32(size), abi.ResponseHeaderBytes)
	}
	return string(m.read(ptr, size))
}

func (m memory) fieldName(ptr, size uint64) string {
	if uint32(size) == 0 {
		abort("a header name is empty")
	}
	return m.string(ptr, size)
}

// field reads the name and the value of a header line.
func (m memory) field(stack []uint64) (name, value string) {
	return m.fieldName(stack[0], stack[1]), m.string(stack[2], stack[3])
}

// put writes s to the buffer and limit on the stack, if it fits, and leaves its
// length as the result; the guest may come back with a larger buffer.
func (m memory) put(stack []uint64, s string) {
	if len(s) > 0 && len(s) <= int(uint32(stack[1])) && !m.WriteString(uint32(stack[0]), s) {
		abort("%d bytes at %d are outside the memory", len(s), uint32(stack[0]))
	}
	stack[0] = uint64(len(s))
}

// putList writes NUL-terminated texts, if all fit, and returns their count in
// the upper and their size in the lower half.
func (m memory) putList(ptr, limit uint64, list []string) uint64 {
	size := len(list)
	for _, s := range list {
		size += len(s)
	}
	if size > 0 && size <= int(uint32(limit)) {
		p := m.read(ptr, uint64(size))[:0]
		for _, s := range list {
			p = append(append(p, s...), 0)
		}
	}
	return uint64(len(list))<<32 | uint64(size)
}
