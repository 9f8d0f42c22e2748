package ledger

import (
	"log/slog"
	"time"
)

// Options are what every ledger is opened with. The zero Options are the usual ones.
type Options struct {
	// Wall is the wall clock; nil is time.Now.
	Wall func() time.Time
	// NewID makes the id of a job; ids must increase. nil is New of NewIDs.
	NewID func(now time.Time) ID
	// Log is told what an operator should know; nil is nobody.
	Log *slog.Logger
}

// Filled returns o with nothing left nil; latest is the greatest id of the ledger.
func (o Options) Filled(latest ID) Options {
	if o.Wall == nil {
		o.Wall = time.Now
	}
	if o.NewID == nil {
		o.NewID = NewIDs(latest).New
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}
