package wasm

// The cost model: what an instruction costs in units of fuel. A unit is about
// 0.1 ns of compiled code that does not wait for memory. The model is part of
// the contract with whoever sets a fuel limit: a change of it is a new
// RewriterVersion.
//
// Free: unreachable, nop, block, loop, else, end, return, drop. One unit:
// whatever is not named here, such as a load, an addition, a branch.
// Saturating truncations: two.
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
)

// Bulk lengths become units by a shift.
const (
	memoryShift = 4
	tableShift  = 1
)
