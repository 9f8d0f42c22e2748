// Package wasi gives guests WASI preview 1
// (https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md) with
// state that is ours: descriptors, streams and files belong to a System, one per
// instance, which can be set back to where it began.
//
// Everything a guest passes is checked, everything it can build up has a limit,
// and nothing waits past the end of the invocation. What a guest can reach is
// what its Config names: without a quota there is no /tmp, without included
// files and directories there is no file system at all, and there is no network.
package wasi

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/cloche-run/cloche/abi"
)

// Config is what a function's guests find: the same for all its instances.
type Config struct {
	// Args are the guest's arguments; the first is its name.
	Args []string
	// Env is its environment, as NAME=value.
	Env []string
	// Epoch is when the monotonic clock began, zero for New's own time. The
	// instances of a function share one, so that a memory image moves from one
	// to another and never sees its clock go back.
	Epoch time.Time
	// TmpBytes is the size of the private /tmp; 0 means there is none. See
	// DefaultTmpBytes.
	TmpBytes int64
	// TmpFiles is how many names /tmp may hold; 0 is DefaultTmpFiles.
	TmpFiles int
	// Reserve, if set, is asked before /tmp takes bytes from the host's memory,
	// and told, with a negative number, what it gives back.
	Reserve func(bytes int64) bool
	// Waits, if set, is called before the guest waits, for a time or for input.
	Waits func()
	// Files are files to read, at FilesAt ("/" if empty); nil is none.
	Files   fs.FS
	FilesAt string
	// Dirs are directories of the host, for programs that their user runs.
	Dirs []Dir
}

// Dir is a directory of the host that a guest may read and change, and never
// leave: os.Root sees to it. The caller closes Root.
type Dir struct {
	Guest string // the path by which the guest knows it
	Root  *os.Root
}

// Streams are what a guest reads and writes.
type Streams struct {
	// Stdin must not wait for anything that may never come; wrap it in an
	// Interruptible if it could. nil reads as empty.
	Stdin          io.Reader
	Stdout, Stderr io.Writer // nil discards
	// Terminal says which of the three are terminals.
	Terminal [3]bool
}

// System is the state of one instance: its descriptors, its /tmp and its
// streams. It is for one goroutine at a time; its zero value is not useful.
type System struct {
	config  Config
	env     []string // of the call, after the config's
	streams [3]stream
	tmp     *tmp
	mounts  []*mount

	initial []descriptor // what Reset goes back to
	table   [Descriptors]*descriptor

	pause   pause
	getting *getting      // nil once there is a request
	ahead   time.Duration // of the monotonic clock, see endInit

	module api.Module // the one that memory belongs to
	memory api.Memory
	call   call // the one that is under way: here, it costs no allocation
}

// New makes the system of one instance. Close it after the instance.
func New(config Config) (*System, error) {
	if config.Epoch.IsZero() {
		config.Epoch = time.Now()
	}
	s := &System{config: config}
	for fd := range s.streams {
		s.initial = append(s.initial, descriptor{stream: &s.streams[fd], base: streamRights(fd)})
	}
	if config.Files != nil {
		at := config.FilesAt
		if at == "" {
			at = "/"
		}
		s.mount(at, &mount{fsys: config.Files})
	}
	for _, d := range config.Dirs {
		s.mount(d.Guest, &mount{fsys: d.Root.FS(), root: d.Root})
	}
	if config.TmpBytes > 0 { // last: some programs take the first directory for "."
		s.tmp = newTmp(config)
		s.preopen("/tmp", s.tmp.root)
	}
	if len(s.initial) > Descriptors/2 {
		return nil, fmt.Errorf("wasi: %d directories are too many: the limit is %d", len(s.initial)-3, Descriptors/2-3)
	}
	s.open()
	return s, nil
}

func (s *System) mount(at string, m *mount) {
	m.dev = uint64(len(s.initial))
	s.mounts = append(s.mounts, m)
	s.preopen(at, place{m, "."})
}

func (s *System) preopen(name string, dir directory) {
	s.initial = append(s.initial, descriptor{dir: dir, preopen: name, base: directoryRights, inheriting: allRights})
}

// Begin points the standard streams and the environment at one call. env, as
// NAME=value, comes after the config's own.
func (s *System) Begin(streams Streams, env []string) {
	s.streams[0] = stream{in: streams.Stdin, terminal: streams.Terminal[0]}
	s.streams[1] = stream{out: streams.Stdout, terminal: streams.Terminal[1]}
	s.streams[2] = stream{out: streams.Stderr, terminal: streams.Terminal[2]}
	s.endInit()
	s.env = env
}

// Changed reports whether the guest left anything of the System other than it
// was: a descriptor opened, closed, moved, limited or flagged, or a file in /tmp.
// An instance whose image was taken while this was true cannot be reset to it.
func (s *System) Changed() bool {
	for fd, d := range s.table {
		switch {
		case fd >= len(s.initial):
			if d != nil {
				return true
			}
		case d == nil || !d.same(&s.initial[fd]):
			return true
		}
	}
	return s.tmp != nil && s.tmp.changed
}

// Reset goes back to the beginning, or to what was settled: the descriptors and
// /tmp as they were, the streams and the call's environment empty. The memory of
// /tmp is free.
func (s *System) Reset() {
	if s.tmp != nil && !s.tmp.untouched() {
		s.tmp.reset()
		s.initial[len(s.initial)-1].dir = s.tmp.root
	}
	for fd, d := range s.table {
		switch {
		case d != nil:
			d.close()
			if s.table[fd] = nil; fd < len(s.initial) {
				*d = s.initial[fd]
				s.table[fd] = d
			}
		case fd < len(s.initial):
			again := s.initial[fd]
			s.table[fd] = &again
		}
	}
	if s.pause.snapshot == nil {
		s.pause = pause{} // what is noted is of one request
	}
	s.streams, s.env = [3]stream{}, nil
	s.call.ctx, s.call.stack = nil, nil
}

// Close closes the guest's descriptors and frees /tmp.
func (s *System) Close() {
	for fd, d := range s.table {
		if d != nil {
			d.close()
			s.table[fd] = nil
		}
	}
	if s.tmp != nil {
		s.tmp.free()
	}
	s.streams, s.env = [3]stream{}, nil
	s.module, s.memory, s.call = nil, nil, call{}
}

func (s *System) open() {
	for fd := range s.initial {
		d := s.initial[fd]
		s.table[fd] = &d
	}
}

// bind finds the memory of the module that calls. By preview 1 a module exports
// it; one that does not gets EFAULT for every pointer.
func (s *System) bind(mod api.Module) {
	s.module, s.memory = mod, nil
	if len(mod.ExportedMemoryDefinitions()) > 0 {
		s.memory = mod.Memory()
	}
}

type systemKey struct{}

// carrier carries a System to host functions, nearly always without a search.
type carrier struct {
	context.Context
	system *System
}

// Value implements context.Context.
func (c *carrier) Value(key any) any {
	if key == (systemKey{}) {
		return c.system
	}
	return c.Context.Value(key)
}

// With returns a context for calling a guest whose system is s. It is quickest
// when it is the outermost one.
func With(ctx context.Context, s *System) context.Context { return &carrier{ctx, s} }

func systemFrom(ctx context.Context) *System {
	if c, ok := ctx.(*carrier); ok {
		return c.system
	}
	return ctx.Value(systemKey{}).(*System)
}

// Instantiate adds the preview 1 functions to rt. A guest that imports them is
// called with a context of With.
func Instantiate(ctx context.Context, rt wazero.Runtime) error {
	b := rt.NewHostModuleBuilder(abi.ModuleWASI)
	for _, f := range functions() {
		run := f.run
		host := func(ctx context.Context, mod api.Module, stack []uint64) {
			s := systemFrom(ctx)
			if mod != s.module {
				s.bind(mod)
			}
			c := &s.call
			c.ctx, c.sys, c.mem, c.stack = ctx, s, s.memory, stack
			errno := run(c)
			if len(stack) > 0 {
				stack[0] = uint64(errno)
			}
		}
		results := []api.ValueType{api.ValueTypeI32}
		if f.name == "proc_exit" {
			results = nil
		}
		b.NewFunctionBuilder().WithName(f.name).WithGoModuleFunction(api.GoModuleFunc(host), valueTypes(f.params), results).Export(f.name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

func valueTypes(letters string) []api.ValueType {
	types := make([]api.ValueType, len(letters))
	for i := range letters {
		types[i] = api.ValueTypeI32
		if letters[i] == 'l' {
			types[i] = api.ValueTypeI64
		}
	}
	return types
}
