package wasm_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/cloche-run/cloche/runtime/wasm"
)

const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst

var (
	errFuel  = errors.New("out of fuel")
	errStack = errors.New("call stack exhausted")
)

// meter is the host's side of the fuel, for one instance at a time.
type meter struct {
	slice, budget int64
	used, granted int64
	refuels       int
	stop          func() bool
}

func newMeter(slice int64) *meter { return &meter{slice: slice, budget: math.MaxInt64 / 2} }

func (m *meter) refuel(left, need int64) int64 {
	m.refuels++
	if left >= need {
		panic(errStack)
	}
	m.used += m.granted - left
	m.granted = 0
	if m.used > m.budget || need > m.budget-m.used || m.stop != nil && m.stop() {
		panic(errFuel)
	}
	m.granted = max(min(m.slice, m.budget-m.used), need)
	return m.granted
}

// total is what instance has used so far.
func (m *meter) total(instance api.Module) int64 {
	left := int64(instance.ExportedGlobal(wasm.FuelExport).Get())
	return m.used + m.granted - left
}

// export makes the function that rewritten modules import.
func (m *meter) export(t testing.TB, r wazero.Runtime) {
	t.Helper()
	_, err := r.NewHostModuleBuilder(wasm.FuelModule).NewFunctionBuilder().
		WithFunc(func(_ context.Context, left, need int64) int64 { return m.refuel(left, need) }).
		Export(wasm.RefuelImport).
		NewFunctionBuilder().WithFunc(func() {}).Export(wasm.ResumeImport).Instantiate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
}

// begin does what is left to the host of a module rewritten with Options.Image.
func begin(ctx context.Context, instance api.Module, data []wasm.Run) error {
	for _, run := range data {
		if !instance.Memory().Write(run.Offset, run.Bytes) {
			return errors.New("data outside the memory")
		}
	}
	if start := instance.ExportedFunction(wasm.StartExport); start != nil {
		if _, err := start.Call(ctx); err != nil {
			return fmt.Errorf("start function[0] failed: %w", err) // as wazero says it
		}
	}
	return nil
}

// liftedCaps let everything pass that the encodings can say.
func liftedCaps() (caps wasm.Caps) {
	for v, i := reflect.ValueOf(&caps).Elem(), 0; i < v.NumField(); i++ {
		v.Field(i).SetUint(1 << 40)
	}
	return caps
}

func rewrite(t testing.TB, module []byte, caps wasm.Caps, o wasm.Options) []byte {
	t.Helper()
	m, err := wasm.Read(module, caps)
	if err != nil {
		t.Fatal(err)
	}
	out, err := wasm.Rewrite(m, o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
