// Package main_test holds the rules of ARCHITECTURE.md about who may import
// whom. Change the design first, these tables second, the code third.
package main_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/cloche-run/cloche"

// rooms says which other rooms of ours a room may import. A folder inside a
// room belongs to it, unless the room is itself a house of rooms (host, runtime).
var rooms = map[string]string{
	".": "host/cli",

	"abi":     "",
	"abi/tck": "abi",

	"runtime":         "abi runtime/entropy runtime/guest runtime/limits runtime/memory runtime/wasi runtime/wasm",
	"runtime/entropy": "",
	"runtime/guest":   "abi runtime/limits runtime/wasi runtime/wasm",
	"runtime/leak":    "",
	"runtime/limits":  "abi",
	"runtime/memory":  "abi runtime/limits",
	"runtime/wasi":    "abi runtime/limits runtime/wasm",
	"runtime/wasm":    "abi runtime/limits",

	"host":          "abi runtime runtime/limits host/admin host/config host/front host/jobs host/ledger host/ledger/sqlite host/lock host/logs host/outbound host/route host/usage",
	"host/admin":    "abi host/logs host/usage",
	"host/cli":      "abi host host/admin host/config host/logs",
	"host/config":   "abi host/cron host/outbound",
	"host/cron":     "",
	"host/front":    "abi",
	"host/jobs":     "abi host/cron host/ledger",
	"host/ledger":   "abi",
	"host/lock":     "",
	"host/logs":     "abi",
	"host/outbound": "abi",
	"host/route":    "",
	"host/usage":    "",

	"host/ledger/ledgertest": "abi host/ledger",
	"host/ledger/model":      "abi host/ledger",
	"host/ledger/sqlite":     "abi host/ledger host/lock",

	"bench":    "abi runtime host",
	"examples": "sdk",
	"scripts":  "",
	"sdk":      "abi",
}

// libraries says which rooms may import a library of others, and which only in
// their tests. So each can be replaced by editing one room.
var libraries = []struct{ path, rooms, tests string }{
	{"github.com/BurntSushi/toml", "host/config", ""},
	{"github.com/bmatcuk/doublestar/v4", "host", ""},
	{"github.com/fsnotify/fsnotify", "host", ""},
	{"github.com/http-wasm/http-wasm-host-go", "", "runtime runtime/guest"},
	{"github.com/joho/godotenv", "host", ""},
	{"github.com/ncruces/go-sqlite3", "", "host/ledger/sqlite"},
	{"github.com/oklog/ulid/v2", "host/front host/ledger", ""},
	{"github.com/prometheus/client_golang", "host/admin", ""},
	{"github.com/spf13/cobra", "host/cli", ""},
	{"github.com/spf13/pflag", "host/cli", ""},
	{"github.com/tetratelabs/wazero", "runtime runtime/guest runtime/memory runtime/wasi", "runtime/wasm"},
	{"github.com/valyala/fasthttp", "bench host/front", ""},
	{"golang.org/x/sys", "runtime/memory runtime/wasi", ""},
	{"golang.org/x/term", "host/cli", ""},
	{"modernc.org/sqlite", "host/ledger/sqlite", ""},
}

// testsNever says what even the tests below a folder must not import. Other
// tests may import any room of ours.
var testsNever = map[string]string{
	"abi":      "host bench",
	"runtime":  "host bench",
	"examples": "host bench runtime",
	"sdk":      "host bench runtime",
}

func TestImportRules(t *testing.T) {
	sources, err := readSources(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range violations(sources) {
		t.Error(v)
	}
}

func TestImportRulesCatch(t *testing.T) {
	const ours = module + "/"
	for name, test := range map[string]struct {
		file, imports string
		want          string // part of the one violation; "" for none
	}{
		"a room may import what its row says":       {"host/front/front.go", ours + "abi", ""},
		"a room may import its own folders":         {"host/cli/serve/serve.go", ours + "host/cli", ""},
		"anyone may import the standard library":    {"host/route/route.go", "net/http", ""},
		"a library is allowed in its room":          {"host/front/server.go", "github.com/valyala/fasthttp/prefork", ""},
		"abi imports nothing of ours":               {"abi/abi.go", ours + "runtime", "abi/abi.go imports " + ours + "runtime"},
		"a sub-room never imports runtime":          {"runtime/guest/cgi.go", ours + "runtime", "room runtime/guest"},
		"runtime never imports host":                {"runtime/engine.go", ours + "host", "room runtime "},
		"front knows no other room of host":         {"host/front/front.go", ours + "host/route", "room host/front"},
		"host does not import the command line":     {"host/run.go", ours + "host/cli", "room host "},
		"main imports host/cli alone":               {"main.go", ours + "host", "main.go imports"},
		"the SDK never imports a runtime":           {"sdk/go/cloche.go", ours + "runtime/limits", "room sdk"},
		"a library stays out of other rooms":        {"runtime/wasm/read.go", "github.com/tetratelabs/wazero/api", "only these may"},
		"a library with a longer name is not it":    {"host/cli/cli.go", "github.com/spf13/cobra-cli", "no room may import"},
		"a library without a row is refused":        {"host/host.go", "example.com/left/pad", "no room may import"},
		"C is refused: the binary is pure Go":       {"runtime/memory/map.go", "C", "no room may import C"},
		"a folder that is no room is refused":       {"host/misc/misc.go", "fmt", "add the room to ARCHITECTURE first"},
		"a new top folder is refused":               {"pkg/pkg.go", "fmt", "add the room to ARCHITECTURE first"},
		"an import of no room is refused":           {"host/host.go", ours + "host/misc", "add the room to ARCHITECTURE first"},
		"a test may import any room":                {"host/front/front_test.go", ours + "host/config", ""},
		"a test keeps libraries in their rooms":     {"host/front/front_test.go", "github.com/BurntSushi/toml", "only these may"},
		"a test may import its test-only library":   {"runtime/guest/handler_test.go", "github.com/http-wasm/http-wasm-host-go/tck", ""},
		"code may not import a test-only library":   {"runtime/guest/handler.go", "github.com/http-wasm/http-wasm-host-go/tck", "only these may"},
		"a test of abi never imports host":          {"abi/abi_test.go", ours + "host/front", "tests in abi"},
		"a test in runtime never imports host":      {"runtime/wasi/fs_test.go", ours + "host", "tests in runtime"},
		"a test of the SDK never imports a runtime": {"sdk/go/cloche_test.go", ours + "runtime/wasm", "tests in sdk"},
	} {
		t.Run(name, func(t *testing.T) {
			got := violations([]source{{test.file, []string{test.imports}}})
			switch {
			case test.want == "" && len(got) > 0:
				t.Errorf("got %q, want none", got)
			case test.want != "" && (len(got) != 1 || !strings.Contains(got[0], test.want)):
				t.Errorf("got %q, want one with %q", got, test.want)
			}
		})
	}
}

// source is a Go file, its path below the root with slashes, and its imports.
type source struct {
	path    string
	imports []string
}

// violations returns one sentence for each import that breaks a rule.
func violations(sources []source) (found []string) {
	for _, s := range sources {
		room, ok := roomOf(path.Dir(s.path))
		if !ok {
			found = append(found, fmt.Sprintf("%s: folder %s is no room: add the room to ARCHITECTURE first, then to deps_test.go", s.path, path.Dir(s.path)))
			continue
		}
		for _, imported := range s.imports {
			if why := refuse(room, imported, strings.HasSuffix(s.path, "_test.go")); why != "" {
				found = append(found, fmt.Sprintf("%s imports %s: %s", s.path, imported, why))
			}
		}
	}
	return found
}

// refuse says why a file of room must not import a package; "" if it may.
func refuse(room, imported string, isTest bool) string {
	if dir, ok := inside(imported, module); ok {
		return refuseRoom(room, dir, isTest)
	}
	first, _, _ := strings.Cut(imported, "/")
	if isStandard := !strings.Contains(first, ".") && imported != "C"; isStandard {
		return ""
	}
	return refuseLibrary(room, imported, isTest)
}

func refuseRoom(room, dir string, isTest bool) string {
	target, ok := roomOf(dir)
	if !ok {
		return fmt.Sprintf("folder %s is no room: add the room to ARCHITECTURE first, then to deps_test.go", dir)
	}
	if target == room {
		return ""
	}
	if isTest {
		top, _, _ := strings.Cut(room, "/")
		for _, never := range strings.Fields(testsNever[top]) {
			if _, ok := inside(target, never); ok {
				return fmt.Sprintf("tests in %s never import %s", top, never)
			}
		}
		return ""
	}
	if !contains(rooms[room], target) {
		return fmt.Sprintf("room %s may import only [%s] of ours", room, rooms[room])
	}
	return ""
}

func refuseLibrary(room, imported string, isTest bool) string {
	for _, lib := range libraries {
		if _, ok := inside(imported, lib.path); !ok {
			continue
		}
		if contains(lib.rooms, room) || isTest && contains(lib.tests, room) {
			return ""
		}
		return fmt.Sprintf("only these may: [%s], in tests also [%s]", lib.rooms, lib.tests)
	}
	return fmt.Sprintf("no room may import %s: choose its one room in ARCHITECTURE first, then in deps_test.go", imported)
}

// roomOf returns the room that a folder belongs to: itself, or the nearest one
// above it if that has no rooms of its own inside.
func roomOf(dir string) (room string, ok bool) {
	for room = dir; room != "."; room = path.Dir(room) {
		if _, ok := rooms[room]; ok {
			return room, room == dir || !hasRooms(room)
		}
	}
	return room, dir == "."
}

func hasRooms(house string) bool {
	for room := range rooms {
		if strings.HasPrefix(room, house+"/") {
			return true
		}
	}
	return false
}

// inside reports whether name is parent or below it, and what follows parent.
func inside(name, parent string) (rest string, ok bool) {
	if name == parent {
		return ".", true
	}
	return strings.CutPrefix(name, parent+"/")
}

func contains(words, word string) bool {
	return slices.Contains(strings.Fields(words), word)
}

// readSources parses the imports of every Go file below root, for all systems
// and in all modules, as a build for one of them would not see the others.
func readSources(root string) (sources []source, err error) {
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != root && isIgnored(entry.Name()) {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		s := source{path: filepath.ToSlash(name)}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, imported)
		}
		sources = append(sources, s)
		return nil
	})
	return sources, err
}

// isIgnored reports whether the go command would not look into a folder, or
// whether it holds what others wrote.
func isIgnored(name string) bool {
	return name[0] == '.' || name[0] == '_' || name == "testdata" || name == "node_modules" || name == "vendor"
}
