package wasi

// Default size of /tmp.
const (
	DefaultTmpBytes = 64 << 20
	DefaultTmpFiles = 1024
)

// tmp is a file system in the host's memory, private to one instance. It counts
// in blocks, as a tmpfs does: every block that a file's size covers, written or
// not, and one for each symbolic link.
type tmp struct {
	root *node

	blocks, maxBlocks int64
	names, maxNames   int
	reserve           func(int64) bool
	lastIno           uint64
	changed           bool
}

func newTmp(c Config) *tmp {
	t := &tmp{maxBlocks: c.TmpBytes / blockBytes, maxNames: c.TmpFiles, reserve: c.Reserve}
	if t.maxNames == 0 {
		t.maxNames = DefaultTmpFiles
	}
	t.reset()
	return t
}

func (t *tmp) reset() {
	t.free()
	t.lastIno, t.changed = 0, false
	t.root = t.node(typeDirectory)
	t.root.parent, t.root.links = t.root, 1
}

// untouched tells whether nothing was ever made here, not even in vain.
func (t *tmp) untouched() bool {
	return !t.changed && t.lastIno == 1 && t.blocks == 0 && t.names == 0
}

// free gives the host its memory back.
func (t *tmp) free() {
	if t.reserve != nil && t.blocks > 0 {
		t.reserve(-t.blocks * blockBytes)
	}
	t.root, t.blocks, t.names = nil, 0, 0
}

// take takes n blocks, or none and false.
func (t *tmp) take(n int64) bool {
	if n > t.maxBlocks-t.blocks || t.reserve != nil && !t.reserve(n*blockBytes) {
		return false
	}
	t.blocks += n
	return true
}

func (t *tmp) give(n int64) {
	if n > 0 && t.reserve != nil {
		t.reserve(-n * blockBytes)
	}
	t.blocks -= n
}

func (t *tmp) node(filetype uint8) *node {
	t.lastIno++
	n := &node{tmp: t, ino: t.lastIno, filetype: filetype}
	n.atim = now()
	n.mtim, n.ctim = n.atim, n.atim
	if filetype == typeDirectory {
		n.entries = map[string]*node{}
	}
	return n
}
