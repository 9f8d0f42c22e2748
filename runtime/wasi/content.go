package wasi

// blockBytes is the unit in which /tmp is counted and allocated.
const blockBytes = 4096

// content is what a file of /tmp holds. A block that was never written is nil
// and reads as zeros.
type content struct {
	size   int64
	blocks []*[blockBytes]byte
}

func blocksOf(size int64) int64 { return (size + blockBytes - 1) / blockBytes }

func (n *node) readAt(p []byte, at int64) (int, Errno) {
	f := &n.content
	if at >= f.size {
		return 0, Success
	}
	p = p[:min(int64(len(p)), f.size-at)]
	for done := 0; done < len(p); {
		block, offset := (at+int64(done))/blockBytes, (at+int64(done))%blockBytes
		piece := p[done:min(len(p), done+int(blockBytes-offset))]
		if b := f.blocks[block]; b != nil {
			copy(piece, b[offset:])
		} else {
			clear(piece)
		}
		done += len(piece)
	}
	return len(p), Success
}

// writeAt writes as much as there is room for.
func (n *node) writeAt(p []byte, at int64) (int, Errno) {
	f := &n.content
	if end := at + int64(len(p)); end > f.size {
		most := (blocksOf(f.size) + n.tmp.maxBlocks - n.tmp.blocks) * blockBytes
		if at >= most {
			return 0, ENOSPC
		}
		if end > most {
			p, end = p[:most-at], most
		}
		if errno := n.resize(end); errno != Success {
			return 0, errno
		}
	}
	for done := 0; done < len(p); {
		block, offset := (at+int64(done))/blockBytes, (at+int64(done))%blockBytes
		if f.blocks[block] == nil {
			f.blocks[block] = new([blockBytes]byte)
		}
		done += copy(f.blocks[block][offset:], p[done:])
	}
	n.mtim = now()
	n.ctim = n.mtim
	return len(p), Success
}

func (n *node) truncate(size int64) Errno {
	errno := n.resize(size)
	if errno == Success {
		n.mtim = now()
		n.ctim = n.mtim
	}
	return errno
}

// resize takes or gives blocks. Size alone is charged: a guest that was given a
// sparse file could fill it later.
func (n *node) resize(size int64) Errno {
	f := &n.content
	if size > n.tmp.maxBlocks*blockBytes {
		return EFBIG
	}
	was, will := blocksOf(f.size), blocksOf(size)
	if will > was && !n.tmp.take(will-was) {
		return ENOSPC
	}
	if will > was {
		f.blocks = append(f.blocks, make([]*[blockBytes]byte, will-was)...)
	} else if will < was {
		n.tmp.give(was - will)
		f.blocks = append([]*[blockBytes]byte(nil), f.blocks[:will]...)
	}
	if size < f.size && size%blockBytes != 0 && f.blocks[will-1] != nil {
		clear(f.blocks[will-1][size%blockBytes:]) // or it would show again when the file grows
	}
	f.size = size
	return Success
}

// sync implements file: there is nothing behind memory.
func (n *node) sync() Errno { return Success }
