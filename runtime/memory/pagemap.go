package memory

import "errors"

// span is a run of pages that were written, in bytes from the start of the memory.
type span struct{ from, to int }

// scratch is what a look at the pagemap needs; the system writes into it, so it
// does not move.
type scratch struct {
	found   [64]span
	ranges  [64]pageRange
	entries []byte
}

// pageRange is struct page_region of linux/fs.h: addresses, not offsets.
type pageRange struct{ start, end, categories uint64 }

// way is a way to find the pages that were written.
type way struct {
	name string
	find func(p *pagemap, v view, at int, s *scratch) ([]span, int, error)
}

// view is a memory to look at, with its image's zeros at the end: only there is a
// page of zeros as it should be.
type view struct {
	mem   []byte
	zeros int
}

// find returns the next runs of pages, from byte at on, that are private copies, and where to go on. They are valid until s is used again. A page that
// was swapped out is one of them.
func (p *pagemap) find(v view, at int, s *scratch) ([]span, int, error) {
	found, next, err := p.way.find(p, v, at, s)
	if err == nil && next <= at {
		err = errors.New("the pagemap ends within the memory")
	}
	return found, next, err
}
