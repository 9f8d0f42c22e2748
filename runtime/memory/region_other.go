//go:build !unix

package memory

// region doubles a Go slice: correct anywhere, slower to grow.
type region struct {
	buf []byte
	max uint64
}

func reserve(max uint64) (*region, error) { return &region{max: max}, nil }

func (r *region) commit(size uint64) ([]byte, error) {
	if size > uint64(cap(r.buf)) {
		grown := make([]byte, size, min(max(size, 2*uint64(cap(r.buf))), r.max))
		copy(grown, r.buf)
		r.buf = grown
	}
	r.buf = r.buf[:size]
	return r.buf, nil
}

func (r *region) between(from, to uint64) []byte { return r.buf[from:to:to] }

func (r *region) free() { r.buf = nil }
