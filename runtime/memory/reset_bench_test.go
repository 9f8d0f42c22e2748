package memory_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cloche-run/cloche/runtime/memory"
)

// hostPage is the size of a page on the systems that figures are given for.
const hostPage = 4096

// BenchmarkReset measures what a reset costs together with the page faults that
// it leaves for the next call: each iteration writes to some pages and resets. The
// constants in reset.go come from it.
func BenchmarkReset(b *testing.B) {
	for _, test := range []struct{ kib, dirty int }{
		{64, 4},
		{128, 4},
		{256, 4},
		{256, 64},
		{1 << 10, 16},
		{4 << 10, 64},
		{4 << 10, 1024},
		{16 << 10, 64},
		{16 << 10, 1024},
	} {
		for _, way := range memory.ResetNames() {
			b.Run(fmt.Sprintf("image=%dKiB/pages=%d/%s", test.kib, test.dirty, way), func(b *testing.B) {
				benchReset(b, way, test.kib<<10, test.dirty)
			})
		}
	}
}

func benchReset(b *testing.B, way string, size, dirty int) {
	budget, err := memory.NewBudgetResetBy(way, 0)
	if err != nil {
		b.Skip(err)
	}
	g := benchGuest(b, budget, size)
	b.ReportAllocs()
	for b.Loop() {
		cycle(b, g, dirty)
	}
}

// benchGuest has an image without zeros at its end, the dearest kind.
func benchGuest(b *testing.B, budget *memory.Budget, size int) *guest {
	content := make([]byte, size)
	for i := 0; i < size; i += hostPage {
		content[i] = byte(1 + rand.IntN(255))
	}
	g := newGuest(b, budget, newImage(b, content), size+page)
	for range 2 * 256 { // warm, and past the first time that pages are dropped
		cycle(b, g, 1)
	}
	return g
}

// cycle writes to pages with gaps between them, if there is room for gaps.
func cycle(b *testing.B, g *guest, dirty int) {
	step := min(3, len(g.buf)/hostPage/dirty) * hostPage
	for i := range dirty {
		g.buf[i*step+i]++
	}
	if err := g.reset(); err != nil {
		b.Error(err)
	}
}

// BenchmarkThreads measures how many more resets two threads make than one, in the
// same run: a way that takes turns in the kernel makes fewer.
func BenchmarkThreads(b *testing.B) {
	for _, way := range memory.ResetNames() {
		b.Run(way, func(b *testing.B) {
			budget, err := memory.NewBudgetResetBy(way, 0)
			if err != nil {
				b.Skip(err)
			}
			guests := []*guest{benchGuest(b, budget, 256<<10), benchGuest(b, budget, 256<<10)}
			var one, two float64
			for b.Loop() {
				one += resetsPerSecond(b, guests[:1])
				two += resetsPerSecond(b, guests)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(one/float64(b.N), "resets/s")
			b.ReportMetric(two/one, "two/one")
		})
	}
}

func resetsPerSecond(b *testing.B, guests []*guest) float64 {
	const turns = 2000
	var workers sync.WaitGroup
	started := time.Now()
	for _, g := range guests {
		workers.Go(func() {
			for range turns {
				cycle(b, g, 4)
			}
		})
	}
	workers.Wait()
	return float64(turns*len(guests)) / time.Since(started).Seconds()
}

// BenchmarkOpen measures an instance's memory for one call: 4 pages written.
func BenchmarkOpen(b *testing.B) {
	for _, kib := range []int{64, 256, 1 << 10, 4 << 10} {
		budget := memory.NewBudget(0)
		content := make([]byte, kib<<10)
		for i := 0; i < len(content); i += hostPage {
			content[i] = 1
		}
		image := newImage(b, content)
		for name, open := range map[string]func(*memory.Account) bool{
			"mapped":   func(a *memory.Account) bool { return a.OpenImage(image) },
			"for once": func(a *memory.Account) bool { return a.OpenOnce(image) },
		} {
			b.Run(fmt.Sprintf("image=%dKiB/%s", kib, name), func(b *testing.B) {
				for b.Loop() {
					a := memory.NewAccount(budget, 1<<30)
					if !open(a) {
						b.Fatal("no memory")
					}
					buf := a.Allocate(0, 0).Reallocate(page)
					for at := 0; at < len(buf); at += len(buf) / 4 {
						buf[at]++
					}
					a.Close()
				}
			})
		}
	}
}
