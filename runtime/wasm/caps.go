package wasm

import (
	"fmt"
	"math"
	"strings"
)

// Caps bound what a module may hold, so that neither reading nor compiling it
// can be made expensive: the cost of an engine's compiler grows faster than the
// module (quadratic in the blocks of a function). Every cap is inclusive. What
// real modules reach is written beside each. Only an operator raises them: Raise.
type Caps struct {
	ModuleBytes uint64 // 30.6 MB: Ruby with its library

	Types   uint64 // 228
	Params  uint64 // per function type, 45
	Results uint64 // per function type, 1
	// TypeValues counts the parameters and results of all types, 697: engines
	// name types by spelling them out, and take all of a long type for each of its
	// values.
	TypeValues uint64

	Imports   uint64 // 123
	Functions uint64 // defined and imported, 19 852
	Tables    uint64
	Globals   uint64 // 1 657
	Exports   uint64 // 1 560
	Elements  uint64 // element segments
	// ElementItems counts the items of all element segments, 8 775.
	ElementItems uint64
	DataSegments uint64 // 42 218
	// NameBytes is the length of one imported or exported name.
	NameBytes uint64

	// TableEntries is the size that all tables start with together, and the
	// maximum that Rewrite gives each.
	TableEntries uint64
	// GrowingTables is how many tables a module's table.grow may name.
	GrowingTables uint64
	// MemoryPages is the size the memory may start with, in pages of 64 KiB. It is
	// the one that an operator does not raise: what a function may have is known
	// elsewhere.
	MemoryPages uint64

	BodyBytes    uint64 // of one function, 266 kB
	Instructions uint64 // of one function
	Locals       uint64 // of one function, with its parameters, 1 230
	TotalLocals  uint64 // of all functions
	// Nesting is the depth of blocks, loops and ifs in a function, 804.
	Nesting uint64
	// LoopNesting is the depth of loops alone: rewriting and compiling a nest
	// of loops costs far more than one of blocks.
	LoopNesting uint64
	Loops       uint64 // of one function
	// Branches counts block, loop, if and br_if of one function, and each bulk
	// operation four times, 6 064.
	Branches uint64
	// TableTargets is the length of one br_table, 1 144; TotalTargets of all in
	// one function.
	TableTargets uint64
	TotalTargets uint64
}

// DefaultCaps let every real module pass that was tried.
func DefaultCaps() Caps {
	return Caps{
		ModuleBytes:   ModuleBytes,
		Types:         2_000,
		Params:        1_000,
		Results:       1_000,
		TypeValues:    20_000,
		Imports:       1_000,
		Functions:     50_000,
		Tables:        16,
		Globals:       100_000,
		Exports:       10_000,
		Elements:      1_000,
		ElementItems:  200_000,
		DataSegments:  100_000,
		NameBytes:     100_000,
		TableEntries:  100_000,
		GrowingTables: 1,
		MemoryPages:   16_384,
		BodyBytes:     1 << 20,
		Instructions:  250_000,
		Locals:        5_000,
		TotalLocals:   2_000_000,
		Nesting:       1_500,
		LoopNesting:   64,
		Loops:         1_000,
		Branches:      10_000,
		TableTargets:  10_000,
		TotalTargets:  20_000,
	}
}

// Each shows the caps that an operator may raise, by the names that Raise takes.
func (c Caps) Each(f func(name string, value uint64)) {
	for _, field := range c.fields() {
		f(capName(field.name), *field.value)
	}
}

// Raise sets the cap of that name, such as "module-bytes". It cannot be lowered:
// the default lets through what compilers make of ordinary programs, and is cheap.
func (c *Caps) Raise(name string, value uint64) error {
	var names []string
	for _, field := range c.fields() {
		if names = append(names, capName(field.name)); capName(field.name) != name {
			continue
		}
		switch {
		case value < *field.value:
			return fmt.Errorf("the cap %s is %d and cannot be lowered to %d: a lower one would refuse ordinary modules and save nothing", name, *field.value, value)
		case value > math.MaxUint32:
			return fmt.Errorf("the cap %s cannot be %d: WebAssembly counts to %d", name, value, math.MaxUint32)
		}
		*field.value = value
		return nil
	}
	return fmt.Errorf("there is no cap %q: they are %s", name, strings.Join(names, ", "))
}

type capField struct {
	name  string
	value *uint64
}

func (c *Caps) fields() []capField {
	return []capField{
		{"ModuleBytes", &c.ModuleBytes},
		{"Types", &c.Types},
		{"Params", &c.Params},
		{"Results", &c.Results},
		{"TypeValues", &c.TypeValues},
		{"Imports", &c.Imports},
		{"Functions", &c.Functions},
		{"Tables", &c.Tables},
		{"Globals", &c.Globals},
		{"Exports", &c.Exports},
		{"Elements", &c.Elements},
		{"ElementItems", &c.ElementItems},
		{"DataSegments", &c.DataSegments},
		{"NameBytes", &c.NameBytes},
		{"TableEntries", &c.TableEntries},
		{"GrowingTables", &c.GrowingTables},
		{"BodyBytes", &c.BodyBytes},
		{"Instructions", &c.Instructions},
		{"Locals", &c.Locals},
		{"TotalLocals", &c.TotalLocals},
		{"Nesting", &c.Nesting},
		{"LoopNesting", &c.LoopNesting},
		{"Loops", &c.Loops},
		{"Branches", &c.Branches},
		{"TableTargets", &c.TableTargets},
		{"TotalTargets", &c.TotalTargets},
	}
}

// capName writes the name of a field as an operator does: module-bytes.
func capName(field string) string {
	var name strings.Builder
	for i, c := range field {
		if c >= 'A' && c <= 'Z' && i > 0 {
			name.WriteByte('-')
		}
		name.WriteRune(c)
	}
	return strings.ToLower(name.String())
}

// remedy is what an error says about the cap of a field.
func remedy(field string, value uint64) string {
	if field == "MemoryPages" {
		return ""
	}
	return fmt.Sprintf("; an operator can raise it: --cap %s=%d", capName(field), value)
}
