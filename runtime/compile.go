package runtime

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/wasm"
)

// What compiling one module may take when a Compiler does it.
const (
	CompileTimeout = 60 * time.Second
	// CompileBytes is the address space of the compiler, in bytes: 2 GiB for its
	// work and as much for what a Go program reserves and does not use.
	CompileBytes = 4 << 30
)

// compile returns the compiled code of module, metered. What it takes to get
// there from a stranger's bytes happens elsewhere: see Config.Compiler.
func (e *Engine) compile(ctx context.Context, module []byte) (*code, error) {
	if err := wasm.CheckHeader(module, e.caps.ModuleBytes); err != nil {
		return nil, err
	}
	compiled, err := e.compileOnce(ctx, module)
	var refused *refusal
	if err == nil || e.cacheDir == "" || errors.As(err, &refused) {
		return compiled, err
	}
	// A cache that is damaged must not pass for a bad module: fill it anew.
	if err := emptyCache(e.cacheDir); err != nil {
		return nil, fmt.Errorf("the cache of compiled code is damaged: %w: remove it", err)
	}
	if compiled, err = e.compileOnce(ctx, module); err != nil && !errors.As(err, &refused) {
		err = fmt.Errorf("the cache of compiled code in %s fails: %w: free some space, or remove it", e.cacheDir, err)
	}
	return compiled, err
}

// code is a module that is ready to be instantiated.
type code struct {
	wazero.CompiledModule
	data []wasm.Run
	traits
}

// refusal says why a module is not compiled; the cache has no part in it.
type refusal struct{ error }

func (e *Engine) compileOnce(ctx context.Context, module []byte) (*code, error) {
	p, err := e.prepared(ctx, module)
	if err != nil {
		return nil, err
	}
	compiled, err := e.loadCompiled(ctx, p.code)
	if err != nil && e.cacheDir == "" {
		err = &refusal{fmt.Errorf("the module does not compile: %s", abi.Printable(err.Error(), messageBytes))}
	}
	if err != nil {
		return nil, err
	}
	return &code{compiled, keep(p.data), p.traits}, nil
}

// keep copies the data, so that they do not hold the whole file.
func keep(data []wasm.Run) []wasm.Run {
	kept := slices.Clone(data)
	for i := range kept {
		kept[i].Bytes = bytes.Clone(kept[i].Bytes)
	}
	return kept
}

// loadCompiled decodes a module and reads its code from the cache, as a rule. It
// leaves half of the processors to those who are being served meanwhile.
func (e *Engine) loadCompiled(ctx context.Context, module []byte) (wazero.CompiledModule, error) {
	e.loads <- struct{}{}
	defer func() { <-e.loads }()
	return e.wazero.CompileModule(ctx, module)
}

// prepared returns what module becomes: from the cache, or by the compiler, which
// leaves it there. This process compiles nothing if there is a
// compiler: the code of what is returned is in the cache, too.
func (e *Engine) prepared(ctx context.Context, module []byte) (*prepared, error) {
	if e.cacheDir == "" {
		return prepare(ctx, module, e.caps)
	}
	file := e.preparedFile(e.cacheDir, module)
	if p, err := e.cached(file); err == nil {
		return p, nil
	}
	if len(e.compiler) > 0 {
		if err := e.compileApart(ctx, module); err != nil {
			return nil, err
		}
		return e.cached(file)
	}
	p, err := prepare(ctx, module, e.caps)
	if err != nil {
		return nil, err
	}
	return p, writeSealed(file, p.encode())
}

// messageBytes is what is shown of an error that a module caused.
const messageBytes = 300

// validate decodes and checks module without compiling it.
func validate(ctx context.Context, module []byte) error {
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features))
	defer r.Close(ctx)
	_, err := r.CompileModule(ctx, module)
	return err
}

// order is what a compiler is told, on one line, before the module's bytes.
type order struct {
	CacheDir string
	Caps     wasm.Caps
}

// outcome is what a compiler says when it is done.
type outcome struct {
	// Refused is what is wrong with the module; "" if it is in the cache.
	Refused string
}

// compileApart has the compiler command put module into the cache.
func (e *Engine) compileApart(ctx context.Context, module []byte) error {
	e.compilers <- struct{}{}
	defer func() { <-e.compilers }()
	ctx, cancel := context.WithTimeout(ctx, CompileTimeout)
	defer cancel()
	line, err := json.Marshal(order{e.cacheDir, e.caps})
	if err != nil {
		return err
	}
	var said, aside bytes.Buffer
	cmd := exec.CommandContext(ctx, e.compiler[0], e.compiler[1:]...)
	cmd.Env = []string{"GOMAXPROCS=1"}
	cmd.Stdin = io.MultiReader(bytes.NewReader(append(line, '\n')), bytes.NewReader(module))
	cmd.Stdout, cmd.Stderr = &said, &capped{to: &aside, left: messageBytes}
	cmd.WaitDelay = time.Second
	bind(cmd)
	runtime.LockOSThread() // a child bound to us dies with the thread that made it
	err = cmd.Run()
	runtime.UnlockOSThread()
	var exit *exec.ExitError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &refusal{fmt.Errorf("the module takes longer than %v to compile: make its functions smaller", CompileTimeout)}
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && !errors.As(err, &exit):
		return &refusal{fmt.Errorf("the compiler cannot be run: %w", err)}
	case err != nil:
		return &refusal{fmt.Errorf("the module cannot be compiled within %d MiB: %s (%w)", CompileBytes>>20, firstLine(aside.String()), err)}
	}
	var o outcome
	if err := json.Unmarshal(said.Bytes(), &o); err != nil {
		return fmt.Errorf("runtime: compiler %s: %w", e.compiler[0], err)
	}
	if o.Refused != "" {
		return &refusal{errors.New(o.Refused)}
	}
	return nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return abi.Printable(line, messageBytes)
}

// capped keeps the beginning of what is written.
type capped struct {
	to   *bytes.Buffer
	left int
}

func (c *capped) Write(p []byte) (int, error) {
	kept := p[:min(len(p), c.left)]
	c.left -= len(kept)
	c.to.Write(kept)
	return len(p), nil
}

// Compile is the other side of Config.Compiler: it does one order from in, says
// on out what came of it, and returns the exit code of the process, which is
// spent: it has limited its own memory for good.
func Compile(ctx context.Context, in io.Reader, out io.Writer) int {
	err := confine()
	if err == nil {
		err = compileOrder(ctx, in)
	}
	var o outcome
	var refused *refusal
	if errors.As(err, &refused) {
		o.Refused, err = refused.Error(), nil
	}
	if err == nil {
		err = json.NewEncoder(out).Encode(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func compileOrder(ctx context.Context, in io.Reader) error {
	r := bufio.NewReader(in)
	line, err := r.ReadBytes('\n')
	if err != nil {
		return err
	}
	var o order
	if err := json.Unmarshal(line, &o); err != nil {
		return fmt.Errorf("runtime: compiler: %w", err)
	}
	module, err := io.ReadAll(r) // its sender has looked at its size
	if err != nil {
		return err
	}
	return compileInto(ctx, o, module)
}

// compileInto leaves a module and its code in the cache. It compiles in a
// directory of its own, which shows what the code's file is.
func compileInto(ctx context.Context, o order, module []byte) error {
	own, err := os.MkdirTemp(o.CacheDir, ownPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(own)
	e, err := New(ctx, Config{CacheDir: own, Caps: o.Caps})
	if err != nil {
		return err
	}
	defer e.Close(ctx)
	p, err := prepare(ctx, module, o.Caps)
	if err != nil {
		return err
	}
	if _, err := e.wazero.CompileModule(ctx, p.code); err != nil {
		return &refusal{fmt.Errorf("the module does not compile: %s", abi.Printable(err.Error(), messageBytes))}
	}
	files, _ := filepath.Glob(filepath.Join(own, e.codeDir, "*"))
	if len(files) != 1 {
		return fmt.Errorf("runtime: compiler: %d files of code, want one", len(files))
	}
	p.File = filepath.Base(files[0])
	if err := os.MkdirAll(filepath.Join(o.CacheDir, e.codeDir), 0o700); err != nil {
		return err
	}
	if err := os.Rename(files[0], filepath.Join(o.CacheDir, e.codeDir, p.File)); err != nil {
		return err
	}
	return writeSealed(e.preparedFile(o.CacheDir, module), p.encode())
}

// compilerCount is how many compilers run at a time, and how many modules are
// loaded: one on two processors.
func compilerCount() int { return max(runtime.NumCPU()/2, 1) }
