// Package memory provides the linear memories of guests: bounded each by its
// function's limit and all together by the host's budget, zeroed before every
// use or brought back to an Image, grown without copying where the system
// allows it.
package memory

import "sync/atomic"

// Budget is what all guests of a host may hold together, in bytes, and how their
// memories are reset.
type Budget struct {
	limit   int64
	used    atomic.Int64
	spare   func(int64) bool
	tactics tactics
}

// NewBudget makes a budget of limit bytes; 0 or less is no limit. Until Verify
// has looked at the system, memories are reset in a way that works on any.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit, tactics: anySystem()} }

// Spare sets what is asked to give back n bytes, by closing accounts that are
// idle, when they are refused; it reports whether it gave any. It is called by
// whoever opens or grows a memory, guests included, several at a time. It is set
// once, before the first account.
func (b *Budget) Spare(free func(n int64) bool) { b.spare = free }

// Close gives up what Verify opened. No account may be in use.
func (b *Budget) Close() error {
	pages := b.tactics.pages
	b.tactics = anySystem()
	return pages.close()
}

// Limit is the size of the budget in bytes, 0 for none.
func (b *Budget) Limit() int64 { return max(b.limit, 0) }

// Used is what is reserved now, in bytes.
func (b *Budget) Used() int64 { return b.used.Load() }

// Short reports whether a memory of n bytes could not be opened now.
func (b *Budget) Short(n int64) bool { return b.limit > 0 && b.Used()+n > b.limit }

// growthShare is the part of the budget, in eighths, that memories may grow into.
// The rest is for the first pages of new instances, so that one function that
// takes all it can get does not keep the others from starting.
const growthShare = 7

// open takes n bytes for a new memory, or nothing.
func (b *Budget) open(n int64) bool { return b.reserve(n, b.limit) }

// grow takes n bytes more for a memory, or nothing.
func (b *Budget) grow(n int64) bool { return b.reserve(n, b.limit/8*growthShare) }

// Reserve takes n bytes for whatever else the host keeps for a guest, or nothing;
// a negative n gives them back.
func (b *Budget) Reserve(n int64) bool {
	if n < 0 {
		b.release(-n)
		return true
	}
	return b.grow(n)
}

func (b *Budget) reserve(n, limit int64) bool {
	return b.take(n, limit) || b.spare != nil && b.spare(n) && b.take(n, limit)
}

func (b *Budget) take(n, limit int64) bool {
	if used := b.used.Add(n); b.limit > 0 && used > limit {
		b.used.Add(-n)
		return false
	}
	return true
}

func (b *Budget) release(n int64) { b.used.Add(-n) }
