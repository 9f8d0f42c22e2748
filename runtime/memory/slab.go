package memory

import "sync"

// Slabs are zeroed buffers of two sizes: most C guests need three pages, most
// others fewer than sixteen.
const smallSlab = 256 << 10

// A slab in a pool is all zero. Pools are per process and shared by all guests,
// which is why a slab is cleared when it is put back and never trusted to be.
var smallSlabs, largeSlabs = slabPool(smallSlab), slabPool(slabBytes)

func slabPool(size int) *sync.Pool {
	return &sync.Pool{New: func() any { s := make([]byte, size); return &s }}
}

// getSlab returns size zero bytes, size at most slabBytes.
func getSlab(size uint64) []byte {
	pool := &largeSlabs
	if size <= smallSlab {
		pool = &smallSlabs
	}
	return (*(*pool).Get().(*[]byte))[:size]
}

// putSlab clears what a guest could write to (its length only ever grew) and
// keeps the slab for another.
func putSlab(s []byte) {
	if cap(s) == 0 {
		return
	}
	clear(s)
	s = s[:cap(s)]
	if cap(s) == smallSlab {
		smallSlabs.Put(&s)
	} else {
		largeSlabs.Put(&s)
	}
}
