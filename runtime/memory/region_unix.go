//go:build unix

package memory

import "golang.org/x/sys/unix"

// region is address space reserved for a memory's maximum and made readable and
// writable as the memory grows, so that growing never copies.
type region struct {
	space     []byte
	committed uint64
}

func reserve(max uint64) (*region, error) {
	space, err := unix.Mmap(-1, 0, int(max), unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, err
	}
	return &region{space: space}, nil
}

func (r *region) commit(size uint64) ([]byte, error) {
	if size > r.committed {
		if err := unix.Mprotect(r.space[r.committed:size], unix.PROT_READ|unix.PROT_WRITE); err != nil {
			return nil, err
		}
		r.committed = size
	}
	return r.space[:size:size], nil
}

func (r *region) between(from, to uint64) []byte { return r.space[from:to:to] }

func (r *region) free() { _ = unix.Munmap(r.space) }
