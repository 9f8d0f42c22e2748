package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

// writer is the one connection that writes. It belongs to the committer.
type writer struct {
	db    *sql.DB
	conn  *sql.Conn
	stmts map[string]*sql.Stmt

	// running holds jobs that were claimed, as they are in the file, so that their
	// ends need not read them again. It may hold less than all.
	running map[ledger.ID]stored
	// saved is the clock's high water as it is in the file.
	saved time.Time
	// written is how many rows were written since somebody looked at the log.
	written int
}

// setting is a pragma and what it must say when it is read back.
type setting struct{ name, set, want string }

func writerSettings(e engine) []setting {
	synchronous := map[string]string{"OFF": "0", "NORMAL": "1", "FULL": "2"}[e.synchronous]
	return []setting{
		{"busy_timeout", "5000", "5000"},
		{"journal_mode", "wal", "wal"},
		{"synchronous", e.synchronous, synchronous},
		{"wal_autocheckpoint", "0", "0"},
		{"journal_size_limit", fmt.Sprint(walPages * 4096), fmt.Sprint(walPages * 4096)},
		{"mmap_size", "0", "0"},
		{"cache_size", "-16384", "-16384"}, // KiB: more than any batch, which would go to the log early
		{"cell_size_check", "ON", "1"},
		{"auto_vacuum", "", "2"},
	}
}

// openWriter opens the file, brings its schema up to date, and has what the
// process before left in the log written into the file.
func openWriter(ctx context.Context, path string, e engine) (_ *writer, err error) {
	w := &writer{stmts: make(map[string]*sql.Stmt), running: make(map[ledger.ID]stored)}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.db, err = e.open(path); err != nil {
		return nil, err
	}
	w.db.SetMaxOpenConns(1)
	if w.conn, err = w.db.Conn(ctx); err != nil {
		return nil, err
	}
	if err := w.checkVersion(ctx); err != nil {
		return nil, err
	}
	for _, s := range writerSettings(e) {
		if err := w.apply(ctx, s); err != nil {
			return nil, err
		}
	}
	// After a failed sync the log in memory and on disk may differ. Copying it
	// whole makes sure that nothing is appended to what is not there.
	if err := w.checkpoint("TRUNCATE"); err != nil {
		return nil, err
	}
	return w, w.migrate(ctx)
}

func (w *writer) apply(ctx context.Context, s setting) error {
	if s.set != "" {
		if _, err := w.conn.ExecContext(ctx, fmt.Sprintf("PRAGMA %s=%s", s.name, s.set)); err != nil {
			return err
		}
	}
	var got string
	if err := w.conn.QueryRowContext(ctx, "PRAGMA "+s.name).Scan(&got); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if !strings.EqualFold(got, s.want) && !(s.name == "mmap_size" && got == "") {
		return fmt.Errorf("SQLite has %s %q, not %q: the ledger would not be safe", s.name, got, s.want)
	}
	return nil
}

// minVersion is the first SQLite without the race that could damage a file in
// WAL mode: https://sqlite.org/wal.html#walresetbug
const minVersion = "3.51.3"

// checkVersion refuses what this program cannot be trusted with.
func (w *writer) checkVersion(ctx context.Context) error {
	var library string
	var application, version int
	err := w.conn.QueryRowContext(ctx, "SELECT sqlite_version(), application_id, user_version FROM pragma_application_id, pragma_user_version").
		Scan(&library, &application, &version)
	switch {
	case err != nil:
		return err
	case older(library, minVersion):
		return fmt.Errorf("SQLite %s is older than %s", library, minVersion)
	case application != applicationID:
		return errors.New("the file is a database of another program: move it away, or choose another data directory")
	case version > len(migrations):
		return fmt.Errorf("the file has version %d and this cloche knows up to %d: run the newer cloche", version, len(migrations))
	case version < 1:
		return fmt.Errorf("%w: the file has version %d", ledger.ErrBroken, version)
	}
	return nil
}

// older compares versions like 3.51.3.
func older(a, b string) bool {
	var x, y [3]int
	_, _ = fmt.Sscanf(a, "%d.%d.%d", &x[0], &x[1], &x[2])
	_, _ = fmt.Sscanf(b, "%d.%d.%d", &y[0], &y[1], &y[2])
	for i := range x {
		if x[i] != y[i] {
			return x[i] < y[i]
		}
	}
	return false
}

// migrate brings an older file up to date, one version after the other.
func (w *writer) migrate(ctx context.Context) error { return migrate(ctx, w.conn, migrations) }

func migrate(ctx context.Context, conn *sql.Conn, migrations []string) error {
	var version int
	if err := conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	for ; version < len(migrations); version++ {
		script := fmt.Sprintf("BEGIN IMMEDIATE; %s; PRAGMA user_version=%d; COMMIT;", migrations[version], version+1)
		if _, err := conn.ExecContext(ctx, script); err != nil {
			_, _ = conn.ExecContext(ctx, "ROLLBACK")
			return fmt.Errorf("from version %d: %w", version, err)
		}
	}
	return nil
}

// close closes what is open.
func (w *writer) close() (err error) {
	for _, s := range w.stmts {
		err = errors.Join(err, s.Close())
	}
	if w.conn != nil {
		err = errors.Join(err, w.conn.Close())
	}
	if w.db != nil {
		err = errors.Join(err, w.db.Close())
	}
	return err
}

// stmt returns a statement, prepared the first time.
func (w *writer) stmt(query string) (*sql.Stmt, error) {
	if s, ok := w.stmts[query]; ok {
		return s, nil
	}
	s, err := w.conn.PrepareContext(context.Background(), query)
	if err == nil {
		w.stmts[query] = s
	}
	return s, err
}

func (w *writer) exec(query string, args ...any) error {
	s, err := w.stmt(query)
	if err != nil {
		return err
	}
	_, err = s.Exec(args...)
	return err
}

const highWater = "SELECT (SELECT jobs FROM counters WHERE fn = '' AND status = ?), (SELECT id FROM jobs ORDER BY id DESC LIMIT 1)"

// highWater is the latest time that the file knows, to the second, and the
// latest id.
func (w *writer) highWater() (at time.Time, latest ledger.ID, err error) {
	var micros sql.NullInt64
	var id []byte
	err = w.conn.QueryRowContext(context.Background(), highWater, totalClock).Scan(&micros, &id)
	at, latest = toTime(micros.Int64), toID(id)
	if made := latest.Time(); made.After(at) {
		at = made
	}
	return at, latest, err
}

// commit runs changes in one transaction and sets their errors; its own error
// says that nothing of it happened, or, if it is one of the disk, might not have.
func (w *writer) commit(changes []*change, now time.Time, newID func(time.Time) ledger.ID) error {
	if err := w.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	b := &batch{w: w, now: now, newID: newID}
	err := b.run(changes)
	if err == nil {
		err = w.exec("COMMIT")
	}
	if err != nil {
		_, _ = w.conn.ExecContext(context.Background(), "ROLLBACK")
		clear(w.running)
		return err
	}
	if b.savesClock {
		w.saved = now
	}
	w.written += b.rows
	return nil
}

// lookEvery is how many rows are written between looks at the log's length.
const lookEvery = 100

func (w *writer) shouldLook() bool { return w.written >= lookEvery }

// walLength returns how many pages the log has, and how many of them are not yet
// in the file.
func (w *writer) walLength() (length, pending int, err error) {
	w.written = 0
	return w.wal("NOOP")
}

// checkpoint copies the log into the file.
func (w *writer) checkpoint(mode string) error {
	_, _, err := w.wal(mode)
	return err
}

func (w *writer) wal(mode string) (length, pending int, err error) {
	var busy, done int
	s, err := w.stmt("PRAGMA wal_checkpoint(" + mode + ")")
	if err != nil {
		return 0, 0, err
	}
	err = s.QueryRow().Scan(&busy, &length, &done)
	return length, length - done, err
}
