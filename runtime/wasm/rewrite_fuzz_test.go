package wasm_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/cloche-run/cloche/runtime/wasm"
	"github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// randomStack is beyond what a random program can pay for.
const randomStack = 1 << 30

// FuzzRewrite runs random programs: the original in the interpreter, the
// rewritten form compiled, with pieces and grants so small that every path is
// taken. Results, traps, memory, globals and fuel must agree.
func FuzzRewrite(f *testing.F) {
	seeds := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		seed := make([]byte, 40+seeds.IntN(1200))
		for i := range seed {
			seed[i] = byte(seeds.Uint32())
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, entropy []byte) {
		module := wasmtest.Random(entropy)
		read, err := wasm.Read(module, wasm.DefaultCaps())
		if err != nil {
			t.Fatal(err)
		}
		data, err := read.Data()
		if err != nil {
			t.Fatal(err)
		}
		rewritten := rewrite(t, module, wasm.DefaultCaps(), wasm.Options{PieceBytes: 16, StackBytes: randomStack, Image: true})
		tiny, ok := runRandom(t, rewritten, data, newMeter(1))
		if !ok {
			return // it runs for long, or for ever
		}
		large, _ := runRandom(t, rewritten, data, newMeter(1<<40))
		original, _ := runRandom(t, module, nil, nil)
		for i, want := range original.outcomes {
			if got := tiny.outcomes[i]; got != want {
				t.Errorf("call %d: the rewritten module gives %s, the original %s", i, got, want)
			}
			if got := large.outcomes[i]; got != want {
				t.Errorf("call %d: the rewritten module gives %s under one grant, the original %s", i, got, want)
			}
			if tiny.fuel[i] != large.fuel[i] && !tiny.trapped[i] {
				t.Errorf("call %d: %d units of fuel in grants of 1, %d in one", i, tiny.fuel[i], large.fuel[i])
			}
		}
	})
}

type randomRun struct {
	outcomes []string
	fuel     []int64
	trapped  []bool
}

// runRandom calls each function of a random program, each in an instance of its
// own. A nil meter stands for the original. It is not ok if the fuel ran out.
func runRandom(t *testing.T, module []byte, data []wasm.Run, m *meter) (run randomRun, ok bool) {
	ctx := context.Background()
	config := wazero.NewRuntimeConfigInterpreter()
	if m != nil {
		config = wazero.NewRuntimeConfigCompiler()
	}
	r := wazero.NewRuntimeWithConfig(ctx, config.WithCoreFeatures(features))
	defer r.Close(ctx)
	if m != nil {
		m.export(t, r)
	}
	compiled, err := r.CompileModule(ctx, module)
	if err != nil {
		t.Fatalf("not valid: %v\n%x", err, module)
	}
	for i := range wasmtest.RandomFunctions {
		if m != nil {
			*m = meter{slice: m.slice, budget: 20_000}
		}
		outcome, fuel, trapped, err := callRandom(ctx, r, compiled, data, i, m)
		if errors.Is(err, errFuel) {
			return run, false
		}
		run.outcomes = append(run.outcomes, outcome)
		run.fuel = append(run.fuel, fuel)
		run.trapped = append(run.trapped, trapped)
	}
	return run, true
}

func callRandom(ctx context.Context, r wazero.Runtime, compiled wazero.CompiledModule, data []wasm.Run, i int, m *meter) (outcome string, fuel int64, trapped bool, err error) {
	instance, err := r.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		return "", 0, true, err
	}
	defer instance.Close(ctx)
	if err := begin(ctx, instance, data); err != nil {
		return "", 0, true, err
	}
	f := instance.ExportedFunction(fmt.Sprint("f", i))
	var args []uint64
	for n, t := range f.Definition().ParamTypes() {
		if t == api.ValueTypeF64 {
			args = append(args, api.EncodeF64(float64(n)+0.5))
		} else {
			args = append(args, uint64(n)+3)
		}
	}
	results, err := f.Call(ctx, args...)
	if err != nil {
		outcome = kind(err)
	} else {
		outcome = show(f.Definition().ResultTypes(), results)
	}
	if m != nil {
		fuel = m.total(instance)
		if stack := instance.ExportedGlobal(wasm.StackExport).Get(); err == nil && stack != randomStack {
			outcome += fmt.Sprint(", ", stack, " bytes of stack left")
		}
	}
	memory, _ := instance.Memory().Read(0, instance.Memory().Size())
	sum := fnv.New64a()
	sum.Write(memory)
	outcome += fmt.Sprintf(", globals %d %d, memory of %d pages %x",
		uint32(instance.ExportedGlobal("g0").Get()), instance.ExportedGlobal("g1").Get(), len(memory)>>16, sum.Sum64())
	return outcome, fuel, err != nil, err
}
