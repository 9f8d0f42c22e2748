package wasi

import (
	"slices"
	"strings"
)

// node is a file, a directory or a symbolic link. It is its own directory and
// its own open file.
type node struct {
	tmp              *tmp
	ino              uint64
	filetype         uint8
	links            uint64
	opens            int
	atim, mtim, ctim uint64

	parent  *node            // of a directory
	entries map[string]*node // of a directory
	content content          // of a file
	text    string           // of a symbolic link
}

func (n *node) stat() (stat, Errno) {
	s := stat{
		dev: 1, ino: n.ino, links: n.links, filetype: n.filetype, atim: n.atim, mtim: n.mtim, ctim: n.ctim,
		size: uint64(n.content.size),
	}
	if n.filetype == typeSymlink {
		s.size = uint64(len(n.text))
	}
	return s, Success
}

func (n *node) setTimes(t times) Errno {
	if t.setAtim {
		n.atim = t.atim
	}
	if t.setMtim {
		n.mtim = t.mtim
	}
	n.ctim = now()
	n.tmp.changed = true // of the root too
	return Success
}

func (n *node) setEntryTimes(name string, t times) Errno {
	child, errno := n.child(name)
	if errno != Success {
		return errno
	}
	return child.setTimes(t)
}

func (n *node) child(name string) (*node, Errno) {
	if child := n.entries[name]; child != nil {
		return child, Success
	}
	return nil, ENOENT
}

func (n *node) lookup(name string) (stat, Errno) {
	child, errno := n.child(name)
	if errno != Success {
		return stat{}, errno
	}
	return child.stat()
}

func (n *node) enter(name string) (directory, Errno) {
	child, errno := n.child(name)
	if errno != Success {
		return nil, errno
	}
	return child, Success
}

func (n *node) readlink(name string) (string, Errno) {
	child, errno := n.child(name)
	if errno != Success {
		return "", errno
	}
	return child.text, Success
}

func (n *node) list() ([]entry, Errno) {
	list := make([]entry, 0, len(n.entries)+2)
	list = append(list, entry{".", n.ino, typeDirectory}, entry{"..", n.parent.ino, typeDirectory})
	for name, child := range n.entries {
		list = append(list, entry{name, child.ino, child.filetype})
	}
	slices.SortFunc(list[2:], func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return list, Success
}

func (n *node) open(name string, how opening) (file, Errno) {
	child := n.entries[name]
	if child == nil {
		if !how.create {
			return nil, ENOENT
		}
		child = n.tmp.node(typeRegular)
		if errno := n.add(name, child); errno != Success {
			return nil, errno
		}
	}
	if how.empty {
		if errno := child.truncate(0); errno != Success {
			return nil, errno
		}
	}
	child.opens++
	return child, Success
}

func (n *node) mkdir(name string) Errno {
	child := n.tmp.node(typeDirectory)
	child.parent = n
	return n.add(name, child)
}

func (n *node) symlink(text, name string) Errno {
	if !n.tmp.take(1) {
		return ENOSPC
	}
	child := n.tmp.node(typeSymlink)
	child.text = text
	errno := n.add(name, child)
	if errno != Success {
		n.tmp.give(1)
	}
	return errno
}

// takes finds what is to get a name in another directory, of the same /tmp.
func (n *node) takes(name string, to directory) (dir, child *node, errno Errno) {
	dir, ok := to.(*node)
	if !ok || dir.tmp != n.tmp {
		return nil, nil, EXDEV
	}
	child, errno = n.child(name)
	return dir, child, errno
}

func (n *node) link(name string, to directory, as string) Errno {
	dir, child, errno := n.takes(name, to)
	if errno != Success {
		return errno
	}
	if child.filetype == typeDirectory {
		return EPERM
	}
	return dir.add(as, child)
}

// add gives child a name in n.
func (n *node) add(name string, child *node) Errno {
	switch {
	case n.links == 0: // removed, but still open
		return ENOENT
	case n.tmp.names >= n.tmp.maxNames:
		return ENOSPC
	}
	n.tmp.names++
	child.links++
	n.entries[strings.Clone(name)] = child // not the path that it is a part of
	n.touch(child)
	return Success
}

// touch notes that the entries of n changed, among them child.
func (n *node) touch(child *node) {
	t := now()
	n.mtim, n.ctim, child.ctim = t, t, t
	n.tmp.changed = true
}

func (n *node) remove(name string, isDirectory bool) Errno {
	child, errno := n.child(name)
	switch {
	case errno != Success:
		return errno
	case isDirectory && len(child.entries) > 0:
		return ENOTEMPTY
	}
	delete(n.entries, name)
	n.tmp.names--
	child.links--
	n.touch(child)
	child.freeIfGone()
	return Success
}

// freeIfGone frees what has no name and is not open.
func (n *node) freeIfGone() {
	if n.links > 0 || n.opens > 0 {
		return
	}
	if n.filetype == typeSymlink {
		n.tmp.give(1)
	}
	n.resize(0)
}

// rename replaces what was there, if it is of the same kind and, for a
// directory, empty.
func (n *node) rename(name string, to directory, as string) Errno {
	dir, child, errno := n.takes(name, to)
	if errno != Success {
		return errno
	}
	old := dir.entries[as]
	switch {
	case old == child:
		return Success
	case dir.links == 0:
		return ENOENT
	case child.filetype == typeDirectory && dir.isInside(child):
		return EINVAL
	}
	if old != nil {
		if errno := dir.remove(as, old.filetype == typeDirectory); errno != Success {
			return errno
		}
	}
	delete(n.entries, name)
	dir.entries[strings.Clone(as)] = child
	if child.filetype == typeDirectory {
		child.parent = dir
	}
	n.touch(child)
	dir.touch(child)
	return Success
}

// isInside reports whether n is dir or below it.
func (n *node) isInside(dir *node) bool {
	for ; n != dir; n = n.parent {
		if n == n.parent {
			return false
		}
	}
	return true
}

// close implements file.
func (n *node) close() {
	n.opens--
	if n.tmp.root != nil {
		n.freeIfGone()
	}
}
