package host

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/cloche-run/cloche/host/route"
	"github.com/cloche-run/cloche/runtime"
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

// languages that have a function's name but no build yet.
var languages = map[string]string{
	".js": "JavaScript", ".mjs": "JavaScript", ".cjs": "JavaScript",
	".ts": "TypeScript", ".mts": "TypeScript", ".cts": "TypeScript", ".go": "Go",
}

// discover lists the functions in dir, which is relative to the site: NAME.wasm,
// NAME/NAME.wasm, NAME/index.wasm and, if nothing else has the name, sources in
// a language. A directory without any of them is no function. A file whose name
// is none that can be served is misnamed.
func discover(site *os.Root, dir string) (found, misnamed []source, err error) {
	entries, err := readDir(site, dir)
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
		if !route.ValidName(name) {
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

// entryPoints are the files that make a directory a function.
func entryPoints(name string) (files []string) {
	for _, stem := range []string{name, "index"} {
		files = append(files, path.Join(name, stem+".wasm"))
		for ext := range languages {
			files = append(files, path.Join(name, stem+ext))
		}
	}
	return append(files, path.Join(name, "main.go"))
}

func sourceOf(site *os.Root, dir string, entry fs.DirEntry, file string) (source, bool) {
	ext := path.Ext(file)
	language := languages[ext]
	if ext != ".wasm" && language == "" {
		return source{}, false
	}
	s := source{name: strings.TrimSuffix(file, ext), file: path.Join(dir, file)}
	if entry.IsDir() {
		s.name = entry.Name()
		if _, err := site.Lstat(s.file); err != nil {
			return source{}, false
		}
	}
	if language != "" {
		s.problem = fmt.Sprintf("%s is %s source, which this version does not build: compile it to %s.wasm (see sdk/)", s.file, language, s.name)
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
func readModule(site *os.Root, file string) ([]byte, error) {
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
	return io.ReadAll(io.LimitReader(f, runtime.ModuleBytes+1))
}
