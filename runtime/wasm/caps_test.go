package wasm_test

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/cloche-run/cloche/runtime/wasm"
)

func TestEveryCapCanBeRaisedAndNoneLowered(t *testing.T) {
	seen := 0
	wasm.DefaultCaps().Each(func(name string, value uint64) {
		seen++
		raised := wasm.DefaultCaps()
		if err := raised.Raise(name, value); err != nil || raised != wasm.DefaultCaps() {
			t.Errorf("%s to what it is: %v", name, err)
		}
		if err := raised.Raise(name, value+1); err != nil || raised == wasm.DefaultCaps() {
			t.Errorf("%s by one: %v", name, err)
		}
		if err := raised.Raise(name, value); err == nil || !strings.Contains(err.Error(), "cannot be lowered") {
			t.Errorf("%s lowered: %v", name, err)
		}
		if err := raised.Raise(name, math.MaxUint32); err != nil {
			t.Errorf("%s to the most: %v", name, err)
		}
		if err := raised.Raise(name, math.MaxUint32+1); err == nil || !strings.Contains(err.Error(), "counts to") {
			t.Errorf("%s to more: %v", name, err)
		}
	})
	if all := reflect.TypeFor[wasm.Caps]().NumField(); seen != all-1 { // MemoryPages
		t.Errorf("%d of %d caps can be raised", seen, all)
	}
	var caps wasm.Caps
	if err := caps.Raise("memory-pages", 1<<20); err == nil || !strings.Contains(err.Error(), `no cap "memory-pages": they are module-bytes, types,`) {
		t.Errorf("an unknown cap: %v", err)
	}
}
