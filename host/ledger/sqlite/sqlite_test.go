package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/cloche-run/cloche/host/ledger"
	"github.com/cloche-run/cloche/host/ledger/ledgertest"
	"github.com/cloche-run/cloche/host/ledger/model"
)

// store is a ledger's file. What a ledger leaves in it is checked.
type store struct {
	path   string
	engine engine
}

func (s store) Open(t testing.TB, o ledger.Options) ledger.Ledger {
	t.Helper()
	l, err := open(context.Background(), s.path, o, s.engine)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return checked{l, t}
}

// quick is the engine of the product with a small reserve and many checkpoints.
func quick() engine {
	e := modernc()
	e.reserveBytes, e.checkpointPages = 4096, 20
	return e
}

// checked checks a ledger before it is closed.
type checked struct {
	*Ledger
	t testing.TB
}

func (c checked) Close(ctx context.Context) error {
	c.t.Helper()
	if c.Healthy() == nil {
		if err := c.Check(ctx); err != nil {
			c.t.Errorf("check: %v", err)
		}
	}
	return c.Ledger.Close(ctx)
}

func TestSQLite(t *testing.T) {
	ledgertest.Run(t, func(t testing.TB) ledgertest.Store {
		return store{filepath.Join(t.TempDir(), "ledger.db"), quick()}
	})
}

// modelStore is the model's store.
type modelStore struct{ *model.Store }

func (s modelStore) Open(_ testing.TB, o ledger.Options) ledger.Ledger { return s.Store.Open(o) }

func TestAgreesWithTheModel(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			agree(t, seed, 250)
		})
	}
}

func FuzzAgreesWithTheModel(f *testing.F) {
	f.Add(uint64(100))
	f.Add(uint64(146))
	f.Fuzz(func(t *testing.T, seed uint64) { agree(t, seed, 200) })
}

func agree(t *testing.T, seed uint64, steps int) {
	ledgertest.Agree(t, seed, steps, modelStore{model.NewStore()}, store{filepath.Join(t.TempDir(), "ledger.db"), quick()})
}
