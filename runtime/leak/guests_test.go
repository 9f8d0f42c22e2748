package leak

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime"
)

// work is a folder for the Go guests and for compiled code, for as long as the
// tests run: a guest is built and compiled once.
var work string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if work, err = os.MkdirTemp("", "leak"); err != nil {
		log.Print(err)
		return 1
	}
	defer os.RemoveAll(work)
	return m.Run()
}

// guests are all there are: the name begins with the language and ends with the kind.
func guests() []string {
	return []string{
		"c-handler", "c-command", "rust-handler", "rust-command", "as-handler", "go-handler", "go-command",
	}
}

func isCommand(guest string) bool { return strings.HasSuffix(guest, "-command") }

// module returns the code of a guest.
func module(t testing.TB, guest string) []byte {
	t.Helper()
	path := filepath.Join("testdata", guest+".wasm")
	if strings.HasPrefix(guest, "go-") {
		path = buildGo(t, guest)
	}
	code, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// building is held by whoever builds.
var building sync.Mutex

// buildGo builds a Go guest with the toolchain that runs the tests, as what the
// runtime knows of Go's generator depends on Go's version.
func buildGo(t testing.TB, guest string) (path string) {
	t.Helper()
	building.Lock()
	defer building.Unlock()
	path = filepath.Join(work, guest+".wasm")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	mode := "-buildmode=c-shared"
	if isCommand(guest) {
		mode = "-buildmode=exe"
	}
	build := exec.Command("go", "build", mode, "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", path,
		"./"+strings.TrimPrefix(guest, "go-"))
	build.Dir = filepath.Join("testdata", "go")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOWORK=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func TestTheCommittedGuestsAreTheOnesThatWereBuilt(t *testing.T) {
	sums, err := os.Open("testdata/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	defer sums.Close()
	known := map[string]string{}
	for lines := bufio.NewScanner(sums); lines.Scan(); {
		sum, name, _ := strings.Cut(lines.Text(), "  ")
		known[filepath.Base(name)] = sum
	}
	committed, _ := filepath.Glob("testdata/*.wasm")
	if len(committed) != len(known) || len(known) == 0 {
		t.Errorf("%d guests, %d sums: run testdata/build.sh", len(committed), len(known))
	}
	for _, path := range committed {
		code, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(code); hex.EncodeToString(sum[:]) != known[filepath.Base(path)] {
			t.Errorf("%s has another sum: run testdata/build.sh", path)
		}
	}
}

// newEngine makes an engine; all share their compiled code.
func newEngine(t testing.TB) *runtime.Engine {
	t.Helper()
	ctx := context.Background()
	engine, err := runtime.New(ctx, runtime.Config{CacheDir: filepath.Join(work, "cache"), MemoryBudget: 8 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close(ctx) })
	return engine
}

// load loads a guest with room in /tmp and time to spare.
func load(t testing.TB, engine *runtime.Engine, code []byte, config runtime.FunctionConfig) *runtime.Function {
	t.Helper()
	config.Name, config.TmpBytes, config.Limits.Timeout = "guest", 1<<20, time.Minute
	f, err := engine.Load(t.Context(), code, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close(context.Background()) })
	return f
}

// ask invokes a guest once and returns what it answers.
func ask(ctx context.Context, f *runtime.Function, words, secret string) (string, error) {
	body := &abi.Buffer{Limit: abi.ResponseBodyBytes}
	resp := &abi.Response{Body: body}
	_, err := f.Invoke(ctx, &abi.Request{
		ID: secret, Method: "GET", Path: "/", Header: abi.Header{{Name: "x-do", Value: words}, {Name: "x-secret", Value: secret}},
	}, resp)
	if err != nil {
		return "", err
	}
	if resp.Status != 200 {
		return "", fmt.Errorf("status %d: %s", resp.Status, body.Bytes)
	}
	return string(body.Bytes), nil
}

// each calls do with every number below n, so many at a time, until one fails.
func each(t testing.TB, n, atOnce int, do func(i int) error) {
	t.Helper()
	var group sync.WaitGroup
	var failed sync.Once
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	next := make(chan int)
	for range atOnce {
		group.Go(func() {
			for i := range next {
				if err := do(i); err != nil {
					failed.Do(func() { cancel(fmt.Errorf("request %d: %w", i, err)) })
				}
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		next <- i
	}
	close(next)
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		t.Error(err)
	}
}

// count is a number that the environment may set.
func count(t testing.TB, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is no number of requests", variable, text)
	}
	return n
}
