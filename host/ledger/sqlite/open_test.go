package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/host/ledger"
)

// TestWhatCannotBeTrustedIsRefused wants a sentence that says what is wrong and
// what to do, and the file to be left as it is.
func TestWhatCannotBeTrustedIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, path string)
		want  []string
	}{
		"a file of text": {func(t *testing.T, path string) {
			put(t, path, []byte(strings.Repeat("not a database ", 100)))
		}, []string{"no ledger", "move it away"}},
		"a short file": {func(t *testing.T, path string) {
			put(t, path, []byte("SQLite format 3\x00"))
		}, []string{"damaged", "restore it"}},
		"an empty file": {func(t *testing.T, path string) {
			put(t, path, nil)
		}, []string{"empty", "restore it"}},
		"a folder": {func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, []string{"not a regular file", "move it away"}},
		"another program's database": {func(t *testing.T, path string) {
			script(t, path, "CREATE TABLE cookies (name TEXT)")
		}, []string{"another program", "move it away"}},
		"a newer schema": {func(t *testing.T, path string) {
			ready(t, path)
			script(t, path, fmt.Sprint("PRAGMA user_version=", len(migrations)+1))
		}, []string{"version 2", "up to 1", "run the newer cloche"}},
		"a file that was cut short": {func(t *testing.T, path string) {
			ready(t, path)
			if err := os.Truncate(path, 8192); err != nil {
				t.Fatal(err)
			}
		}, []string{"broken", "restore"}},
		"a file with a page of nonsense": {func(t *testing.T, path string) {
			ready(t, path)
			text := read(t, path)
			random := rand.New(rand.NewPCG(1, 1))
			for i := 4096; i < len(text); i++ {
				text[i] = byte(random.Uint32())
			}
			put(t, path, text)
		}, []string{"broken", "restore"}},
		"a log without its file": {func(t *testing.T, path string) {
			put(t, path+"-wal", []byte("something"))
		}, []string{"-wal", "put it back"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.db")
			test.spoil(t, path)
			before, _ := os.ReadFile(path)
			l, err := Open(context.Background(), path, ledger.Options{})
			if err == nil {
				_ = l.Close(context.Background())
				t.Fatal("it was opened")
			}
			for _, want := range append(test.want, path) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(after, before) {
				t.Error("the file was changed")
			}
		})
	}
}

// ready makes a ledger with some jobs.
func ready(t *testing.T, path string) (ids []ledger.ID) {
	t.Helper()
	l := mustOpen(t, path, quick())
	for range 50 {
		enqueued, err := l.Enqueue(context.Background(), []ledger.NewJob{{Function: "f", Request: ledger.Request{Body: make([]byte, 500)}}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, enqueued[0].ID)
	}
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	return ids
}

func put(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func script(t *testing.T, path, text string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err == nil {
		_, err = db.Exec(text)
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "folder", "ledger.db")
	l := mustOpen(t, path, quick())
	if _, err := Open(context.Background(), path, ledger.Options{}); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("got %v, want that another process has it", err)
	}
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, path, quick())
	if err := l.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestDamageIsNoticed flips bits of a file: it is refused, or what it
// says is still right, or a job whose request is damaged ends as such. It never
// says anything else.
func TestDamageIsNoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	ids := ready(t, path)
	whole := read(t, path)
	random := rand.New(rand.NewPCG(7, 7))
	refused, damaged := 0, 0
	for range 60 {
		dir := t.TempDir()
		spoiled := slices.Clone(whole)
		for range 1 + random.IntN(3) {
			spoiled[random.IntN(len(spoiled))] ^= 1 << random.IntN(8)
		}
		put(t, filepath.Join(dir, "ledger.db"), spoiled)
		l, err := open(context.Background(), filepath.Join(dir, "ledger.db"), ledger.Options{}, quick())
		if err != nil {
			refused++
			continue
		}
		damaged += claimAll(t, l, ids)
		_ = l.Close(context.Background())
	}
	t.Logf("%d of 60 were refused, %d jobs found damaged", refused, damaged)
	if refused == 0 || damaged == 0 {
		t.Error("nothing was noticed: the test proves nothing")
	}
}

// claimAll claims all and returns how many jobs ended because they are damaged.
func claimAll(t *testing.T, l *Ledger, ids []ledger.ID) (damaged int) {
	t.Helper()
	claims, err := l.Claim(context.Background(), ledger.Limits{Max: 1000, Others: 1000})
	if err != nil {
		return 0
	}
	for _, c := range claims {
		if len(c.Request.Body) != 500 || !bytes.Equal(c.Request.Body, make([]byte, 500)) {
			t.Errorf("a job was handed out with another request than it was given")
		}
	}
	for _, id := range ids {
		if d, err := l.Get(context.Background(), id); err == nil && d.Reason == ledger.Damaged {
			damaged++
		}
	}
	return damaged
}

func TestMigrationsLeadToTheNextVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	ids := ready(t, path)
	ctx := context.Background()
	w, err := openWriter(ctx, path, quick())
	if err != nil {
		t.Fatal(err)
	}
	next := append(slices.Clone(migrations), "ALTER TABLE jobs ADD COLUMN color TEXT; UPDATE jobs SET color = 'red'", "nonsense")
	if err := migrate(ctx, w.conn, next); err == nil || !strings.Contains(err.Error(), "from version 2") {
		t.Errorf("got %v, want that the step from version 2 failed", err)
	}
	var version, red int
	if err := w.conn.QueryRowContext(ctx, "SELECT user_version, (SELECT count(*) FROM jobs WHERE color = 'red') FROM pragma_user_version").Scan(&version, &red); err != nil {
		t.Fatal(err)
	}
	if version != 2 || red != len(ids) {
		t.Errorf("got version %d, %d jobs changed; want 2, %d", version, red, len(ids))
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
	if _, err := Open(ctx, path, ledger.Options{}); err == nil || !strings.Contains(err.Error(), "run the newer cloche") {
		t.Errorf("this version: got %v, want to be refused", err)
	}
}

func TestAWrongSettingIsNoticed(t *testing.T) {
	w, err := openWriter(context.Background(), copyOf(t), quick())
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	err = w.apply(context.Background(), setting{"page_size", "8192", "8192"})
	if err == nil || !strings.Contains(err.Error(), "would not be safe") {
		t.Errorf("got %v, want that it is not safe", err)
	}
}

func copyOf(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "ledger.db")
	ready(t, path)
	return path
}

func TestVersionsOfSQLiteCompare(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{{"3.51.2", "3.51.3", true}, {"3.51.3", "3.51.3", false}, {"3.54.1", "3.51.3", false}, {"3.9.0", "3.51.3", true}, {"4.0.0", "3.51.3", false}} {
		if got := older(test.a, test.b); got != test.want {
			t.Errorf("older(%s, %s) = %v", test.a, test.b, got)
		}
	}
}

func TestAClockFromTheFutureIsNotBelieved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	var said bytes.Buffer
	at := func(now time.Time) (*Ledger, error) {
		return open(context.Background(), path, ledger.Options{
			Wall: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(&said, nil)),
		}, quick())
	}
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		wall, want time.Time
		said       string
	}{
		{now.AddDate(10, 0, 0), now.AddDate(10, 0, 0), ""},
		{now, now, "not believed"},
		{now.Add(-time.Hour), now, "set back"},
	} {
		l, err := at(test.wall)
		if err != nil {
			t.Fatal(err)
		}
		enqueued, err := l.Enqueue(context.Background(), []ledger.NewJob{{Function: "f"}})
		if err != nil {
			t.Fatal(err)
		}
		d, err := l.Get(context.Background(), enqueued[0].ID)
		if err != nil || !d.CreatedAt.Equal(test.want) || !strings.Contains(said.String(), test.said) {
			t.Errorf("got %v, %v, %q; want %v, %q", d.CreatedAt, err, said.String(), test.want, test.said)
		}
		// What is not believed is forgotten with the job that has it as its id.
		if _, err := l.Cancel(context.Background(), enqueued[0].ID); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Prune(context.Background(), ledger.Retention{Keep: map[ledger.Status]ledger.Keep{ledger.Canceled: {}}}, 10); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		said.Reset()
	}
}
