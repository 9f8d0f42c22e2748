package memory_test

import (
	"bytes"
	"sync"
	"testing"

	"github.com/cloche-run/cloche/runtime/memory"
)

const page = 64 << 10

// TestFreshMemoryIsZero writes to every byte of memories of all sizes and finds
// none of it in the next ones.
func TestFreshMemoryIsZero(t *testing.T) {
	budget := memory.NewBudget(0)
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for i := range 200 {
				a := memory.NewAccount(budget, 64*page)
				if !a.Open(page) {
					t.Error("no memory")
					return
				}
				m := a.Allocate(0, 0)
				for _, pages := range []uint64{1, 3, 4, 5, 16, 17, 30}[:1+i%7] {
					buf := m.Reallocate(pages * page)
					tail := buf[bytes.LastIndexByte(buf, 0xaa)+1:]
					if len(buf) != int(pages*page) || bytes.Count(tail, []byte{0}) != len(tail) {
						t.Errorf("%d pages: %d bytes, some of them not zero", pages, len(buf))
						return
					}
					for j := range buf {
						buf[j] = 0xaa
					}
				}
				a.Close()
			}
		})
	}
	workers.Wait()
	if used := budget.Used(); used != 0 {
		t.Errorf("%d bytes are still in use", used)
	}
}

func TestGrowthKeepsTheContent(t *testing.T) {
	a := memory.NewAccount(memory.NewBudget(0), 1024*page)
	defer a.Close()
	a.Open(page)
	m := a.Allocate(0, 0)
	copy(m.Reallocate(page), "hello")
	for _, pages := range []uint64{4, 5, 16, 17, 1024} {
		if buf := m.Reallocate(pages * page); string(buf[:5]) != "hello" {
			t.Fatalf("%d pages: %q", pages, buf[:5])
		}
	}
	if m.Reallocate(1025*page) != nil {
		t.Error("grew over the limit")
	}
	if a.Short() {
		t.Error("the function's limit is taken for the host's")
	}
	if a.Peak() != 1024*page {
		t.Errorf("peak %d", a.Peak())
	}
}

func TestABudgetIsNeverOverdrawn(t *testing.T) {
	budget := memory.NewBudget(8 * page)
	one, two := memory.NewAccount(budget, 100*page), memory.NewAccount(budget, 100*page)
	if !one.Open(6*page) || two.Open(3*page) || !two.Short() {
		t.Fatal("6 and 3 pages out of 8")
	}
	if one.Allocate(0, 0).Reallocate(7*page) == nil || one.Allocate(0, 0).Reallocate(8*page) != nil || !one.Short() {
		t.Error("grew into what is for new memories, or not into the rest")
	}
	if !memory.NewAccount(budget, 100*page).Open(0) || !two.Open(page) {
		t.Error("no room for a new memory")
	}
	one.Close()
	one.Close() // gives nothing back twice
	two.Close()
	if budget.Used() != 0 {
		t.Errorf("%d bytes are still in use", budget.Used())
	}
}

func TestAMemoryOfNoPages(t *testing.T) {
	a := memory.NewAccount(memory.NewBudget(0), page)
	defer a.Close()
	if !a.Open(0) {
		t.Error("refused")
	}
}

func TestABudgetSaysWhenItIsShort(t *testing.T) {
	budget := memory.NewBudget(8 * page)
	a := memory.NewAccount(budget, 100*page)
	defer a.Close()
	a.Open(5 * page)
	if budget.Short(3*page) || !budget.Short(3*page+1) || memory.NewBudget(0).Short(1<<60) {
		t.Error("5 pages out of 8 are taken")
	}
}

// TestABudgetAsksForWhatIsIdle before it refuses to open or to grow a memory.
func TestABudgetAsksForWhatIsIdle(t *testing.T) {
	budget := memory.NewBudget(8 * page)
	idle := []*memory.Account{memory.NewAccount(budget, 100*page), memory.NewAccount(budget, 100*page)}
	asked := 0
	budget.Spare(func(n int64) bool {
		asked++
		if len(idle) == 0 {
			return false
		}
		idle[0].Close()
		idle = idle[1:]
		return true
	})
	idle[0].Open(4 * page)
	idle[1].Open(2 * page)
	a := memory.NewAccount(budget, 100*page)
	defer a.Close()
	if !a.Open(4*page) || asked != 1 {
		t.Errorf("asked %d times to open", asked)
	}
	if a.Allocate(0, 0).Reallocate(7*page) == nil || asked != 2 {
		t.Errorf("asked %d times to grow", asked)
	}
	if a.Allocate(0, 0).Reallocate(8*page) != nil || !a.Short() || asked != 3 || budget.Used() != 7*page {
		t.Errorf("grew over the budget, %d in use, asked %d times", budget.Used(), asked)
	}
}
