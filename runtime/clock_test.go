package runtime

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// sleeper is a handler that sleeps while it gets ready, which takes no time, and
// traps if its monotonic clock then goes back.
func sleeper(sleep time.Duration) []byte {
	const (
		events, count, before, after = 64, 128, 200, 208
		i64Load, i64LtU              = 0x29, 0x54
	)
	var m w.Module
	status := m.Import(abi.ModuleHandler, "set_status_code", []byte{w.I32}, nil)
	clock := m.Import(abi.ModuleWASI, "clock_time_get", []byte{w.I32, w.I64, w.I32}, []byte{w.I32})
	poll := m.Import(abi.ModuleWASI, "poll_oneoff", []byte{w.I32, w.I32, w.I32, w.I32}, []byte{w.I32})
	m.Memory(1)
	m.ExportMemory(abi.ExportMemory)
	m.Data(0, monotonic(sleep))
	read := func(at int64) w.Code { return w.Code{}.I32(1).I64(0).I32(at).Call(clock).Op(w.Drop) }
	load := func(at int64) w.Code { return w.Code{}.I32(at).Index(i64Load, 3, 0) }
	m.ExportFunc(abi.ExportInitialize, m.Func(nil, nil, w.Code{}.I32(0, events, 1, count).Call(poll).Op(w.Drop).Then(read(before))...))
	m.ExportFunc(abi.ExportResume, m.Func(nil, nil))
	m.ExportFunc(abi.ExportHandleRequest, m.Func(nil, []byte{w.I64}, read(after).
		Then(load(after), load(before)).Op(i64LtU).If(w.Code{}.Op(w.Unreachable)).I32(201).Call(status).I64(0)...))
	m.ExportFunc(abi.ExportHandleResponse, m.Func([]byte{w.I32, w.I32}, nil))
	return m.Bytes()
}

// monotonic is a subscription of poll_oneoff to a time from now.
func monotonic(sleep time.Duration) string {
	subscription := make([]byte, 48)
	subscription[16] = 1 // the monotonic clock
	binary.LittleEndian.PutUint64(subscription[24:], uint64(sleep))
	return string(subscription)
}

func TestTheMonotonicClockDoesNotGoBackOnceAGuestIsReady(t *testing.T) {
	for name, isolation := range map[string]string{"from an image": abi.IsolationSnapshot, "reused": abi.IsolationReuse} {
		t.Run(name, func(t *testing.T) {
			e := newPoolEngine(t, Config{})
			f := loadWarm(t, e, sleeper(time.Hour), FunctionConfig{Isolation: isolation})
			for range 3 {
				i, err := f.pool.take(t.Context()) // so that the next is another
				if err != nil || !i.ready {
					t.Fatalf("instance %+v, error %v", i, err)
				}
				defer i.close()
				if usage := ask(t, f, false); usage.InitFuel != 0 {
					t.Error("it gets ready with a request: this test proves nothing")
				}
				f.pool.settle()
			}
		})
	}
}
