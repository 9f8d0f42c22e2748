package memory

import (
	"github.com/tetratelabs/wazero/experimental"
)

// Account holds the linear memory of one instance. It implements wazero's
// MemoryAllocator; it is for one instance and not safe for concurrent use.
type Account struct {
	budget *Budget
	limit  uint64 // bytes
	memory *linear
	held   int64
	peak   int64
	short  bool
}

// NewAccount makes an account that grants at most limit bytes out of budget.
func NewAccount(budget *Budget, limit uint64) *Account {
	return &Account{budget: budget, limit: limit}
}

// Open makes a memory of min bytes, or reports that there is no room. wazero's
// allocator must not fail for a memory's first bytes, so they are taken here.
func (a *Account) Open(min uint64) bool {
	a.memory = &linear{account: a, max: a.limit}
	return a.memory.Reallocate(min) != nil
}

// Hold takes bytes out of the budget for what an instance has besides its
// memory, until Close, or reports that there is no room.
func (a *Account) Hold(bytes int64) bool {
	if !a.budget.open(bytes) {
		a.short = true
		return false
	}
	a.held += bytes
	return true
}

// Allocate implements experimental.MemoryAllocator.
func (a *Account) Allocate(_, _ uint64) experimental.LinearMemory { return a.memory }

// Peak is the largest size the memory had, in bytes.
func (a *Account) Peak() int64 { return a.peak }

// Short reports whether the host's budget, not the function's limit, refused memory.
func (a *Account) Short() bool { return a.short }

// Close gives the memory back. No byte of it may be read after this.
func (a *Account) Close() {
	if a.memory != nil {
		a.memory.Free()
	}
	a.budget.release(a.held)
	a.held = 0
}

// slabBytes is the largest memory kept on the Go heap, enough for most guests in
// C: clearing that much costs less than asking the system for it. Beyond it the
// memory moves once into address space reserved up to its maximum, and grows in
// place.
const slabBytes = 256 << 10

// linear is one linear memory.
type linear struct {
	account *Account
	max     uint64
	buf     []byte
	size    int64
	region  *region
}

// Reallocate grows the memory to size bytes, or returns nil: the guest then
// sees memory.grow fail. New bytes are zero.
func (l *linear) Reallocate(size uint64) []byte {
	if size > l.max {
		return nil
	}
	delta := int64(size) - l.size
	take := l.account.budget.grow
	if l.size == 0 {
		take = l.account.budget.open
	}
	if !take(delta) {
		l.account.short = true
		return nil
	}
	if err := l.resize(size); err != nil {
		l.account.budget.release(delta)
		l.account.short = true
		return nil
	}
	l.size = int64(size)
	l.account.peak = max(l.account.peak, l.size)
	return l.buf
}

func (l *linear) resize(size uint64) (err error) {
	switch {
	case l.region != nil:
		l.buf, err = l.region.commit(size)
		return err
	case size <= slabBytes:
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

// Free implements experimental.LinearMemory. A second call does nothing.
func (l *linear) Free() {
	l.account.budget.release(l.size)
	if l.region != nil {
		l.region.free()
	} else {
		putSlab(l.buf)
	}
	l.buf, l.region, l.size = nil, nil, 0
}
