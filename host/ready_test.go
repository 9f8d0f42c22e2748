package host_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// readying is a handler that answers a status, with this code in _initialize.
func readying(status int64, initialize ...byte) []byte {
	var m w.Module
	set := m.Import(abi.ModuleHandler, "set_status_code", []byte{w.I32}, nil)
	m.Memory(1)
	m.ExportMemory(abi.ExportMemory)
	m.ExportFunc(abi.ExportInitialize, m.Func(nil, nil, initialize...))
	m.ExportFunc(abi.ExportHandleRequest, m.Func(nil, []byte{w.I64}, w.Code{}.I32(status).Call(uint64(set)).I64(0)...))
	m.ExportFunc(abi.ExportHandleResponse, m.Func([]byte{w.I32, w.I32}, nil))
	return m.Bytes()
}

// TestAHandlerThatDoesNotGetReady has one fail before its first request, at the
// start and by a reload, and one that never ends, which keeps nobody waiting.
func TestAHandlerThatDoesNotGetReady(t *testing.T) {
	s := newSite(t, "[functions]\ntimeout = \"1s\"\n")
	s.function("forever", readying(200, w.Code{}.Forever(nil)...))
	s.function("good", readying(201))
	s.function("traps", readying(200, w.Unreachable))
	start := time.Now()
	v := s.serve(host.Options{Dev: true})
	if status, _ := v.mustGet("good", ""); status != 201 {
		t.Errorf("good: status %d", status)
	}
	if status, body := v.mustGet("forever", ""); status != 504 && status != 502 {
		t.Errorf("forever: %d %s", status, body)
	}
	if took := time.Since(start); took > 8*time.Second {
		t.Errorf("the others waited %v", took)
	}
	if status, body := v.mustGet("traps", ""); status != 502 || !strings.Contains(body, "unreachable") {
		t.Errorf("traps: %d %s", status, body)
	}
	s.function("good", readying(202, w.Unreachable))
	if err := v.host.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status, body := v.mustGet("good", ""); status != 201 {
		t.Errorf("good, after a version that does not get ready: %d %s", status, body)
	}
	s.function("good", readying(203))
	if err := v.host.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status, body := v.mustGet("good", ""); status != 203 {
		t.Errorf("good, after a version that does: %d %s", status, body)
	}
}
