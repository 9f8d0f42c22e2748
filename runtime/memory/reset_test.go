package memory_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cloche-run/cloche/runtime/memory"
)

// guest is what wazero does with a memory.
type guest struct {
	*memory.Account
	buf []byte
	max int // bytes
}

func (g *guest) grow(bytes int) bool {
	if len(g.buf)+bytes > g.max {
		return false
	}
	buf := g.Allocate(0, 0).Reallocate(uint64(len(g.buf) + bytes))
	if buf != nil {
		g.buf = buf
	}
	return buf != nil
}

func (g *guest) reset() error { return g.Reset(func() bool { return g.grow(page) }) }

func newImage(t testing.TB, content []byte) *memory.Image {
	t.Helper()
	image, err := memory.NewImage(content)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = image.Close() })
	return image
}

// newGuest opens a memory that starts as image, as wazero does.
func newGuest(t testing.TB, b *memory.Budget, image *memory.Image, max int) *guest {
	t.Helper()
	g := &guest{Account: memory.NewAccount(b, uint64(max)), max: max + page}
	if !g.OpenImage(image) {
		t.Fatal("no memory")
	}
	g.buf = g.Allocate(0, 0).Reallocate(min(page, image.Size()))
	if len(g.buf) != int(image.Size()) {
		t.Fatalf("the memory starts with %d bytes, its image has %d", len(g.buf), image.Size())
	}
	t.Cleanup(g.Close)
	return g
}

// content makes size bytes with data, gaps and an end of zeros.
func content(random *rand.Rand, size int) []byte {
	c := make([]byte, size)
	for at := 0; at < size*3/4; at += 1 + random.IntN(20<<10) {
		c[at] = byte(1 + random.IntN(255))
	}
	return c
}

func eachWay(t *testing.T, test func(*testing.T, *memory.Budget)) {
	for _, name := range memory.ResetNames() {
		t.Run(name, func(t *testing.T) {
			b, err := memory.NewBudgetResetBy(name, 0)
			if err != nil {
				if strings.HasPrefix(name, "PAGEMAP_SCAN") {
					t.Skip("this system cannot: ", err)
				}
				t.Fatal(err)
			}
			test(t, b)
			if used := b.Used(); used != 0 {
				t.Errorf("%d bytes are still in use", used)
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// disturb does what a guest may do to its memory: few writes or many, equal
// bytes, whole pages, growth by several steps and writes there. It returns false
// if all of it left the memory as it was.
func disturb(random *rand.Rand, g *guest) (changed bool) {
	for range random.IntN(3) {
		changed = g.grow(page*(1+random.IntN(5))) || changed
	}
	if len(g.buf) == 0 {
		return changed
	}
	for range []int{0, 1, 5, 50, 500}[random.IntN(5)] {
		at := random.IntN(len(g.buf))
		value := byte(random.IntN(256))
		if random.IntN(4) == 0 {
			value = g.buf[at]
		}
		changed = changed || g.buf[at] != value
		g.buf[at] = value
	}
	if random.IntN(4) == 0 {
		at := random.IntN(len(g.buf))
		part := g.buf[at:min(len(g.buf), at+random.IntN(1<<20))]
		before := bytes.Clone(part)
		copy(part, bytes.Repeat([]byte{0xee}, len(part)))
		changed = changed || !bytes.Equal(before, part)
	}
	return changed
}

// TestResetBringsBackTheImage disturbs memories of many sizes and compares them
// with a copy, and what they grow by with zero, after each reset.
func TestResetBringsBackTheImage(t *testing.T) {
	eachWay(t, func(t *testing.T, b *memory.Budget) {
		t.Run("of sizes", func(t *testing.T) {
			random := rand.New(rand.NewPCG(4, 2))
			for _, size := range []int{0, page, 2 * page, 4 * page, 17 * page, 64 * page, 256 * page} {
				checkResets(t, b, random, size, 60)
			}
		})
	})
}

func checkResets(t *testing.T, b *memory.Budget, random *rand.Rand, size, cycles int) {
	shadow := content(random, size)
	image := newImage(t, shadow)
	g := newGuest(t, b, image, size+12*page)
	for i := range cycles {
		if !bytes.Equal(g.buf, shadow) || !g.Same() {
			t.Fatalf("image of %d bytes: cycle %d does not start as the image", size, i)
		}
		if random.IntN(4) > 0 {
			g.Watch()
		}
		changed := disturb(random, g)
		if random.IntN(8) == 0 {
			g.Unwatch() // as a guest does that waits
		}
		if same := g.Same() && len(g.buf) == size; same == changed {
			t.Fatalf("image of %d bytes: cycle %d: changed %t, and the audit says the same: %t", size, i, changed, same)
		}
		if err := g.reset(); err != nil {
			t.Fatal(err)
		}
		if g.Peak() != int64(size) || b.Used() < int64(size) {
			t.Fatalf("image of %d bytes: peak %d, used %d after a reset", size, g.Peak(), b.Used())
		}
		if i%2 == 0 && g.grow(12*page) && bytes.Count(g.buf[size:], []byte{0}) != 12*page {
			t.Fatalf("image of %d bytes: cycle %d: grown memory is not zero", size, i)
		}
		if err := g.reset(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestManyGuestsResetAtOnce runs guests side by side on one image, and closes
// and makes some anew while the others go on.
func TestManyGuestsResetAtOnce(t *testing.T) {
	eachWay(t, func(t *testing.T, b *memory.Budget) {
		shadow := content(rand.New(rand.NewPCG(8, 8)), 20*page)
		image := newImage(t, shadow)
		var workers sync.WaitGroup
		for worker := range 8 {
			workers.Go(func() { hammer(t, b, image, shadow, uint64(worker)) })
		}
		workers.Wait()
	})
}

func hammer(t *testing.T, b *memory.Budget, image *memory.Image, shadow []byte, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	for range 5 {
		g := &guest{Account: memory.NewAccount(b, uint64(len(shadow)+8*page)), max: len(shadow) + 9*page}
		if !g.OpenImage(image) {
			t.Error("no memory")
			return
		}
		g.buf = g.Allocate(0, 0).Reallocate(page)
		for range 20 {
			g.Watch()
			disturb(random, g)
			if err := g.reset(); err != nil || !bytes.Equal(g.buf, shadow) || !g.Same() {
				t.Errorf("a memory differs from its image after a reset (error %v)", err)
				return
			}
		}
		g.Close()
	}
}
