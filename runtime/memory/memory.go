package memory

import (
	"github.com/tetratelabs/wazero/experimental"
)

// Account holds the linear memory of one instance. It implements wazero's
// MemoryAllocator; it is for one instance and not safe for concurrent use. Of
// the ways to open it, one is called, once.
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

// OpenToAdopt is Open for a memory that an image will be made of, and that is
// then to be that image's by Adopt. It costs more than Open.
func (a *Account) OpenToAdopt(min uint64) bool {
	a.memory = &linear{account: a, max: a.limit, mapped: true}
	return a.memory.Reallocate(min) != nil
}

// OpenImage makes a memory that starts as i and can be Reset, or reports that
// there is no room. It has the size of i, even if wazero asks for less.
func (a *Account) OpenImage(i *Image) bool {
	a.memory = &linear{account: a, max: a.limit, mapped: true}
	return a.memory.start(i)
}

// OpenOnce is OpenImage for an instance that serves once: a small image is then
// copied, which costs less than to map it.
func (a *Account) OpenOnce(i *Image) bool {
	a.memory = &linear{account: a, max: a.limit}
	return a.memory.start(i)
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

// Budget is what the account takes from.
func (a *Account) Budget() *Budget { return a.budget }

// Size is what the guest has of memory now, in bytes.
func (a *Account) Size() int64 {
	if a.memory == nil {
		return 0
	}
	return a.memory.size
}

// Peak is the largest size the memory had since it was opened or Reset, in bytes.
func (a *Account) Peak() int64 { return a.peak }

// Short reports whether the host's budget, not the function's limit, refused
// memory since the account was opened or Reset.
func (a *Account) Short() bool { return a.short }

// Close gives the memory back. No byte of it may be read after this.
func (a *Account) Close() {
	a.Unwatch()
	if a.memory != nil {
		a.memory.Free()
	}
	a.budget.release(a.held)
	a.held = 0
}
