package memory_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/cloche-run/cloche/runtime/memory"
)

// TestNothingPilesUp counts descriptors and mappings over many resets, openings
// and images.
func TestNothingPilesUp(t *testing.T) {
	const resets, openings, images = 100_000, 2_000, 500
	b := verified(t)
	image := newImage(t, content(rand.New(rand.NewPCG(5, 5)), 8*page))
	g := newGuest(t, b, image, 20*page)
	again := func() bool { return g.grow(page) }
	before := held(t)
	for i := range resets {
		g.buf[i%len(g.buf)]++
		if i%4 == 0 {
			g.grow(page)
		}
		if err := g.Reset(again); err != nil {
			t.Fatal(err)
		}
	}
	for range openings {
		a := memory.NewAccount(b, 64*page)
		a.OpenImage(image)
		a.Allocate(0, 0).Reallocate(10 * page)
		a.Close()
	}
	for range images {
		another := newImage(t, g.buf)
		a := memory.NewAccount(b, 64*page)
		a.OpenImage(another)
		_ = another.Close()
		a.Close()
	}
	after := held(t)
	if after.descriptors > before.descriptors || after.mappings > before.mappings+20 { // the Go heap's own
		t.Errorf("before %+v, after %+v", before, after)
	}
}

// TestAnInstanceTakesThreeMappings at most, of the 65,530 that Linux grants, and
// no descriptor.
func TestAnInstanceTakesThreeMappings(t *testing.T) {
	const instances = 200
	b := verified(t)
	image := newImage(t, content(rand.New(rand.NewPCG(6, 6)), 8*page))
	before := held(t)
	for range instances {
		newGuest(t, b, image, 1024*page).grow(page)
	}
	after := held(t)
	if after.descriptors != before.descriptors || after.mappings > before.mappings+3*instances+20 {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

type holdings struct{ descriptors, mappings int }

func held(t *testing.T) holdings {
	t.Helper()
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return holdings{len(descriptors), bytes.Count(maps, []byte("\n"))}
}

// TestAnImageIsSealed against whoever gets hold of its descriptor.
func TestAnImageIsSealed(t *testing.T) {
	image := newImage(t, filled(2*page))
	fd := image.Descriptor()
	if _, err := unix.Pwrite(fd, []byte("x"), 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("write: %v", err)
	}
	for _, size := range []int64{0, page, 4 * page} {
		if err := unix.Ftruncate(fd, size); !errors.Is(err, unix.EPERM) {
			t.Errorf("truncate to %d: %v", size, err)
		}
	}
	if _, err := unix.Mmap(fd, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); !errors.Is(err, unix.EPERM) {
		t.Errorf("map to be written: %v", err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_FUTURE_WRITE); !errors.Is(err, unix.EPERM) {
		t.Errorf("another seal: %v", err)
	}
}

// TestZerosCostNothing in the file of an image, nor in the memories on it.
func TestZerosCostNothing(t *testing.T) {
	content := make([]byte, 256*page)
	content[10*page], content[100*page] = 1, 1
	image := newImage(t, content)
	if image.Held() != 100*page+int64(os.Getpagesize()) {
		t.Errorf("holds %d bytes", image.Held())
	}
	var stat unix.Stat_t
	if err := unix.Fstat(image.Descriptor(), &stat); err != nil || stat.Blocks*512 != 2*int64(os.Getpagesize()) {
		t.Errorf("two pages are not zero, and the file has %d bytes (error %v)", stat.Blocks*512, err)
	}
	if empty := newImage(t, make([]byte, 9*page)); empty.Held() != 0 || empty.Descriptor() != -1 {
		t.Error("an image of zeros has a file")
	}
}

// TestAPageOfZerosIsRightAmongZerosOnly: the system may put its own in the place
// of one that a guest wrote zeros to.
func TestAPageOfZerosIsRightAmongZerosOnly(t *testing.T) {
	b, err := memory.NewBudgetResetBy(memory.ResetNames()[0], 0)
	if err != nil {
		t.Skip("this system cannot: ", err)
	}
	defer b.Close()
	mem, err := unix.Mmap(-1, 0, 4*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	if err := unix.Madvise(mem, unix.MADV_NOHUGEPAGE); err != nil {
		t.Fatal(err)
	}
	if bytes.Count(mem, []byte{0}) != len(mem) { // maps the system's page of zeros
		t.Fatal("not zero")
	}
	for _, zeros := range []int{0, page, 4 * page} {
		if n, err := b.FindWritten(mem, zeros); err != nil || n != zeros {
			t.Errorf("zeros are right from %d on: %d bytes are found (error %v)", zeros, n, err)
		}
	}
}

// TestASwappedPageIsReset where there is swap space: a page that was written and
// is not in memory is no less the last guest's.
func TestASwappedPageIsReset(t *testing.T) {
	for _, name := range memory.ResetNames() {
		t.Run(name, func(t *testing.T) {
			b, err := memory.NewBudgetResetBy(name, 0)
			if err != nil {
				t.Skip("this system cannot: ", err)
			}
			defer b.Close()
			g := newGuest(t, b, newImage(t, filled(64*page)), 80*page)
			for i := 0; i < len(g.buf); i += 3 * 4096 {
				g.buf[i] = 99
			}
			if err := unix.Madvise(g.buf, unix.MADV_PAGEOUT); err != nil {
				t.Skip("this system does not swap when asked: ", err)
			}
			n := swapped(t, g.buf)
			if n == 0 {
				t.Skip("this system has no swap space in use")
			}
			if err := g.reset(); err != nil || !g.Same() {
				t.Errorf("%d pages were swapped out: not reset (error %v)", n, err)
			}
			t.Logf("%d pages were swapped out", n)
		})
	}
}

// swapped counts the pages of b that are in swap space.
func swapped(t *testing.T, b []byte) (n int) {
	t.Helper()
	pagemap, err := os.Open("/proc/self/pagemap")
	if err != nil {
		t.Skip(err)
	}
	defer pagemap.Close()
	page := os.Getpagesize()
	entries := make([]byte, len(b)/page*8)
	at := int64(uintptr(unsafe.Pointer(&b[0]))) / int64(page) * 8
	if _, err := pagemap.ReadAt(entries, at); err != nil {
		t.Fatal(err)
	}
	for i := 7; i < len(entries); i += 8 {
		if entries[i]&0x40 != 0 {
			n++
		}
	}
	return n
}
