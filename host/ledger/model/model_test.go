package model_test

import (
	"testing"

	"github.com/cloche-run/cloche/host/ledger"
	"github.com/cloche-run/cloche/host/ledger/ledgertest"
	"github.com/cloche-run/cloche/host/ledger/model"
)

type store struct{ *model.Store }

func (s store) Open(_ testing.TB, o ledger.Options) ledger.Ledger { return s.Store.Open(o) }

func TestModel(t *testing.T) {
	ledgertest.Run(t, func(testing.TB) ledgertest.Store { return store{model.NewStore()} })
}
