package host

import (
	"context"

	"github.com/cloche-run/cloche/host/ledger"
	"github.com/cloche-run/cloche/host/ledger/sqlite"
)

// ledgerFile is the ledger in the data directory.
const ledgerFile = "ledger.db"

func (h *Host) openLedger(ctx context.Context) (ledger.Ledger, error) {
	l, err := sqlite.Open(ctx, h.data.join(ledgerFile), ledger.Options{Log: h.log})
	if err != nil {
		return nil, err // and no Ledger that is nil inside
	}
	return l, nil
}
