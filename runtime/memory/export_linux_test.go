package memory

// Descriptor is the image's file, -1 for none.
func (i *Image) Descriptor() int { return i.file.fd }

// FindWritten counts the bytes that a budget verified finds written in mem, whose
// image has only zeros from byte zeros on.
func (b *Budget) FindWritten(mem []byte, zeros int) (n int, err error) {
	for at := 0; at < len(mem); {
		spans, next, err := b.tactics.pages.find(view{mem, zeros}, at, new(scratch))
		if err != nil {
			return 0, err
		}
		for _, s := range spans {
			n += s.to - s.from
		}
		at = next
	}
	return n, nil
}
