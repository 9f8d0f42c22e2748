package memory_test

import (
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/cloche-run/cloche/runtime/memory"
)

func TestWazeroShrinksMemories(t *testing.T) {
	for name, config := range map[string]wazero.RuntimeConfig{
		"compiled":    wazero.NewRuntimeConfig(),
		"interpreted": wazero.NewRuntimeConfigInterpreter(),
		"with one page more than an account grants": wazero.NewRuntimeConfig().WithMemoryLimitPages(6),
	} {
		t.Run(name, func(t *testing.T) {
			rt := wazero.NewRuntimeWithConfig(t.Context(), config)
			defer rt.Close(t.Context())
			if err := verified(t).VerifyShrink(t.Context(), rt); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAGrownMemoryIsNotReset where wazero refuses to grow it further: then it
// does not shrink it either.
func TestAGrownMemoryIsNotResetIfWazeroCannotShrinkIt(t *testing.T) {
	rt := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfig().WithMemoryLimitPages(5))
	defer rt.Close(t.Context())
	b := verified(t)
	if b.VerifyShrink(t.Context(), rt) == nil {
		t.Fatal("a memory was shrunk that stood at its maximum")
	}
	g := newGuest(t, b, newImage(t, make([]byte, page)), 4*page)
	if err := g.reset(); err != nil {
		t.Errorf("a memory that was not grown: %v", err)
	}
	g.grow(page)
	if g.reset() == nil {
		t.Error("a memory was reset as if it could be shrunk")
	}
}

func verified(t testing.TB) *memory.Budget {
	t.Helper()
	b := memory.NewBudget(0)
	if err := b.Verify(); err != nil {
		t.Log(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}
