package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/cloche-run/cloche/abi"
)

// maxFunctions is the number of functions one site may have.
const maxFunctions = 10_000

// source is a function as it was found: its name and the file that makes it.
type source struct {
	name string
	file string // relative to the site, slashes
	// problem says why file cannot become a function; "" if it can.
	problem string
}

// language names the language of a source that has a function's name but no
// build yet; "" for other files.
func language(ext string) string {
	switch ext {
	case ".js", ".mjs", ".cjs":
		return "JavaScript"
	case ".ts", ".mts", ".cts":
		return "TypeScript"
	case ".go":
		return "Go"
	}
	return ""
}

// discover lists the functions in dir, which is relative to the site: NAME.wasm,
// NAME/NAME.wasm, NAME/index.wasm and, if nothing else has the name, sources in
// a language. A directory without any of them is no function. A file whose name
// is none that can be served is misnamed.
func discover(site *os.Root, dir string) (found, misnamed []source, err error) {
	entries, err := readDir(site, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("functions directory: %w", err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("no functions directory %s in %s: make it and put NAME.wasm there, or name another one in netlify.toml, [functions] directory", dir, site.Name())
	}
	byName := map[string]source{}
	for _, entry := range entries {
		candidates := []string{entry.Name()}
		if entry.IsDir() {
			candidates = entryPoints(entry.Name())
		}
		for _, file := range candidates {
			s, ok := sourceOf(site, dir, entry, file)
			if old, taken := byName[s.name]; ok && (!taken || better(s, old)) {
				byName[s.name] = s
			}
		}
	}
	for name, s := range byName {
		if !abi.ValidName(name) {
			misnamed = append(misnamed, s)
			continue
		}
		found = append(found, s)
	}
	if len(found) > maxFunctions {
		return nil, nil, fmt.Errorf("%s has %d functions, the limit is %d: split the site", dir, len(found), maxFunctions)
	}
	byText := func(a, b source) int { return strings.Compare(a.name, b.name) }
	slices.SortFunc(found, byText)
	slices.SortFunc(misnamed, byText)
	return found, misnamed, nil
}

// entryPoints are the files that make a directory a function, the best first.
func entryPoints(name string) (files []string) {
	for _, ext := range []string{".wasm", ".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".go"} {
		files = append(files, path.Join(name, name+ext), path.Join(name, "index"+ext))
	}
	return append(files, path.Join(name, "main.go"))
}

func sourceOf(site *os.Root, dir string, entry fs.DirEntry, file string) (source, bool) {
	ext := path.Ext(file)
	written := language(ext)
	if ext != ".wasm" && written == "" {
		return source{}, false
	}
	s := source{name: strings.TrimSuffix(file, ext), file: path.Join(dir, file)}
	if entry.IsDir() {
		s.name = entry.Name()
		if _, err := site.Lstat(s.file); err != nil {
			return source{}, false
		}
	}
	if written != "" {
		s.problem = fmt.Sprintf("%s is %s source, which this version does not build: compile it to %s.wasm (see sdk/)", s.file, written, s.name)
	}
	return s, true
}

// better prefers what runs over what would have to be built.
func better(a, b source) bool { return a.problem == "" && b.problem != "" }

func readDir(site *os.Root, dir string) ([]fs.DirEntry, error) {
	return fs.ReadDir(site.FS(), filepath.ToSlash(dir))
}

// readModule reads a module file once. It follows no link out of the site and
// does not wait at a FIFO or a device.
func readModule(site *os.Root, file string, limit uint64) ([]byte, error) {
	f, err := site.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot read it: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", file)
	}
	return io.ReadAll(io.LimitReader(f, int64(limit)+1))
}
