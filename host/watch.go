package host

import (
	"context"
	"maps"
	"os"
	"path/filepath"
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
			h.ReloadAndReport(ctx)
		}
	}
}

// watchAll watches the site's own directory and, two levels deep, that of its
// functions. Directories, not files: editors replace files.
func (h *Host) watchAll(watcher *fsnotify.Watcher, watched map[string]bool) {
	cfg := h.site.Load().config
	dirs := []string{cfg.Root, cfg.Base, cfg.Functions}
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
		if err := watcher.Add(dir); err != nil {
			if !os.IsNotExist(err) {
				h.log.Warn("cannot watch", "file", dir, "error", err.Error())
			}
			continue
		}
		watched[dir] = true
	}
}

// concerns leaves out what is not part of the site, above all the data directory.
func (h *Host) concerns(event fsnotify.Event) bool {
	cfg := h.site.Load().config
	switch filepath.Dir(event.Name) {
	case cfg.Root:
		base := filepath.Base(event.Name)
		return base == config.FileName || base == ".env" || event.Name == cfg.Functions
	case cfg.Base:
		return event.Name == cfg.Functions
	}
	return event.Op != fsnotify.Chmod
}

// ReloadAndReport is Reload for those who cannot do more about an error than read
// of it in the log.
func (h *Host) ReloadAndReport(ctx context.Context) {
	start, old := time.Now(), h.site.Load()
	if err := h.Reload(ctx); err != nil {
		if ctx.Err() == nil {
			h.log.Error("site not reloaded, the last version stays", "error", err.Error())
		}
		return
	}
	if s := h.site.Load(); !maps.Equal(s.functions, old.functions) {
		h.log.Info("site reloaded", "functions", len(s.functions), "duration", time.Since(start))
	}
}
