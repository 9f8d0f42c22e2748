package memory_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/cloche-run/cloche/runtime/memory"
)

func TestAnImageIsACopy(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for _, size := range []int{0, page, 3 * page, 100 * page} {
		original := content(random, size)
		image := newImage(t, original)
		if want := bytes.Clone(original); !bytes.Equal(image.Bytes(), want) || image.Size() != uint64(size) {
			t.Errorf("an image of %d bytes differs from its content", size)
		}
		clear(original)
		if size > 0 && bytes.Equal(image.Bytes(), original) {
			t.Errorf("an image of %d bytes changed with its content", size)
		}
		if image.Held() > int64(size) {
			t.Errorf("an image of %d bytes holds %d", size, image.Held())
		}
	}
}

func TestAnImageIsOfWholePages(t *testing.T) {
	for _, size := range []int{1, page - 1, page + 1} {
		if _, err := memory.NewImage(make([]byte, size)); err == nil {
			t.Errorf("an image of %d bytes was made", size)
		}
	}
}

func TestAnImageOutlivesItsCloseWhileAccountsUseIt(t *testing.T) {
	eachWay(t, func(t *testing.T, b *memory.Budget) {
		t.Run("two accounts", func(t *testing.T) {
			shadow := content(rand.New(rand.NewPCG(1, 1)), 30*page)
			image := newImage(t, shadow)
			one, two := newGuest(t, b, image, 40*page), newGuest(t, b, image, 40*page)
			for range 2 {
				if err := image.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if memory.NewAccount(b, 40*page).OpenImage(image) {
				t.Error("an image that is closed was opened")
			}
			for _, g := range []*guest{one, two} {
				g.buf[5]++
				if err := g.reset(); err != nil || !bytes.Equal(g.buf, shadow) {
					t.Errorf("not reset (error %v)", err)
				}
				g.Close()
			}
			if image.Size() != 0 {
				t.Error("the image is not freed with the last account")
			}
		})
	})
}

func TestNoImageIsLargerThanItsAccount(t *testing.T) {
	a := memory.NewAccount(memory.NewBudget(0), 2*page)
	defer a.Close()
	if a.OpenImage(newImage(t, make([]byte, 3*page))) || a.Short() {
		t.Error("an image over the function's limit was opened, or the host's was blamed")
	}
	budget := memory.NewBudget(2 * page)
	a = memory.NewAccount(budget, 4*page)
	defer a.Close()
	if a.OpenImage(newImage(t, make([]byte, 3*page))) || !a.Short() || budget.Used() != 0 {
		t.Error("an image over the host's budget was opened, or something is still in use")
	}
}

// TestAdoptKeepsTheMemoryInItsPlace as wazero and compiled code know its address.
func TestAdoptKeepsTheMemoryInItsPlace(t *testing.T) {
	eachWay(t, func(t *testing.T, b *memory.Budget) {
		for _, size := range []int{0, page, 2 * page, 50 * page} {
			shadow := content(rand.New(rand.NewPCG(2, uint64(size))), size)
			a := memory.NewAccount(b, 60*page)
			if !a.OpenToAdopt(uint64(size)) {
				t.Fatal("no memory")
			}
			g := &guest{Account: a, buf: a.Allocate(0, 0).Reallocate(uint64(size)), max: 61 * page}
			copy(g.buf, shadow)
			image := newImage(t, g.buf)
			if err := a.Adopt(image); err != nil {
				t.Fatal(err)
			}
			if !a.Same() || !bytes.Equal(g.buf, shadow) {
				t.Errorf("%d bytes: not the same after Adopt", size)
			}
			for i := range g.buf {
				g.buf[i] = 0x55 // where wazero would write
			}
			if size > 0 && a.Same() {
				t.Errorf("%d bytes: the memory has moved", size)
			}
			g.grow(page)
			if err := g.reset(); err != nil || !bytes.Equal(g.buf, shadow) {
				t.Errorf("%d bytes: not reset (error %v)", size, err)
			}
			a.Close()
		}
	})
}

func TestAdoptRefusesAnImageOfAnotherMemory(t *testing.T) {
	b := verified(t)
	zero, one := newImage(t, make([]byte, page)), newImage(t, bytes.Repeat([]byte{1}, page))
	a := memory.NewAccount(b, 4*page)
	defer a.Close()
	if a.Adopt(zero) == nil || a.Reset(nil) == nil || a.Trim() == nil || a.Same() || a.Dirty() != 0 {
		t.Error("an account without a memory has an image")
	}
	a.OpenToAdopt(page)
	if a.Adopt(one) == nil || a.Adopt(newImage(t, make([]byte, 2*page))) == nil {
		t.Error("another content was adopted")
	}
	if a.Reset(nil) == nil || a.Same() || a.Dirty() != page {
		t.Error("a memory without an image was reset")
	}
	if err := a.Adopt(zero); err != nil {
		t.Error(err)
	}
	if a.Adopt(zero) == nil {
		t.Error("adopted twice")
	}
}

func TestAMemoryForOneCallStartsAsItsImage(t *testing.T) {
	b := verified(t)
	for _, size := range []int{0, page, 4 * page, 5 * page, 50 * page} {
		shadow := content(rand.New(rand.NewPCG(3, uint64(size))), size)
		image := newImage(t, shadow)
		for range 3 {
			g := &guest{Account: memory.NewAccount(b, 60*page), max: 61 * page}
			if !g.OpenOnce(image) {
				t.Fatal("no memory")
			}
			g.buf = g.Allocate(0, 0).Reallocate(0)
			if !bytes.Equal(g.buf, shadow) {
				t.Errorf("%d bytes: not its image", size)
			}
			if !g.grow(2*page) || bytes.Count(g.buf[size:], []byte{0}) != 2*page || !bytes.Equal(g.buf[:size], shadow) {
				t.Errorf("%d bytes: grown wrongly", size)
			}
			for i := range g.buf {
				g.buf[i] = 0x77
			}
			if err := g.reset(); err != nil || !bytes.Equal(g.buf, shadow) || !g.Same() {
				t.Errorf("%d bytes: not reset (error %v)", size, err)
			}
			for i := range g.buf {
				g.buf[i] = 0x77 // not for the next memory
			}
			g.Close()
		}
	}
	if b.Used() != 0 {
		t.Errorf("%d bytes are still in use", b.Used())
	}
}

func TestAnImageThatIsHeldCanBeUsedUntilItIsDropped(t *testing.T) {
	image, err := memory.NewImage(make([]byte, 64<<10))
	if err != nil {
		t.Fatal(err)
	}
	if !image.Hold() {
		t.Fatal("an image that is open is not held")
	}
	_ = image.Close()
	a := memory.NewAccount(memory.NewBudget(0), 64<<10)
	if !a.OpenImage(image) {
		t.Error("it cannot be used, though it is held")
	}
	a.Close()
	if image.Drop(); image.Hold() || len(image.Bytes()) > 0 {
		t.Error("it is not freed when it is dropped")
	}
}

func TestAnImageIsChargedBeforeItIsMade(t *testing.T) {
	const size = 8 * 64 << 10
	b := memory.NewBudget(size)
	content := bytes.Repeat([]byte{1}, size)
	if _, err := b.NewImage(content); !errors.Is(err, memory.ErrNoRoom) || b.Used() != 0 {
		t.Errorf("an image larger than what may be grown into: %v, %d bytes in use", err, b.Used())
	}
	image, err := b.NewImage(content[:size/2])
	if err != nil || b.Used() != image.Held() || b.Used() == 0 {
		t.Fatalf("error %v, %d bytes in use, want %d", err, b.Used(), image.Held())
	}
	image.Hold()
	if _ = image.Close(); b.Used() == 0 {
		t.Error("it is free though it is in use")
	}
	if image.Drop(); b.Used() != 0 {
		t.Errorf("%d bytes are still in use", b.Used())
	}
}
