package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	"modernc.org/sqlite"

	"github.com/cloche-run/cloche/host/ledger"
)

// engine is a driver for SQLite. There is one; tests run the same SQL on another
// whose disk can be made to fail, and break the rules to see that they are needed.
type engine struct {
	name string // of the database/sql driver
	vfs  string // "" is the driver's
	// code returns SQLite's extended result code.
	code func(error) (code int, ok bool)
	// synchronous is FULL but in tests that must lose data.
	synchronous string
	// reserveBytes is reserveBytes but in tests that have no time.
	reserveBytes int64
	// checkpointPages is how much of the log is copied into the file at a time.
	checkpointPages int
	// probeEvery is how often a full disk is looked at again.
	probeEvery time.Duration
}

// modernc is the engine of the product. It syncs by fdatasync, as SQLite does where
// it is built with its own configuration: as durable, without the file's times.
func modernc() engine {
	_, _ = sqlite.Fdatasync(true) // where there is none, it syncs by fsync
	return engine{name: "sqlite", synchronous: "FULL", reserveBytes: reserveBytes, checkpointPages: 1000, probeEvery: time.Second, code: func(err error) (int, bool) {
		var e *sqlite.Error
		if errors.As(err, &e) {
			return e.Code(), true
		}
		return 0, false
	}}
}

// open opens the file at path; pragmas are applied to every connection.
func (e engine) open(path string, pragmas ...string) (*sql.DB, error) {
	values := url.Values{"_pragma": pragmas}
	if e.vfs != "" {
		values.Set("vfs", e.vfs)
	}
	return sql.Open(e.name, "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+values.Encode())
}

// Result codes: https://sqlite.org/rescode.html
const (
	codeBusy       = 5
	codeNoMemory   = 7
	codeFull       = 13
	codeTooBig     = 18
	codeConstraint = 19
	codeMismatch   = 20
	codeShmSize    = 4874 // no room for the -shm file
)

// errRefused is an error that is the fault of one change and not of the disk.
var errRefused = errors.New("refused by SQLite")

// classify says what an error of SQLite's means: it wraps ErrFull, ErrBusy,
// errRefused or, for everything that is not known to be harmless, ErrBroken.
func (e engine) classify(err error) error {
	code, ok := e.code(err)
	if !ok || errors.Is(err, context.Canceled) {
		return err
	}
	kind := ledger.ErrBroken
	switch {
	case code&0xff == codeFull, code == codeShmSize:
		kind = ledger.ErrFull
	case code&0xff == codeBusy, code&0xff == codeNoMemory:
		kind = ledger.ErrBusy
	case code&0xff == codeConstraint, code&0xff == codeTooBig, code&0xff == codeMismatch:
		kind = errRefused
	}
	return fmt.Errorf("%w: %w (SQLite %d)", kind, err, code)
}

// explain adds a remedy to an error of opening.
func explain(err error) error {
	switch {
	case errors.Is(err, ledger.ErrFull):
		return fmt.Errorf("%w: make room on its disk, nothing is lost", err)
	case errors.Is(err, ledger.ErrBusy):
		return fmt.Errorf("%w: another program uses the file: end it", err)
	case errors.Is(err, ledger.ErrBroken):
		return fmt.Errorf("%w: look at the disk, then restore the file, or save it with `sqlite3 ledger.db .recover`", err)
	}
	return err
}
