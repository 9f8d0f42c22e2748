// Package memory provides the linear memories of guests: bounded each by its
// function's limit and all together by the host's budget, zeroed before every
// use, grown without copying where the system allows it.
package memory

import "sync/atomic"

// Budget is what all guests of a host may hold together, in bytes.
type Budget struct {
	limit int64
	used  atomic.Int64
}

// NewBudget makes a budget of limit bytes; 0 or less is no limit.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

// Limit is the size of the budget in bytes, 0 for none.
func (b *Budget) Limit() int64 { return max(b.limit, 0) }

// Used is what is reserved now, in bytes.
func (b *Budget) Used() int64 { return b.used.Load() }

// reserve takes n bytes or nothing.
func (b *Budget) reserve(n int64) bool {
	if used := b.used.Add(n); b.limit > 0 && used > b.limit {
		b.used.Add(-n)
		return false
	}
	return true
}

func (b *Budget) release(n int64) { b.used.Add(-n) }
