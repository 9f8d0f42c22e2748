package memory

// slabBytes is the largest memory kept on the Go heap, enough for most guests in
// C: clearing that much costs less than asking the system for it. Beyond it the
// memory moves once into address space reserved up to its maximum, and grows in
// place.
const slabBytes = 256 << 10

// linear is one linear memory.
type linear struct {
	account *Account
	max     uint64
	mapped  bool // never in a slab
	buf     []byte
	size    int64
	region  *region

	image   *Image
	laid    bool // the image is mapped, copied on write
	resting bool // Reallocate is to return the image's length, whatever it is asked
	written int64
	resets  uint
	high    uint64 // up to here it was grown since the tail was dropped
	seen    uint64 // up to here it was grown since Same saw the tail
	scratch *scratch
	watch   watch
}

// Reallocate grows the memory to size bytes, or returns nil: the guest then
// sees memory.grow fail. New bytes are zero. It never shrinks a memory, except
// in Reset.
func (l *linear) Reallocate(size uint64) []byte {
	if l.resting {
		return l.shrink()
	}
	if l.buf != nil && size <= uint64(l.size) {
		return l.buf
	}
	if size > l.max || !l.grow(size) {
		return nil
	}
	l.size = int64(size)
	l.high, l.seen = max(l.high, size), max(l.seen, size)
	l.account.peak = max(l.account.peak, l.size)
	return l.buf
}

func (l *linear) grow(size uint64) bool {
	delta, take := int64(size)-l.size, l.account.budget.grow
	if l.size == 0 {
		take = l.account.budget.open
	}
	if !take(delta) {
		l.account.short = true
		return false
	}
	if err := l.resize(size); err != nil {
		l.account.budget.release(delta)
		l.account.short = true
		return false
	}
	return true
}

func (l *linear) resize(size uint64) (err error) {
	switch {
	case l.region != nil:
		l.buf, err = l.region.commit(size)
		return err
	case size <= slabBytes && (!l.mapped || size == 0):
		if l.buf == nil {
			l.buf = getSlab()
		}
		l.buf = l.buf[:size]
		return nil
	}
	r, err := reserve(l.max)
	if err != nil {
		return err
	}
	grown, err := r.commit(size)
	if err != nil {
		r.free()
		return err
	}
	copy(grown, l.buf)
	putSlab(l.buf)
	l.region, l.buf = r, grown
	return nil
}

// between is a part of the memory, of what is no longer reachable for the guest
// too.
func (l *linear) between(from, to uint64) []byte {
	if l.region != nil {
		return l.region.between(from, to)
	}
	return l.buf[from:to:cap(l.buf)]
}

// Free implements experimental.LinearMemory. A second call does nothing.
func (l *linear) Free() {
	l.account.budget.release(l.size)
	if l.region != nil {
		l.region.free()
	} else {
		putSlab(l.buf)
	}
	if l.image != nil {
		_ = l.image.release()
	}
	l.buf, l.region, l.image, l.size = nil, nil, nil, 0
}
