package memory_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/cloche-run/cloche/runtime/memory"
)

func TestVerifyChoosesTheBestWayThatWorks(t *testing.T) {
	b := memory.NewBudget(0)
	defer b.Close()
	err := b.Verify()
	if isLinux := runtime.GOOS == "linux"; isLinux && !b.ResetsByPages() || !isLinux && err != nil {
		t.Errorf("resets by pages: %t, error %v", b.ResetsByPages(), err)
	}
}

// TestVerifyRefusesAPagemapThatLies and says so, and resets work all the same.
func TestVerifyRefusesAPagemapThatLies(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no pagemap")
	}
	const hostPage = 4096
	for name, spoil := range map[string]func(from, to int) (int, int){
		"no page is said to be written": func(from, _ int) (int, int) { return from, from },
		"one page too many": func(from, to int) (int, int) {
			if from == 0 {
				return from, to + hostPage
			}
			return from, to
		},
		"one page is missed": func(from, to int) (int, int) {
			if from == 254*hostPage {
				return from, from
			}
			return from, to
		},
		"one page is missed among those of no file": func(from, to int) (int, int) {
			if from <= 300*hostPage && 300*hostPage < to {
				return from, 300 * hostPage
			}
			return from, to
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := memory.NewBudget(0)
			defer b.Close()
			err := b.VerifySpoilt(spoil)
			if err == nil || !strings.Contains(err.Error(), "PAGEMAP_SCAN") || b.ResetsByPages() {
				t.Errorf("resets by pages: %t, error %v", b.ResetsByPages(), err)
			}
			g := newGuest(t, b, newImage(t, make([]byte, 9*page)), 20*page)
			g.buf[7]++
			if err := g.reset(); err != nil || !g.Same() {
				t.Errorf("not reset (error %v)", err)
			}
		})
	}
}
