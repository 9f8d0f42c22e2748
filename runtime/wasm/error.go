package wasm

import "fmt"

// Error says why a module is refused, and where.
type Error struct {
	// Section is the section's name, such as "code"; "" for the module itself.
	Section string
	// Offset counts bytes from the start of the module.
	Offset int
	// Function is the index of the function whose body is at fault, or -1.
	Function int
	Message  string
	// Cap names the field of Caps that was exceeded; "" for a module that is
	// malformed or uses what cloche does not run. Value is what the module
	// holds or claims, Limit what Caps allows.
	Cap          string
	Value, Limit uint64
}

func (e *Error) Error() string {
	where := fmt.Sprintf("offset %d", e.Offset)
	if e.Section != "" {
		where = e.Section + " section, " + where
	}
	if e.Function >= 0 {
		where += fmt.Sprintf(" (function %d)", e.Function)
	}
	return where + ": " + e.Message
}
