package memory

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"runtime"
)

// Verify proves on this system that memories can be reset, and chooses how: by
// the pages that were written, if the system can tell them exactly, or else by
// all pages. It is called once, before the first account. An error says what had
// to be given up and why; memories are reset by slower means then, and none can be
// if it is ErrReset.
func (b *Budget) Verify() error { return b.verify(allTactics()) }

func (b *Budget) verify(choices []choice) error {
	var lost []error
	for _, c := range choices {
		err := c.use(b)
		if err == nil {
			return errors.Join(lost...)
		}
		lost = append(lost, fmt.Errorf("memory: reset by %s: %w", c.name, err))
	}
	return errors.Join(append(lost, ErrReset)...)
}

// ErrReset says that no way to reset a memory works.
var ErrReset = errors.New("memory: no memory can be reset")

// choice is a way to reset, to be proved.
type choice struct {
	name string
	tactics
	way *way
}

func allTactics() (all []choice) {
	for _, w := range ways() {
		all = append(all, choice{w.name, tactics{copyUpTo: copyBytes, dropOver: dropPages}, &w})
	}
	if keepsImage {
		all = append(all, choice{"dropping pages", anySystem(), nil})
	}
	return append(all, choice{"copying", tactics{copyUpTo: math.MaxUint64}, nil})
}

// use makes b reset by c, if that works.
func (c choice) use(b *Budget) (err error) {
	if c.way != nil {
		if c.pages, err = openPagemap(*c.way); err != nil {
			return err
		}
	}
	if err := c.prove(); err != nil {
		return errors.Join(err, c.pages.close())
	}
	if c.faults = c.pages != nil && countsFaults(); c.faults {
		c.copyUpTo = 0 // less than a whole copy is known to do
	}
	b.tactics = c.tactics
	return nil
}

// The memory that is tried has provePages pages of the system: of data and, each
// third, of zeros, and from proveZeros on only of zeros, which are of no file. There
// are more runs of written pages than one look at the pagemap returns.
const (
	provePages = 320
	proveZeros = 257
)

func isData(p int) bool { return p < proveZeros && p%3 != 0 }

func isWritten(p int) bool { return p%2 == 0 }

// prove resets a memory again and again, and looks at each step.
func (c choice) prove() error {
	content := make([]byte, provePages*hostPage())
	for p := range provePages {
		if isData(p) {
			content[p*hostPage()+p] = 1
		}
	}
	image, err := NewImage(content)
	if err != nil {
		return err
	}
	defer image.Close()
	a := NewAccount(&Budget{tactics: c.tactics}, uint64(len(content)+4*pageBytes))
	defer a.Close()
	if !a.OpenImage(image) {
		return errors.New("the system has no memory for a trial")
	}
	return c.rounds(a)
}

func (c choice) rounds(a *Account) error {
	if !bytes.Equal(a.memory.buf, a.memory.image.bytes) { // reads every page
		return errors.New("a memory does not start as its image")
	}
	writeTrial(a.memory)
	if err := c.isExact(a.memory); err != nil {
		return err
	}
	for range 3 {
		if err := proveReset(a); err != nil {
			return err
		}
		writeTrial(a.memory)
	}
	if err := proveReset(a); err != nil {
		return err
	}
	if a.Trim() != nil || !a.Same() {
		return errors.New("a memory is not its image without its pages")
	}
	return nil
}

// writeTrial writes, to each second page of those it writes, what is there already.
func writeTrial(l *linear) {
	for p := range provePages {
		at := p*hostPage() + p
		if isWritten(p) {
			copy(l.buf[at:], []byte{l.image.bytes[at] + byte(p/2%2)})
		}
	}
}

// isExact compares the pages that are found with those that were written. Of the
// zeros at the end, pages that were only read may be found, too.
func (c choice) isExact(l *linear) error {
	if c.pages == nil {
		return nil
	}
	var isFound [provePages]bool
	for at := 0; at < len(l.buf); {
		spans, next, err := c.pages.find(l.view(), at, l.scratch)
		if err != nil {
			return err
		}
		for _, s := range spans {
			for p := s.from / hostPage(); p < s.to/hostPage(); p++ {
				isFound[p] = true
			}
		}
		at = next
	}
	for p, found := range isFound {
		if written := isWritten(p); found != written && (written || p < proveZeros) {
			return fmt.Errorf("page %d: written %t, found %t", p, written, found)
		}
	}
	return nil
}

// proveReset grows the memory, resets it, and grows it again.
func proveReset(a *Account) error {
	l, size := a.memory, a.memory.image.Size()
	again := func() bool { return l.Reallocate(uint64(l.size)+pageBytes) != nil }
	for range 2 {
		grown := l.Reallocate(size + 2*pageBytes)
		if grown == nil || !isZero(grown[size:]) {
			return errors.New("what a memory grows by is not zero")
		}
		for at := size; at < l.high; at += uint64(hostPage()) {
			grown[at] = 1
		}
		if err := a.Reset(again); err != nil {
			return err
		}
		if !a.Same() {
			return errors.New("a memory that was reset is not its image")
		}
	}
	return nil
}

// countsFaults writes to a page of an image for the first time, and again: only
// the former may be taken for, and must be, a page fault.
func countsFaults() bool {
	image, err := NewImage(make([]byte, 2*pageBytes))
	if err != nil {
		return false
	}
	defer image.Close()
	a := NewAccount(&Budget{tactics: anySystem()}, 2*pageBytes)
	defer a.Close()
	if !a.OpenImage(image) || !bytes.Equal(a.memory.buf, image.bytes) { // reads every page
		return false
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for at := 0; at < len(a.memory.buf); at += hostPage() {
		before := threadFaults()
		a.memory.buf[at] = 1
		if before < 0 || threadFaults() <= before {
			return false
		}
	}
	return true
}
