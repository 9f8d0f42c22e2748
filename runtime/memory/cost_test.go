package memory_test

import (
	"testing"

	"github.com/cloche-run/cloche/runtime/memory"
)

func TestAResetAllocatesNothing(t *testing.T) {
	eachWay(t, func(t *testing.T, b *memory.Budget) {
		t.Run("grown", func(t *testing.T) {
			g := newGuest(t, b, newImage(t, filled(40*page)), 50*page)
			again := func() bool { return g.grow(page) }
			if n := testing.AllocsPerRun(200, func() {
				g.buf[3]++
				g.grow(2 * page)
				g.buf[41*page]++
				if err := g.Reset(again); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%g allocations per reset", n)
			}
		})
	})
}

// filled is content without a page of zeros.
func filled(size int) []byte {
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(1 + i%7)
	}
	return content
}

// TestDirtyIsBounded by the pages that a reset keeps, which are dropped every so
// often and by Trim.
func TestDirtyIsBounded(t *testing.T) {
	b := verified(t)
	if !b.ResetsByPages() {
		t.Skip("this system cannot tell which pages were written")
	}
	const hostPage = 4096
	size := (memory.DropPages + 16) * hostPage
	g := newGuest(t, b, newImage(t, filled(size)), 2*size)
	dirty := func(pages int, want int64) {
		t.Helper()
		for i := range pages {
			g.buf[i*hostPage] = 0
		}
		if err := g.reset(); err != nil || !g.Same() {
			t.Errorf("not reset (error %v)", err)
		}
		if g.Dirty() != want*hostPage {
			t.Errorf("%d pages written: %d bytes dirty, want %d pages", pages, g.Dirty(), want)
		}
	}
	dirty(0, 0)
	dirty(20, 20)
	dirty(5, 20)
	dirty(memory.DropPages, memory.DropPages)
	dirty(memory.DropPages+1, 0)
	dirty(30, 30)
	g.grow(page)
	if g.Dirty() != 30*hostPage+page {
		t.Errorf("%d bytes dirty after growth", g.Dirty())
	}
	dirty(0, 30)
	if err := g.Trim(); err != nil || g.Dirty() != 0 || !g.Same() {
		t.Errorf("%d bytes dirty after Trim (error %v)", g.Dirty(), err)
	}
	dirty(40, 40)
	for range memory.Relearn {
		if err := g.reset(); err != nil {
			t.Fatal(err)
		}
		if g.Dirty() == 0 {
			return
		}
	}
	t.Errorf("%d bytes stay dirty for ever", g.Dirty())
}
