package wasi

import (
	"context"
	"crypto/rand"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/cloche-run/cloche/abi"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// calls is how often a benchmark's guest calls the host in one go.
const calls = 1000

// callingModule exports "run", which calls one function of preview 1 again and
// again. An iovec of 64 bytes is at 0; results go to 16.
func callingModule(name string, params []byte, arguments ...byte) []byte {
	var m w.Module
	f := m.Import(abi.ModuleWASI, name, params, []byte{w.I32})
	m.Memory(1)
	m.ExportMemory("memory")
	m.Data(0, "\x40\x00\x00\x00\x40\x00\x00\x00")
	body := slices.Concat(arguments, []byte{w.Call, byte(f), w.Drop})
	m.ExportFunc("run", m.Func(nil, nil, slices.Repeat(body, calls)...))
	return m.Bytes()
}

// The yardstick is wazero's own preview 1 in the same run: see ns/call.
func BenchmarkCall(b *testing.B) {
	i32s := func(n int) []byte { return slices.Repeat([]byte{w.I32}, n) }
	for _, bench := range []struct {
		name   string
		module []byte
	}{
		{"fd_write", callingModule("fd_write", i32s(4), w.I32Const, 1, w.I32Const, 0, w.I32Const, 1, w.I32Const, 16)},
		{"fd_read", callingModule("fd_read", i32s(4), w.I32Const, 0, w.I32Const, 0, w.I32Const, 1, w.I32Const, 16)},
		{"clock_time_get", callingModule("clock_time_get", []byte{w.I32, w.I64, w.I32}, w.I32Const, 1, w.I64Const, 0, w.I32Const, 16)},
		{"random_get", callingModule("random_get", i32s(2), w.I32Const, 16, w.I32Const, 32)},
		{"fd_fdstat_get", callingModule("fd_fdstat_get", i32s(2), w.I32Const, 1, w.I32Const, 16)},
	} {
		b.Run(bench.name+"/ours", func(b *testing.B) {
			system, err := New(Config{})
			if err != nil {
				b.Fatal(err)
			}
			system.Begin(Streams{Stdin: zeros{}, Stdout: io.Discard}, nil)
			benchmarkCalls(b, With(context.Background(), system), bench.module, Instantiate, wazero.NewModuleConfig())
		})
		b.Run(bench.name+"/wazero", func(b *testing.B) {
			start := time.Now()
			config := wazero.NewModuleConfig().WithStdin(zeros{}).WithStdout(io.Discard).
				WithNanotime(func() int64 { return time.Since(start).Truncate(ClockResolution).Nanoseconds() }, 100_000).
				WithRandSource(rand.Reader)
			benchmarkCalls(b, context.Background(), bench.module, func(ctx context.Context, rt wazero.Runtime) error {
				_, err := wasi_snapshot_preview1.Instantiate(ctx, rt)
				return err
			}, config)
		})
	}
}

func benchmarkCalls(b *testing.B, ctx context.Context, module []byte, host func(context.Context, wazero.Runtime) error, config wazero.ModuleConfig) {
	rt := wazero.NewRuntime(ctx)
	defer rt.Close(ctx)
	if err := host(ctx, rt); err != nil {
		b.Fatal(err)
	}
	instance, err := rt.InstantiateWithConfig(ctx, module, config)
	if err != nil {
		b.Fatal(err)
	}
	run := instance.ExportedFunction("run")
	var stack [1]uint64
	b.ReportAllocs()
	for b.Loop() {
		if err := run.CallWithStack(ctx, stack[:]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/calls, "ns/call")
}

// BenchmarkSystem is what an invocation pays for a system of its own, and what
// one pays that brings an instance back to its image.
func BenchmarkSystem(b *testing.B) {
	config := Config{Args: []string{"f"}, Env: []string{"A=1"}, TmpBytes: DefaultTmpBytes}
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s, _ := New(config)
			s.Begin(Streams{}, nil)
			s.Close()
		}
	})
	b.Run("reset", func(b *testing.B) {
		s, _ := New(config)
		b.ReportAllocs()
		for b.Loop() {
			s.Begin(Streams{}, nil)
			s.Reset()
		}
	})
}

// Hot calls allocate nothing.
func TestHotCallsAllocateNothing(t *testing.T) {
	system, err := New(Config{TmpBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	system.Begin(Streams{Stdin: zeros{}, Stdout: io.Discard}, nil)
	g := &guest{t: t, ctx: With(t.Context(), system), sys: system, mem: newMemory(t, 1), next: 8}
	fd, _ := g.open(3, "file", openCreate)
	g.write(fd, "some text")
	g.mem.Write(0, []byte("\x40\x00\x00\x00\x40\x00\x00\x00"))
	stack := make([]uint64, 8)
	for _, f := range functions() {
		var params []uint64
		switch f.name {
		case "fd_write":
			params = []uint64{1, 0, 1, 16}
		case "fd_read":
			params = []uint64{0, 0, 1, 16}
		case "fd_pread":
			params = []uint64{fd, 0, 1, 0, 16}
		case "fd_pwrite":
			params = []uint64{fd, 0, 1, 0, 16}
		case "clock_time_get":
			params = []uint64{1, 0, 16}
		case "random_get":
			params = []uint64{16, 32}
		case "fd_fdstat_get", "fd_filestat_get":
			params = []uint64{1, 128}
		case "environ_sizes_get":
			params = []uint64{16, 20}
		default:
			continue
		}
		allocations := testing.AllocsPerRun(100, func() {
			copy(stack, params)
			system.call = call{g.ctx, system, g.mem, stack}
			if errno := f.run(&system.call); errno != Success {
				t.Errorf("%s: %v", f.name, errno)
			}
		})
		if allocations > 0 {
			t.Errorf("%s allocates %v times", f.name, allocations)
		}
	}
}
