package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// ours prefixes the modules of this project, whose licence is LICENSE.
const ours = "github.com/cloche-run/cloche"

// platforms are those a release is built for: a library that only one of them
// links is listed too.
var platforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64"}

// work is something by others that is linked into the binary.
type work struct {
	module, version string
	files           []file
}

// file is a licence or notice as its authors wrote it.
type file struct{ name, text string }

func (w work) String() string { return strings.TrimSpace(w.module + " " + w.version) }

// license returns the names of the licences of w, or an error that says what to
// do if one of its texts is not known or not allowed.
func (w work) license() (string, error) {
	var names []string
	for _, f := range w.files {
		if !isLicense(f.name) || isBeside(w.module, f.name) {
			continue
		}
		found, err := identify(f.text)
		if err != nil {
			return "", fmt.Errorf("%s: %s: %w", w, f.name, err)
		}
		names = append(names, found...)
	}
	if len(names) == 0 {
		return "", fmt.Errorf("%s: no licence file: ask its authors for one, or do without it", w)
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", "), nil
}

// linked returns the Go standard library and the modules that the packages
// need, sorted by name.
func linked(packages []string) ([]work, error) {
	std, err := standardLibrary()
	if err != nil {
		return nil, err
	}
	modules := map[string]*work{}
	for _, platform := range platforms {
		deps, err := list(platform, packages)
		if err != nil {
			return nil, err
		}
		for _, p := range deps {
			if p.Module == nil || p.Module.Path == ours || strings.HasPrefix(p.Module.Path, ours+"/") {
				continue
			}
			w := modules[p.Module.Path]
			if w == nil {
				w = &work{module: p.Module.Path, version: p.Module.Version}
				modules[p.Module.Path] = w
			}
			if err := w.collect(p.Module.Dir, p.Dir); err != nil {
				return nil, fmt.Errorf("%s: %w", w, err)
			}
		}
	}
	works := []work{std}
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		works = append(works, *modules[path])
	}
	return works, nil
}

// pkg is what go list tells about a package.
type pkg struct {
	Dir    string
	Module *struct{ Path, Version, Dir string }
}

// list returns the packages and all they import, as a build for platform takes
// them. Packages of the standard library have no Module.
func list(platform string, packages []string) (deps []pkg, err error) {
	system, arch, _ := strings.Cut(platform, "/")
	command := exec.Command("go", append([]string{"list", "-deps", "-json=Dir,Module"}, packages...)...)
	command.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0")
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list for %s: %w", platform, err)
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return deps, nil
		case err != nil:
			return nil, fmt.Errorf("go list for %s: %w", platform, err)
		}
		deps = append(deps, p)
	}
}

// collect adds the licences and notices in the folder of a package and in those
// above it, up to the root of its module.
func (w *work) collect(root, dir string) error {
	for ; ; dir = filepath.Dir(dir) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if entry.IsDir() || !isLicense(entry.Name()) && !isNotice(entry.Name()) {
				continue
			}
			if err := w.add(root, filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
		if rest, err := filepath.Rel(root, dir); err != nil || rest == "." {
			return err
		}
	}
}

// add reads one file, unless w has it already.
func (w *work) add(root, path string) error {
	relative, err := filepath.Rel(root, path)
	if err != nil {
		return err
	}
	name := filepath.ToSlash(relative)
	at, found := slices.BinarySearchFunc(w.files, name, func(f file, name string) int { return cmp.Compare(f.name, name) })
	if found {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	w.files = slices.Insert(w.files, at, file{name, tidy(string(text))})
	return nil
}

// standardLibrary returns the licence of Go itself. It names no version, or each
// patch release of Go would outdate the file.
func standardLibrary() (work, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return work{}, fmt.Errorf("go env GOROOT: %w", err)
	}
	w := work{module: "Go standard library and runtime"}
	dir := strings.TrimSpace(string(root))
	if err := w.collect(dir, dir); err != nil {
		return work{}, err
	}
	return w, nil
}

// tidy makes line ends and the end of a text the same for all.
func tidy(text string) string {
	return strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), " \n") + "\n"
}
