package wasm

import "encoding/binary"

// memorySection is the id of the section that defines memories:
// https://webassembly.github.io/spec/core/binary/modules.html#memory-section
const memorySection = 5

// MemoryMin returns the initial size of the memory that module defines, in pages
// of 64 KiB; ok is false if it defines none. An engine must have found the
// module valid.
func MemoryMin(module []byte) (pages uint32, ok bool) {
	for rest := module[8:]; len(rest) > 0; {
		id := rest[0]
		size, n := binary.Uvarint(rest[1:])
		if n <= 0 || size > uint64(len(rest)-1-n) {
			return 0, false
		}
		body := rest[1+n:][:size]
		rest = rest[1+n:][size:]
		if id == memorySection {
			return firstMin(body)
		}
	}
	return 0, false
}

// firstMin reads count, flags and minimum of the first memory.
func firstMin(body []byte) (uint32, bool) {
	count, n := binary.Uvarint(body)
	if n <= 0 || count == 0 || len(body) < n+2 {
		return 0, false
	}
	pages, m := binary.Uvarint(body[n+1:])
	return uint32(pages), m > 0
}
