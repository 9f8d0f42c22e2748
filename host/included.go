package host

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"testing/fstest"

	"github.com/bmatcuk/doublestar/v4"
)

// Limits of the files that a function includes.
const (
	// includedBytes is how much they may hold together: they are kept in memory.
	includedBytes = 64 << 20
	includedFiles = 10_000
	// includedWalk is how many files and directories are looked at to find them.
	includedWalk = 200_000
)

// files are a function's included files, as they were when it was loaded.
type files struct {
	fs     fs.FS // nil if there are none
	digest [sha256.Size]byte
}

// include reads the regular files under base that patterns name, as Netlify's
// included_files does: "**" is any number of directories, a pattern that begins
// with "!" takes files out again. What begins with a dot is never included, so
// that no pattern can reach .env or .git; neither is the data directory, which
// except names. Links are not followed.
func include(site *os.Root, base, except string, patterns []string) (files, error) {
	if len(patterns) == 0 {
		return files{}, nil
	}
	in := inclusion{site: site, base: base, except: except, found: fstest.MapFS{}}
	for _, pattern := range patterns {
		into := &in.want
		if rest, ok := strings.CutPrefix(pattern, "!"); ok {
			into, pattern = &in.without, rest
		}
		pattern = path.Clean(strings.TrimPrefix(pattern, "./"))
		if !doublestar.ValidatePattern(pattern) {
			return files{}, fmt.Errorf("included_files: %q is no pattern", pattern)
		}
		*into = append(*into, pattern)
	}
	if err := fs.WalkDir(site.FS(), base, in.visit); err != nil {
		return files{}, fmt.Errorf("included_files: %w", err)
	}
	return files{in.found, in.digest()}, nil
}

// inclusion is a walk that collects files.
type inclusion struct {
	site          *os.Root
	base, except  string
	want, without []string

	found fstest.MapFS
	sum   []byte
	seen  int
	bytes int64
}

func (in *inclusion) visit(name string, entry fs.DirEntry, err error) error {
	if in.seen++; in.seen > includedWalk {
		return fmt.Errorf("%s holds more than %d files and directories: move what is not the site's out of it", in.base, includedWalk)
	}
	relative := strings.TrimPrefix(strings.TrimPrefix(name, in.base), "/")
	switch {
	case err != nil && entry != nil && entry.IsDir():
		return fs.SkipDir // not ours to read
	case err != nil:
		return err
	case name != in.base && strings.HasPrefix(path.Base(name), "."), name == in.except:
		if entry.IsDir() {
			return fs.SkipDir
		}
		return nil
	case !entry.Type().IsRegular() || !matches(in.want, relative) || matches(in.without, relative):
		return nil
	}
	return in.add(name, relative)
}

func matches(patterns []string, name string) bool {
	for _, pattern := range patterns {
		if ok, _ := doublestar.Match(pattern, name); ok {
			return true
		}
	}
	return false
}

func (in *inclusion) add(name, relative string) error {
	f, err := in.site.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, includedBytes-in.bytes+1))
	if err != nil {
		return err
	}
	if in.bytes += int64(len(content)); in.bytes > includedBytes || len(in.found) == includedFiles {
		return fmt.Errorf("more than %d files or %d MiB: name fewer", includedFiles, includedBytes>>20)
	}
	in.found[relative] = &fstest.MapFile{Data: content, Mode: 0o444}
	sum := digest(content)
	in.sum = append(append(in.sum, relative...), sum[:]...)
	return nil
}

func (in *inclusion) digest() [sha256.Size]byte { return sha256.Sum256(in.sum) }
