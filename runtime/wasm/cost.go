package wasm

// The cost model: what an instruction costs in units of fuel. A unit is about
// 0.1 ns of compiled code that does not wait for memory. The model is part of
// the contract with whoever sets a fuel limit: a change of it is a new
// RewriterVersion.
//
// Free: unreachable, nop, block, loop, else, end, return, drop. One unit:
// whatever is not named here, such as a load, an addition, a branch.
// Saturating truncations: two. Values that are carried: costValue.
const (
	costCall     = 4
	costIndirect = 8
	costDivide   = 8   // integer division and remainder, float division and square root
	costRefFunc  = 100 // leaves the compiled code
	costImport   = 50  // a call of an imported function
	costGrow     = 2000
	// costBulk is the price of a bulk operation before its length is counted:
	// one unit more for 16 bytes of memory or for two entries of a table.
	costBulk = 20
	// costLoop is the least that entering a function or a round of a loop costs.
	costLoop = 1
	// costValue is the price of each value beyond freeValues that a call returns,
	// a branch takes to its label, or that enters a loop or leaves a block: they
	// go through memory. Compilers hardly use more than one.
	costValue  = 20
	freeValues = 8
)

// costOfValues is what n values cost that are carried together.
func costOfValues(n int) uint64 { return costValue * uint64(max(n-freeValues, 0)) }

// Bulk lengths become units by a shift.
const (
	memoryShift = 4
	tableShift  = 1
)
