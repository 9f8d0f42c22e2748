package runtime

import (
	"context"
	"math"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/limits"
	"github.com/cloche-run/cloche/runtime/memory"
	"github.com/cloche-run/cloche/runtime/wasi"
	"github.com/cloche-run/cloche/runtime/wasm"
)

// slice is the fuel that a guest gets at a time: some 25 µs of computing, a few
// milliseconds of waiting for memory at worst. Between two slices the guest is
// in Go code, where the scheduler and the collector can have the thread.
const slice = 250_000

// yieldEvery is how long a guest computes before others get a turn: a tenth of
// what Go itself would let it, so that a request is answered while guests spin.
const yieldEvery = time.Millisecond

// meter is the fuel of one invocation: what it cost so far, and when it ends.
// Every rewritten guest asks it for fuel, and thereby whether it may go on; it
// asks the same way for room on its call stack.
type meter struct {
	ctx      context.Context
	account  *memory.Account // of the guest
	deadline time.Time       // zero for none
	budget   int64

	before        int64 // what the guest used to get ready
	used, granted int64
	late          bool // the guest was stopped at its deadline
	yielded       time.Time

	stack *callStack
}

func newMeter(account *memory.Account, stack *callStack) *meter {
	return &meter{account: account, yielded: time.Now(), stack: stack}
}

// until ends the guest with ctx, which has its deadline.
func (m *meter) until(ctx context.Context) {
	m.ctx = ctx
	m.deadline, _ = ctx.Deadline()
}

func (m *meter) limit(budget uint64) {
	m.budget = math.MaxInt64 / 2
	if budget > 0 && budget < uint64(m.budget) {
		m.budget = int64(budget)
	}
}

// begin starts anew, with another budget, for a guest that is ready and has left
// left of its last grant. What it used so far is not the request's: guests that
// start from an image have not used it either. The guest must have no fuel now.
func (m *meter) begin(left int64, budget uint64) {
	m.before += m.used + m.granted - left
	m.used, m.granted = 0, 0
	m.limit(budget)
}

// refuel takes back what is left of the last grant and makes another, of at
// least need. It does not return to a guest that may not go on.
func (m *meter) refuel(left, need int64) int64 {
	m.used += m.granted - left
	m.granted = 0
	now := time.Now()
	if m.late = !m.deadline.IsZero() && !now.Before(m.deadline); m.late || m.ctx.Err() != nil {
		panic(errOver)
	}
	if now.Sub(m.yielded) > yieldEvery {
		m.account.Unwatch()
		runtime.Gosched()
		m.yielded = now
	}
	if m.used >= m.budget || need > m.budget-m.used {
		panic(limits.Trapf(abi.FaultFuel, "out of fuel: the limit is %d", m.budget))
	}
	m.granted = max(min(slice, m.budget-m.used), need)
	return m.granted
}

// errOver ends a guest whose time is over.
var errOver = limits.Trapf(abi.FaultCanceled, "the invocation is over")

// spent is the fuel that a guest has used of which left is left, exact once it
// has returned.
func (m *meter) spent(left int64) uint64 { return uint64(m.used + max(m.granted-left, 0)) }

type meterKey struct{}

// metered carries the meter to the import of rewritten guests.
type metered struct {
	context.Context
	meter *meter
}

// Value implements context.Context.
func (c metered) Value(key any) any {
	if key == (meterKey{}) {
		return c.meter
	}
	return c.Context.Value(key)
}

// instantiateFuel adds the functions that rewritten modules import.
func instantiateFuel(ctx context.Context, rt wazero.Runtime) error {
	const i64 = api.ValueTypeI64
	_, err := rt.NewHostModuleBuilder(wasm.FuelModule).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, instance api.Module, stack []uint64) {
			m := ctx.Value(meterKey{}).(*meter)
			left, need := int64(stack[0]), int64(stack[1])
			if left >= need { // it is not fuel that the guest is short of
				m.stack.grow(instance)
				return
			}
			stack[0] = uint64(m.refuel(left, need))
		}), []api.ValueType{i64, i64}, []api.ValueType{i64}).
		Export(wasm.RefuelImport).
		NewFunctionBuilder().
		WithGoFunction(api.GoFunc(func(ctx context.Context, _ []uint64) { wasi.Resume(ctx) }), nil, nil).
		Export(wasm.ResumeImport).Instantiate(ctx)
	return err
}
