package sqlite

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"
	_ "github.com/ncruces/go-sqlite3/driver" // registers "sqlite3"

	"github.com/cloche-run/cloche/host/ledger/ledgertest"
)

// twin is another driver for SQLite. Its disk is a Go interface, which faulty.go
// uses; that it passes the same tests shows that it is a fair substitute.
func twin() engine {
	return engine{name: "sqlite3", synchronous: "FULL", reserveBytes: 4096, checkpointPages: 20, code: func(err error) (int, bool) {
		var e *sqlite3.Error
		if errors.As(err, &e) {
			return int(e.ExtendedCode()), true
		}
		var code sqlite3.ErrorCode
		if errors.As(err, &code) {
			return int(code), true
		}
		var extended sqlite3.ExtendedErrorCode
		if errors.As(err, &extended) {
			return int(extended), true
		}
		return 0, false
	}}
}

func TestTwin(t *testing.T) {
	ledgertest.Run(t, func(t testing.TB) ledgertest.Store {
		return store{filepath.Join(t.TempDir(), "ledger.db"), twin()}
	})
}
