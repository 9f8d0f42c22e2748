package wasm

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// In a valid function the operand stack is as high at the end of each block as
// its type says. So the specification's modules, which have every instruction,
// tell whether effects add up.
func TestEffectsAddUp(t *testing.T) {
	seen := map[uint32]bool{}
	for _, path := range specModules(t) {
		module, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Read(module, DefaultCaps())
		if err != nil || !valid(t.Context(), module) {
			continue
		}
		for i := range m.bodies {
			checkHeights(t, path, m, i, seen)
		}
	}
	for op := range uint32(256) {
		for prefix, table := range map[uint32]*opcodeTable{0: &opcodes, opMisc << 8: &miscOps, opSIMD << 8: &simdOps} {
			if table[op].shape != illegal && !seen[prefix|op] {
				t.Errorf("opcode %#x was not seen", prefix|op)
			}
		}
	}
}

func checkHeights(t *testing.T, path string, m *Module, i int, seen map[uint32]bool) {
	r, b := m.bodyReader(i)
	var g frameGauge
	var f flow
	var in instruction
	f.reset()
	for g.start(m, b); len(f.frames) > 0; {
		m.next(r, &in)
		seen[in.op] = true
		top, dead := g.blocks[len(g.blocks)-1], f.dead
		results := m.blockArity(top.block, false)
		if len(g.blocks) == 1 {
			results = b.signature.results.length()
		}
		if want := top.height + results; (in.op == opEnd || in.op == opElse) && !dead && g.height != want {
			t.Fatalf("%s, function %d: %d operands at offset %#x, want %d", filepath.Base(path), b.function, g.height, in.start, want)
		}
		g.step(&in, dead, f.step(m, &in))
	}
}

func specModules(t *testing.T) (paths []string) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatal("go list: ", err)
	}
	tests := filepath.Join(strings.TrimSpace(string(dir)), "internal", "integration_test", "spectest")
	for _, set := range []string{"v1", "v2", "tail-call", "extended-const"} {
		found, _ := filepath.Glob(filepath.Join(tests, set, "testdata", "*", "*.wasm"))
		more, _ := filepath.Glob(filepath.Join(tests, set, "testdata", "*.wasm"))
		paths = append(append(paths, found...), more...)
	}
	if len(paths) < 1000 {
		t.Fatalf("%d modules", len(paths))
	}
	return paths
}

func valid(ctx context.Context, module []byte) bool {
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().
		WithCoreFeatures(api.CoreFeaturesV2|experimental.CoreFeaturesTailCall|experimental.CoreFeaturesExtendedConst))
	defer r.Close(ctx)
	_, err := r.CompileModule(ctx, module)
	return err == nil
}
