package memory

import "sync"

// slabs are zeroed buffers of slabBytes, shared by all guests: which is why a
// slab is cleared before it is put back.
var slabs = sync.Pool{New: func() any { return new([slabBytes]byte) }}

func getSlab() []byte { return slabs.Get().(*[slabBytes]byte)[:0] }

// putSlab clears what a guest could write to; its length only ever grew.
func putSlab(s []byte) {
	if s != nil {
		clear(s)
		slabs.Put((*[slabBytes]byte)(s[:slabBytes]))
	}
}
