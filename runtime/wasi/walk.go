package wasi

import "strings"

// Limits on the work of one path.
const (
	// SymbolicLinks is how many a path may lead through (as on Linux).
	SymbolicLinks = 40
	// pathDepth is how far below its descriptor a path may lead, and pathSteps
	// how many names it may have, those of symbolic links included. A step costs
	// a host directory a system call for each level above it.
	pathDepth = 128
	pathSteps = 1024
)

// target is where a path ends: an entry of a directory, which need not exist.
type target struct {
	dir    directory
	name   string // "" if the path ends at dir itself: "." or "a/.."
	slash  bool   // the path ends in "/": only a directory will do
	exists bool
	stat   stat // if it exists and has a name
}

func (t target) isDirectory() bool {
	return t.name == "" || t.exists && t.stat.filetype == typeDirectory
}

// missing says why a path that must lead to something does not, if so.
func (t target) missing() Errno {
	switch {
	case t.name != "" && !t.exists:
		return ENOENT
	case t.slash && !t.isDirectory():
		return ENOTDIR
	}
	return Success
}

// walker follows one path.
type walker struct {
	above []directory // from the descriptor's directory down to where it is
	rest  string      // of the path
	links int
}

// lookup follows a path to what it names. follow is about a symbolic link at its
// end: one with a slash behind it is always followed.
func lookup(start directory, path string, follow bool) (target, Errno) {
	return walk(start, path, follow, true)
}

// entryOf follows a path to an entry that is to be made, moved or removed: a
// symbolic link at its end is that entry.
func entryOf(start directory, path string) (target, Errno) {
	return walk(start, path, false, false)
}

// walk never leaves start: neither "..", nor a symbolic link, nor an absolute
// path leads above or beside it.
func walk(start directory, path string, follow, followSlash bool) (target, Errno) {
	if path[0] == '/' {
		return target{}, ENOTCAPABLE
	}
	var room [8]directory
	w := walker{above: append(room[:0], start), rest: path}
	for range pathSteps {
		name, slash := w.next()
		last := w.rest == ""
		dir := w.above[len(w.above)-1]
		switch name {
		case ".":
			if last {
				return target{dir: dir, slash: slash, exists: true}, Success
			}
			continue
		case "..":
			if len(w.above) == 1 {
				return target{}, ENOTCAPABLE
			}
			w.above = w.above[:len(w.above)-1]
			if last {
				return target{dir: w.above[len(w.above)-1], slash: slash, exists: true}, Success
			}
			continue
		}
		if len(name) > NameBytes {
			return target{}, ENAMETOOLONG
		}
		st, errno := dir.lookup(name)
		switch {
		case errno == ENOENT && last:
			return target{dir: dir, name: name, slash: slash}, Success
		case errno != Success:
			return target{}, errno
		case st.filetype == typeSymlink && (!last || follow || slash && followSlash):
			errno = w.expand(dir, name, last, slash)
		case last:
			return target{dir: dir, name: name, slash: slash, exists: true, stat: st}, Success
		default:
			errno = w.enter(dir, name, st)
		}
		if errno != Success {
			return target{}, errno
		}
	}
	return target{}, ENAMETOOLONG
}

// next takes the next name off the path, and the slashes behind it.
func (w *walker) next() (name string, slash bool) {
	end := strings.IndexByte(w.rest, '/')
	if end < 0 {
		name, w.rest = w.rest, ""
		return name, false
	}
	name, w.rest = w.rest[:end], strings.TrimLeft(w.rest[end:], "/")
	return name, true
}

func (w *walker) enter(dir directory, name string, st stat) Errno {
	if st.filetype != typeDirectory {
		return ENOTDIR
	}
	if len(w.above) > pathDepth {
		return ENAMETOOLONG
	}
	below, errno := dir.enter(name)
	if errno == Success {
		w.above = append(w.above, below)
	}
	return errno
}

// expand puts the text of a symbolic link in the place of its name.
func (w *walker) expand(dir directory, name string, last, slash bool) Errno {
	if w.links++; w.links > SymbolicLinks {
		return ELOOP
	}
	text, errno := dir.readlink(name)
	switch {
	case errno != Success:
		return errno
	case text == "":
		return ENOENT
	case text[0] == '/':
		return ENOTCAPABLE
	case len(text) > PathBytes:
		return ENAMETOOLONG
	}
	if !last || slash {
		text += "/"
	}
	w.rest = text + w.rest
	return Success
}
