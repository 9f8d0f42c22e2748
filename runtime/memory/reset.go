package memory

import (
	"errors"
	"fmt"
	"math"
	"os"
)

// tactics is how memories are reset.
type tactics struct {
	pages    *pagemap // finds the pages that were written; nil if nothing does
	copyUpTo uint64   // an image of at most so many bytes is copied whole
	dropOver int      // of more pages than these, private copies are not kept
	faults   bool     // the first write to a page is a page fault that is counted
	rigid    bool     // wazero takes no smaller memory
}

// The limits are measured, see BenchmarkReset. A page that was written once stays
// private and is copied at every reset, at a tenth of what a page fault costs;
// so pages are only dropped to bound what idle instances hold, and every so often
// to learn anew which ones a guest writes.
const (
	copyBytes   = 64 << 10 // with a pagemap
	copyBlind   = 1 << 20  // without
	dropPages   = 1024
	relearn     = 256 // resets
	relearnOver = 16  // pages
)

// anySystem needs nothing that Verify would have to open.
func anySystem() tactics {
	if !keepsImage {
		return tactics{copyUpTo: math.MaxUint64}
	}
	return tactics{copyUpTo: copyBlind}
}

var (
	errNoImage = errors.New("memory: reset: the memory has no image")
	errGrown   = errors.New("memory: reset: the memory was grown and cannot be shrunk: it stands at the module's maximum, or wazero does not do it")
)

// Adopt makes the memory, opened by OpenToAdopt, the first one of i, which was
// made of it: it stays where it is and is copied on write from now on. After an
// error the instance is to be discarded.
func (a *Account) Adopt(i *Image) error {
	l := a.memory
	switch {
	case l == nil || l.buf == nil:
		return errors.New("memory: adopt: the account is not open")
	case !Equal(l.buf, i.Bytes()):
		return errors.New("memory: adopt: the memory is not what the image was made of")
	case l.image != nil:
		return errors.New("memory: adopt: the memory has an image already")
	}
	return l.wear(i)
}

// start opens the memory as i.
func (l *linear) start(i *Image) bool {
	if l.Reallocate(i.Size()) == nil {
		return false
	}
	if l.wear(i) != nil {
		l.Free()
		l.account.short = true
		return false
	}
	return true
}

// wear gives the memory its image, which has its size.
func (l *linear) wear(i *Image) error {
	if err := i.acquire(); err != nil {
		return err
	}
	l.image = i
	if l.region == nil || !keepsImage {
		l.written = int64(copy(l.buf, i.bytes))
		return nil
	}
	l.laid, l.scratch = true, new(scratch)
	return l.region.lay(i)
}

// Reset brings the memory back to its image, in content and in size, and Peak and
// Short with it. If it was grown, grow is called to make wazero ask for one page
// more, by api.Memory's Grow(1): the answer is the smaller memory, which wazero
// takes as it is. After an error the instance is to be discarded.
func (a *Account) Reset(grow func() bool) error {
	l := a.memory
	if l == nil || l.image == nil {
		return errNoImage
	}
	if err := l.restore(); err != nil {
		return fmt.Errorf("memory: reset: %w", err)
	}
	if err := l.dropTail(); err != nil {
		return fmt.Errorf("memory: reset: %w", err)
	}
	if l.size > int64(l.image.Size()) && !l.rest(grow) {
		return errGrown
	}
	a.peak, a.short = l.size, false
	return nil
}

// rest makes wazero take the memory as it was before it grew.
func (l *linear) rest(grow func() bool) bool {
	l.resting = true
	ok := !l.account.budget.tactics.rigid && grow() && !l.resting
	l.resting = false
	return ok
}

func (l *linear) shrink() []byte {
	l.resting = false
	size := l.image.Size()
	l.account.budget.release(l.size - int64(size))
	l.size = int64(size)
	l.buf = l.between(0, size)
	return l.buf
}

// dropTail frees what is beyond the image; it is zero when the memory grows again.
func (l *linear) dropTail() error {
	from, to := l.image.Size(), l.high
	l.high = from
	switch {
	case from >= to:
		return nil
	case l.region == nil:
		clear(l.buf[from:to])
		return nil
	}
	return l.region.forget(from, to)
}

func (l *linear) restore() error {
	t := &l.account.budget.tactics
	switch {
	case !l.laid || l.image.Size() <= t.copyUpTo:
		l.written = int64(copy(l.buf, l.image.bytes))
		return nil
	case t.pages == nil:
		return l.drop()
	}
	return l.restorePages(t)
}

// hostPage is the size of a page of the system, which divides one of wasm.
func hostPage() int { return os.Getpagesize() }

// restorePages copies the pages that were written.
func (l *linear) restorePages(t *tactics) error {
	if l.account.isKnown() {
		for _, s := range l.watch.known {
			copy(l.buf[s.from:s.to], l.image.bytes[s.from:])
		}
	} else if err := l.restoreFound(t); err != nil {
		return err
	}
	pages := int(l.written) / hostPage()
	l.resets++
	if pages > t.dropOver || l.resets%relearn == 0 && pages > relearnOver {
		return l.drop()
	}
	return nil
}

// restoreFound looks for the pages that were written. It stops where there are
// so many that they are to be dropped.
func (l *linear) restoreFound(t *tactics) error {
	l.watch.forget()
	l.written = 0
	v, left := l.view(), (t.dropOver+1)*hostPage()
	for at := 0; at < len(v.mem) && left > 0; {
		spans, next, err := t.pages.find(v, at, l.scratch)
		if err != nil {
			return err
		}
		l.watch.learn(spans)
		for _, s := range spans {
			n := copy(v.mem[s.from:min(s.to, s.from+left)], l.image.bytes[s.from:])
			l.written += int64(n)
			left -= n
		}
		at = next
	}
	return nil
}

func (l *linear) view() view { return view{l.between(0, l.image.Size()), l.image.file.zeros()} }

// drop frees the private pages, so that the image's are seen again.
func (l *linear) drop() error {
	l.written = 0
	l.watch.forget()
	return l.region.forget(0, l.image.Size())
}

// Trim frees what an idle memory, which stands at its image, holds of its own.
// The next call pays for it with page faults. It does nothing where the system
// cannot do so.
func (a *Account) Trim() error {
	l := a.memory
	if l == nil || l.image == nil {
		return errNoImage
	}
	if !l.laid {
		return nil
	}
	return l.drop()
}

// Dirty is what the memory holds of its own, besides its image, in bytes: as far
// as known, that is when it was last opened or Reset, plus all it grew since.
func (a *Account) Dirty() int64 {
	l := a.memory
	switch {
	case l == nil:
		return 0
	case l.image == nil:
		return l.size
	}
	return l.written + l.size - int64(l.image.Size())
}

// Same reports whether every byte is the image's and whatever the memory grew by
// and lost again reads as zero. It is an audit, and reads all of it.
func (a *Account) Same() bool {
	l := a.memory
	if l == nil || l.image == nil || !Equal(l.buf, l.image.bytes) {
		return false
	}
	size := l.image.Size()
	if l.seen > size && !isZero(l.between(size, l.seen)) {
		return false
	}
	from, to := size, l.seen
	l.seen = size
	return l.region == nil || l.region.forget(from, to) == nil // the pages of zeros that were read
}
