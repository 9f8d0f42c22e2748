package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// directory returns the directory that p names, relative to the site, and base
// if it names none. It may be missing, but what is there must be a directory
// inside the site, also by the symbolic links on the way.
func (s *site) directory(dir *os.Root, base string, p place) string {
	if p.value == "" {
		return base
	}
	const remedy = "write a path inside the site, relative to the base directory"
	if !isInside(p.value) {
		s.doc.fail(p.path, quoted(p.value)+` is absolute or holds ".."`, remedy)
		return base
	}
	name := filepath.Join(base, filepath.FromSlash(p.value))
	info, err := dir.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		s.doc.fail(p.path, quoted(p.value)+" cannot be used: "+reason(err), remedy)
	case !info.IsDir():
		s.doc.fail(p.path, quoted(p.value)+" is not a directory", remedy)
	}
	return name
}

// isInside refuses absolute paths and every "..", for after a symbolic link it
// means something else to the reader than to the system.
func isInside(path string) bool {
	local := filepath.FromSlash(path)
	return filepath.IsLocal(local) &&
		!slices.Contains(strings.Split(local, string(filepath.Separator)), "..")
}
