package jobs

import (
	"sync"

	"github.com/cloche-run/cloche/host/ledger"
)

// tail keeps the end of what an attempt logs, as much as the ledger does. All of
// it is in the log of the data directory.
type tail struct {
	mu    sync.Mutex
	bytes []byte
}

// add appends a line.
func (t *tail) add(line []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bytes = append(append(t.bytes, ledger.CutLog(line)...), '\n')
	if len(t.bytes) > 4*ledger.LogBytes { // not at every line
		t.bytes = append(t.bytes[:0], ledger.CutLog(t.bytes)...)
	}
}

// end is what is kept.
func (t *tail) end() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return ledger.CutLog(t.bytes)
}
