package runtime

import (
	"context"

	"github.com/cloche-run/cloche/abi"
)

// fetcher is an invocation as its guest's fetches see it.
type fetcher invocation

// Fetch implements guest.Fetcher.
func (v *fetcher) Fetch(ctx context.Context, req abi.FetchRequest) (abi.FetchResponse, error) {
	v.account.Unwatch()
	return v.function.config.Fetch(bare{ctx}, v.caller, req)
}

// Reserve implements guest.Fetcher.
func (v *fetcher) Reserve(bytes int64) bool { return v.account.Budget().Reserve(bytes) }

// bare is a context of which only the end is passed on: its values are about the
// guest that calls, and the embedder may invoke another one.
type bare struct{ context.Context }

// Value implements context.Context.
func (bare) Value(any) any { return nil }
