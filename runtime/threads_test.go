//go:build linux

package runtime

import (
	"os"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// dozer is a handler that sleeps during a request, and answers with 201.
func dozer(sleep time.Duration) []byte {
	var m w.Module
	status := m.Import(abi.ModuleHandler, "set_status_code", []byte{w.I32}, nil)
	poll := m.Import(abi.ModuleWASI, "poll_oneoff", []byte{w.I32, w.I32, w.I32, w.I32}, []byte{w.I32})
	m.Memory(1)
	m.ExportMemory(abi.ExportMemory)
	m.Data(0, monotonic(sleep))
	m.ExportFunc(abi.ExportHandleRequest, m.Func(nil, []byte{w.I64}, w.Code{}.I32(0, 64, 1, 128).Call(poll).Op(w.Drop).I32(201).Call(status).I64(0)...))
	m.ExportFunc(abi.ExportHandleResponse, m.Func([]byte{w.I32, w.I32}, nil))
	return m.Bytes()
}

func threads(t *testing.T) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.Atoi(string(regexp.MustCompile(`Threads:\s+(\d+)`).FindSubmatch(status)[1]))
	return n
}

// TestGuestsThatSleepHoldNoThreads has short calls, which stay on one thread, sleep.
func TestGuestsThatSleepHoldNoThreads(t *testing.T) {
	e := newPoolEngine(t, Config{})
	f := loadWarm(t, e, dozer(500*time.Millisecond), FunctionConfig{})
	sleep := func() (most int) {
		var together sync.WaitGroup
		for range IdleInstances {
			together.Go(func() { ask(t, f, false) })
		}
		done := make(chan struct{})
		go func() { defer close(done); together.Wait() }()
		for {
			select {
			case <-done:
				return most
			case <-time.After(50 * time.Millisecond):
				most = max(most, threads(t))
			}
		}
	}
	sleep() // instances learn which pages are written
	if n := sleep(); n > IdleInstances/2 {
		t.Errorf("%d threads while %d guests sleep", n, IdleInstances)
	}
}
