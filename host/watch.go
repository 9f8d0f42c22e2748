package host

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/cloche-run/cloche/host/config"
)

// quiet is how long a site must stay unchanged before it is read again: a
// compiler writes a file in several steps.
const quiet = 100 * time.Millisecond

// watch reloads the site whenever one of its files changes, until ctx ends. A
// site that cannot be read is reported, and the last good one stays.
func (h *Host) watch(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer watcher.Close()
	watched := map[string]bool{}
	h.watchAll(watcher, watched)

	settle := time.NewTimer(quiet) // something may have changed since the site was read
	defer settle.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case event, ok := <-watcher.Events:
			if !ok {
				return nil
			}
			if event.Has(fsnotify.Remove | fsnotify.Rename) {
				delete(watched, event.Name) // its watch went with it
			}
			if h.concerns(event) {
				settle.Reset(quiet)
			}
		case err := <-watcher.Errors:
			h.log.Warn("watching the site", "error", err.Error())
			settle.Reset(quiet) // events may have been lost
		case <-settle.C:
			h.watchAll(watcher, watched)
			h.reloadAndReport(ctx, false)
		}
	}
}

// watchAll watches every directory from the site's own to that of its functions,
// and those in it. Directories, not files: editors replace files.
func (h *Host) watchAll(watcher *fsnotify.Watcher, watched map[string]bool) {
	cfg := h.site.Load().config
	dirs := []string{cfg.Root}
	for dir := cfg.Functions; len(dir) > len(cfg.Root); dir = filepath.Dir(dir) {
		dirs = append(dirs, dir)
	}
	entries, _ := os.ReadDir(cfg.Functions)
	for _, entry := range entries {
		if entry.IsDir() {
			dirs = append(dirs, filepath.Join(cfg.Functions, entry.Name()))
		}
	}
	for _, dir := range dirs {
		if watched[dir] {
			continue
		}
		if err := watcher.Add(dir); err == nil {
			watched[dir] = true
		} else if !os.IsNotExist(err) {
			h.log.Warn("cannot watch", "file", dir, "error", err.Error())
		}
	}
}

// concerns leaves out what is not part of the site, above all the data directory.
func (h *Host) concerns(event fsnotify.Event) bool {
	cfg := h.site.Load().config
	name := filepath.Clean(event.Name)
	switch {
	case event.Op == fsnotify.Chmod:
		return false
	case name == filepath.Join(cfg.Root, config.FileName), name == filepath.Join(cfg.Root, ".env"):
		return true
	}
	return within(cfg.Functions, name) || within(name, cfg.Functions)
}

// within reports whether path is dir or below it.
func within(dir, path string) bool {
	return path == dir || strings.HasPrefix(path, dir+string(filepath.Separator))
}

// reloads reads the site anew at every signal.
func (h *Host) reloads(ctx context.Context, signals <-chan os.Signal) error {
	for {
		select {
		case <-signals:
			h.reloadAndReport(ctx, true)
		case <-ctx.Done():
			return nil
		}
	}
}

// reloadAndReport is Reload for those who cannot do more about an error than
// have it logged. A reload that changed nothing is worth a line only if somebody
// asked for it.
func (h *Host) reloadAndReport(ctx context.Context, asked bool) {
	start, old := time.Now(), h.site.Load()
	if err := h.Reload(ctx); err != nil {
		if ctx.Err() == nil {
			h.log.Error("site not reloaded, the last version stays", "error", err.Error())
		}
		return
	}
	if s := h.site.Load(); asked || !maps.Equal(s.functions, old.functions) {
		h.log.Info("site reloaded", "functions", len(s.functions), "duration", time.Since(start))
	}
}
