package runtime

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/cloche-run/cloche/runtime/wasm"
)

func TestAPreparedModuleIsReadAsItWasWritten(t *testing.T) {
	p := &prepared{
		code: []byte("code\nwith lines"), File: "0123abcd",
		data:   []wasm.Run{{Offset: 7, Bytes: []byte("seven")}, {Offset: 1 << 31, Bytes: []byte("\n")}},
		traits: traits{Footprint: 5, Globals: 2, Starts: true, Unrestorable: "no"},
	}
	file := p.encode()
	got, err := decode(file)
	if err != nil || !reflect.DeepEqual(got, p) {
		t.Errorf("got %+v, want %+v (error %v)", got, p, err)
	}
	for n := range file { // a seal keeps such from being read at all
		if got, err := decode(file[:n]); err == nil {
			t.Errorf("cut at %d of %d: %+v", n, len(file), got)
		}
	}
	for _, name := range []string{"../up", "a/b", string(bytes.Repeat([]byte{'x'}, nameBytes))} {
		if _, err := fileOf([]byte(name + "\n{}")); err == nil {
			t.Errorf("%.20q is a name of a file", name)
		}
	}
}
