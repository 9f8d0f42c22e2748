//go:build unix

package wasi

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A FIFO would keep a guest, and the host, waiting for its other end.
func TestOnlyFilesAndDirectoriesOpen(t *testing.T) {
	g := newHostGuest(t)
	inside := g.sys.config.Dirs[0].Root.Name()
	if err := syscall.Mkfifo(filepath.Join(inside, "fifo"), 0o600); err != nil {
		t.Skip(err)
	}
	within(t, time.Second, func() {
		for _, h := range []how{{base: rightRead}, {base: rightWrite}, {base: rightRead | rightWrite}, {flags: openTruncate}} {
			_, errno := g.openAs(root, "fifo", h)
			g.want("open", errno, ENOTSUP)
		}
		// Also if it takes a file's place after we looked.
		_, errno := place{g.sys.mounts[0], "."}.open("fifo", opening{read: true})
		g.want("open", errno, ENOTSUP)
	})
}
