package memory

import (
	"bytes"
	"testing"
)

// TestWhatIsDroppedIsNotCopied writes all of a large memory, in one run of pages.
func TestWhatIsDroppedIsNotCopied(t *testing.T) {
	b := NewBudget(0)
	if err := b.Verify(); err != nil || b.tactics.pages == nil {
		t.Skipf("no way to tell which pages were written: %v", err)
	}
	defer b.Close()
	image, err := NewImage(make([]byte, 4*dropPages*hostPage()))
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	a := NewAccount(b, image.Size())
	defer a.Close()
	if !a.OpenImage(image) {
		t.Fatal("no memory")
	}
	l := a.memory
	for at := range l.buf {
		l.buf[at] = 1
	}
	if err := l.restoreFound(&b.tactics); err != nil {
		t.Fatal(err)
	}
	if n, most := bytes.Count(l.buf, []byte{0}), (dropPages+1)*hostPage(); n > most || int(l.written) != n {
		t.Errorf("%d bytes were copied, %d counted, want at most %d: all are to be dropped", n, l.written, most)
	}
	if err := a.Reset(nil); err != nil || !a.Same() {
		t.Errorf("reset: %v; it is not the image", err)
	}
}

func TestEqualOfWhatIsLarge(t *testing.T) {
	for _, n := range []int{0, 1, equalBytes - 1, equalBytes, equalBytes + 1, 3*equalBytes + 7} {
		a, b := make([]byte, n), make([]byte, n)
		if !Equal(a, b) || Equal(a, make([]byte, n+1)) {
			t.Errorf("%d bytes: equal %t", n, Equal(a, b))
		}
		for at := 0; at < n; at += max(n-1, 1) {
			if a[at] = 1; Equal(a, b) {
				t.Errorf("%d bytes that differ at %d are equal", n, at)
			}
			a[at] = 0
		}
	}
}
