package host_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi/tck"
	"github.com/cloche-run/cloche/host"
)

// TestAGuestThatMisbehavesGetsItsRowAndHurtsNobody calls a guest in every bad way
// at once, while a neighbour is asked again and again.
func TestAGuestThatMisbehavesGetsItsRowAndHurtsNobody(t *testing.T) {
	const timeout = 3 * time.Second // the race detector slows the host tenfold
	s := newSite(t, "[functions.bad]\ntimeout = \"3s\"\nmemory = \"64mb\"\n")
	s.function("bad", tck.Guest)
	s.function("neighbour", tck.Guest)
	v := s.serve(host.Options{})

	ctx, stop := context.WithCancel(t.Context())
	var prober sync.WaitGroup
	var asked atomic.Int64
	prober.Go(func() {
		for ; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
			start := time.Now()
			status, _, _, err := v.get(ctx, "neighbour", "event")
			if ctx.Err() == nil && (err != nil || status != 200 || time.Since(start) > 2*time.Second) {
				t.Errorf("the neighbour: %d after %v, %v", status, time.Since(start), err)
			}
			asked.Add(1)
		}
	})
	var guests sync.WaitGroup
	for command, want := range map[string]int{
		"trap": 502, "exit3": 502, "raw": 502, "flood": 502, "spin": 504, "sleep": 504, "log": 204, "grow": 200,
	} {
		for range 4 {
			guests.Go(func() {
				start := time.Now()
				status, body, _, err := v.get(t.Context(), "bad", command)
				if err != nil || status != want {
					t.Errorf("%s: %d, want %d: %.200s %v", command, status, want, body, err)
				}
				if took := time.Since(start); took > timeout+500*time.Millisecond {
					t.Errorf("%s: took %v", command, took)
				}
			})
		}
	}
	guests.Wait()
	stop()
	prober.Wait()
	if asked.Load() < 10 {
		t.Errorf("the neighbour was asked %d times only", asked.Load())
	}
}

// swap is how an editor or a compiler replaces a file.
type swap func(s site, name string, module []byte)

// TestASwapUnderLoadLosesNoRequest replaces a function again and again, in every
// way files are replaced, by versions that differ, and by one that is broken.
func TestASwapUnderLoadLosesNoRequest(t *testing.T) {
	inPlace := func(s site, name string, module []byte) { s.function(name, module) }
	inPieces := func(s site, name string, module []byte) {
		f, err := os.Create(filepath.Join(s.dir, "netlify/functions", name+".wasm"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for len(module) > 0 {
			n := min(len(module), 4<<10)
			if _, err := f.Write(module[:n]); err != nil {
				t.Fatal(err)
			}
			module = module[n:]
			time.Sleep(5 * time.Millisecond)
		}
	}
	renamed := func(s site, name string, module []byte) {
		s.write("new", string(module))
		if err := os.Rename(filepath.Join(s.dir, "new"), filepath.Join(s.dir, "netlify/functions", name+".wasm")); err != nil {
			t.Fatal(err)
		}
	}
	broken := func(s site, name string, module []byte) {
		s.function(name, module[:len(module)/2])
		time.Sleep(300 * time.Millisecond)
		s.function(name, module)
	}

	s := newSite(t, "")
	s.function("hello", version(0))
	v := s.serve(host.Options{Dev: true})
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var answered atomic.Int64
	for range 8 {
		clients.Go(func() {
			for ctx.Err() == nil {
				status, body, _, err := v.get(ctx, "hello", "event")
				if ctx.Err() == nil && (err != nil || status != 200) {
					t.Errorf("after %d answers: %d %.200s %v", answered.Load(), status, body, err)
					return
				}
				answered.Add(1)
			}
		})
	}
	for i, replace := range []swap{inPlace, inPieces, renamed, broken, inPlace, renamed} {
		size := len(version(i + 1))
		replace(s, "hello", version(i+1))
		v.untilServed("hello", size)
	}
	stop()
	clients.Wait()
	if answered.Load() < 100 {
		t.Errorf("%d answers only", answered.Load())
	}
}

// version is the guest with a custom section of a length of its own.
func version(n int) []byte {
	name := strings.Repeat("v", n+1)
	section := append([]byte{0, byte(n + 2), byte(n + 1)}, name...)
	return append(append([]byte(nil), tck.Guest...), section...)
}

// untilServed waits until the version of that size is the one that is served.
func (v *server) untilServed(name string, size int) {
	v.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, f := range v.host.Functions() {
			if f.Name == name && f.Bytes == int64(size) && f.Error == "" {
				return
			}
		}
	}
	v.t.Fatalf("the version of %d bytes is never served", size)
}

func TestDevWatchesConfigurationAndDirectories(t *testing.T) {
	s := newSite(t, "")
	s.function("hello", tck.Guest)
	v := s.serve(host.Options{Dev: true})
	appears := func(name string, want int) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if status, _ := v.mustGet(name, "event"); status == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s never answers %d", name, want)
			}
		}
	}
	s.write("netlify/functions/folder/folder.wasm", string(tck.Guest))
	appears("folder", 200)
	if err := os.RemoveAll(filepath.Join(s.dir, "netlify/functions/folder")); err != nil {
		t.Fatal(err)
	}
	appears("folder", 404)
	s.write("netlify/functions/folder/folder.wasm", string(tck.Guest))
	appears("folder", 200)

	if err := os.RemoveAll(filepath.Join(s.dir, "netlify")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * 100 * time.Millisecond) // a site without functions is not taken
	s.write("netlify/functions/again.wasm", string(tck.Guest))
	appears("again", 200)
	s.function("hello", tck.Guest)
	appears("hello", 200)

	s.write("other/moved.wasm", string(tck.Guest))
	s.write("netlify.toml", "[functions]\ndirectory = \"other\"\n")
	appears("moved", 200)
	appears("hello", 404)
	s.write("netlify.toml", "[functions\n") // the last good site stays
	time.Sleep(300 * time.Millisecond)
	appears("moved", 200)
}

func TestReloadKeepsAFunctionsLastGoodVersion(t *testing.T) {
	s := newSite(t, "")
	s.function("hello", tck.Guest)
	v := s.serve(host.Options{})
	s.function("hello", []byte("broken"))
	if err := v.host.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status, _ := v.mustGet("hello", "event"); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if f := v.host.Functions()[0]; !strings.Contains(f.Error, "an older version is served") {
		t.Errorf("the list says %q", f.Error)
	}
	if err := os.Remove(filepath.Join(s.dir, "netlify/functions/hello.wasm")); err != nil {
		t.Fatal(err)
	}
	if err := v.host.Reload(t.Context()); err == nil {
		t.Error("a site without functions was taken")
	}
}

func TestFuelIsLimitedAndShown(t *testing.T) {
	s := newSite(t, "[functions.less]\nfuel = 100000\n")
	s.function("hello", tck.Guest)
	s.function("less", tck.Guest)
	v := s.serve(host.Options{Dev: true})
	_, _, first, _ := v.get(t.Context(), "hello", "files")
	_, _, again, _ := v.get(t.Context(), "hello", "files")
	if first.Get("x-cloche-fuel") == "" || first.Get("x-cloche-fuel") != again.Get("x-cloche-fuel") {
		t.Errorf("fuel %q, then %q", first.Get("x-cloche-fuel"), again.Get("x-cloche-fuel"))
	}
	if status, body := v.mustGet("less", "spin"); status != 504 || !strings.Contains(body, "Sandbox.FuelExhausted") {
		t.Errorf("out of fuel: %d %s", status, body)
	}
}
