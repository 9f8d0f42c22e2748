package host

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/cloche-run/cloche/host/lock"
)

// dataVersion is the layout of the data directory: its file "version" says it.
const dataVersion = "1"

// dataDir is the directory of everything that outlives the process: ledger.db, cache/,
// logs/, usage.json, admin.token. One server at a time holds it.
type dataDir struct {
	path string
	lock *os.File
}

// openData makes or opens the data directory at path and locks it.
func openData(path string) (*dataDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w: choose another", err)
	}
	held, err := lock.File(filepath.Join(path, "lock"))
	if errors.Is(err, lock.ErrHeld) {
		return nil, fmt.Errorf("data directory %s is in use by another cloche: stop that one, or choose another", path)
	}
	if err != nil {
		return nil, fmt.Errorf("data directory: %w: choose another", err)
	}
	d := &dataDir{path: path, lock: held}
	if err := d.checkVersion(); err != nil {
		_ = held.Close()
		return nil, err
	}
	return d, nil
}

func (d *dataDir) checkVersion() error {
	file := d.join("version")
	found, err := os.ReadFile(file)
	switch {
	case errors.Is(err, os.ErrNotExist), err == nil && len(found) == 0: // or a start that a full disk ended
		return d.write("version", dataVersion)
	case err != nil:
		return fmt.Errorf("data directory: %w", err)
	case strings.TrimSpace(string(found)) != dataVersion:
		return fmt.Errorf("data directory %s has version %.20q, this cloche writes version %s: use the cloche that made it, or choose another directory",
			d.path, strings.TrimSpace(string(found)), dataVersion)
	}
	return nil
}

func (d *dataDir) join(name string) string { return filepath.Join(d.path, name) }

// close lets another server have the directory.
func (d *dataDir) close() error { return d.lock.Close() }

// adminAddress is the file that says where the admin API of the running server is.
const adminAddress = "admin.addr"

// announce lets commands find the admin API at addr.
func (h *Host) announce(addr net.Addr) error {
	return h.data.write(adminAddress, addr.String())
}

// write puts a line into a file, whole or not at all.
func (d *dataDir) write(name, line string) error {
	next := d.join(name + ".new")
	if err := os.WriteFile(next, []byte(line+"\n"), 0o600); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := os.Rename(next, d.join(name)); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}

// forget removes a file of a server that no longer runs.
func (d *dataDir) forget(name string) { _ = os.Remove(d.join(name)) }

// AdminAddress is where the admin API of the server is that runs with the data
// directory data, or ran until it was killed; "" if none did.
func AdminAddress(data string) string {
	text, _ := os.ReadFile(filepath.Join(data, adminAddress))
	return strings.TrimSpace(string(text))
}
