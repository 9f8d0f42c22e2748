package runtime

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// What a cache keeps of what is not in use.
const (
	// CacheAge is how long ago a module was last loaded.
	CacheAge = 30 * 24 * time.Hour
	// CacheBytes is how large a cache may be, with what is in use.
	CacheBytes = 4 << 30
	// ownAge is how old the directory of a compiler is that cannot be at work.
	ownAge = 10 * CompileTimeout
)

// PruneCache removes from the cache what was not loaded for CacheAge and then, the
// oldest first, what makes it larger than CacheBytes; never what this Engine has
// loaded. Call it when everything is loaded. No other process may use the cache.
func (e *Engine) PruneCache() error { return e.pruneCache(CacheAge, CacheBytes) }

// cacheEntry is files that are of no use without each other.
type cacheEntry struct {
	files []string
	bytes int64
	last  time.Time
	used  bool
}

func (e *Engine) pruneCache(age time.Duration, most int64) (err error) {
	if e.cacheDir == "" {
		return nil
	}
	entries := e.cacheEntries()
	slices.SortFunc(entries, func(a, b cacheEntry) int { return b.last.Compare(a.last) })
	uses := map[string]int{} // modules that differ in what is dropped share their code
	for _, entry := range entries {
		for _, file := range entry.files {
			uses[file]++
		}
	}
	var total int64
	for _, entry := range entries {
		if total += entry.bytes; entry.used || time.Since(entry.last) < age && total <= most {
			continue
		}
		total -= entry.bytes
		for _, file := range entry.files {
			if uses[file]--; uses[file] > 0 {
				continue
			}
			if removed := os.RemoveAll(file); removed != nil {
				err = errors.Join(err, removed)
				break // rather code of no module than a module without code
			}
		}
	}
	return err
}

func (e *Engine) cacheEntries() (entries []cacheEntry) {
	e.mu.Lock()
	defer e.mu.Unlock()
	known := map[string]bool{}
	for _, file := range list(e.cacheDir, preparedDir, "*") {
		entry := cacheEntry{used: e.used[file]}
		entry.add(file)
		if name := codeOf(file); name != "" {
			entry.add(e.codeFile(name))
			known[e.codeFile(name)] = true
		}
		entries = append(entries, entry)
	}
	for _, file := range list(e.cacheDir, "*", "*") {
		if inside := filepath.Base(filepath.Dir(file)); inside == preparedDir || strings.HasPrefix(inside, ownPrefix) || known[file] {
			continue
		}
		var entry cacheEntry
		entry.add(file)
		entries = append(entries, entry)
	}
	for _, dir := range list(e.cacheDir, ownPrefix+"*") {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > ownAge {
			entries = append(entries, cacheEntry{files: []string{dir}})
		}
	}
	return entries
}

func list(parts ...string) []string {
	files, _ := filepath.Glob(filepath.Join(parts...)) // the pattern is good
	return files
}

func (c *cacheEntry) add(file string) {
	if info, err := os.Stat(file); err == nil {
		c.files = append(c.files, file)
		c.bytes += info.Size()
		if len(c.files) == 1 {
			c.last = info.ModTime() // others may use the code
		}
	}
}

// codeOf reads only the beginning of a sealed file.
func codeOf(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	head := make([]byte, nameBytes)
	n, _ := f.ReadAt(head, sha256.Size)
	name, _ := fileOf(head[:n])
	return name
}
