package leak

import (
	"context"
	"testing"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime"
	w "github.com/cloche-run/cloche/runtime/wasm/wasmtest"
)

// Instructions that wasmtest has no need of.
const (
	refIsNull  = 0xd1
	i32WrapI64 = 0xa7
	tableSet   = 0x26
	tableSize  = 0x10 // behind 0xfc
	v128       = 0x7b
	v128Const  = 0x0c // behind w.Vector
	extractI32 = 0x1b
	page       = 64 << 10
)

// state is a piece of a module's state. found leaves 0 on the stack if it is as
// a request must find it, and changes it, or there is a second part that does.
type state struct{ found, change w.Code }

// states has a module for every piece of state that a module can change: its
// memory, its globals, its tables, its segments.
func states() map[string]func(*w.Module) state {
	global := func(valueType byte, init, get, one w.Code) func(*w.Module) state {
		return func(m *w.Module) state {
			m.Memory(1)
			g := m.Global(valueType, init)
			return state{w.Code{}.Index(w.GlobalGet, g).Then(get), one.Index(w.GlobalSet, g)}
		}
	}
	return map[string]func(*w.Module) state{
		"a global i32": global(w.I32, w.Code{}.I32(0), nil, w.Code{}.I32(1)),
		"a global i64": global(w.I64, w.Code{}.I64(0), w.Code{}.Op(i32WrapI64), w.Code{}.I64(1)),
		"a global f64": global(w.F64, w.Code{}.F64(0), w.Code{}.Op(w.I32TruncF64S), w.Code{}.F64(1)),
		"the upper half of a global v128": global(v128, vector(0),
			w.Code{}.Op(w.Vector, extractI32, 3), vector(1)),
		"a global that refers to a function": globalReference,
		"a global that the start section set": func(m *w.Module) state {
			m.Memory(1)
			g := m.Global(w.I32, w.Code{}.I32(0))
			m.Start(m.Func(nil, nil, w.Code{}.I32(5).Index(w.GlobalSet, g)...))
			return state{
				w.Code{}.Index(w.GlobalGet, g).I32(5).Op(w.I32Sub),
				w.Code{}.I32(6).Index(w.GlobalSet, g),
			}
		},
		"memory of a data segment": func(m *w.Module) state {
			m.Memory(1)
			m.Data(8, "\x05\x00\x00\x00")
			return state{w.Code{}.Load(8).I32(5).Op(w.I32Sub), w.Code{}.Store(8, 6)}
		},
		"memory of a data segment that the start section changed": func(m *w.Module) state {
			m.Memory(1)
			m.Data(8, "\x05\x00\x00\x00")
			m.Start(m.Func(nil, nil, w.Code{}.Store(8, 7)...))
			return state{w.Code{}.Load(8).I32(7).Op(w.I32Sub), w.Code{}.Store(8, 6)}
		},
		"memory of two data segments over each other": func(m *w.Module) state {
			m.Memory(1)
			m.Data(100, "\x01\x01\x01\x01\x01\x01\x01\x01")
			m.Data(96, "\x00\x00\x00\x00\x00\x00\x00\x00")
			return state{w.Code{}.Load(100), w.Code{}.Store(100, 1)}
		},
		"memory that was zero": func(m *w.Module) state {
			m.Memory(20)
			return state{w.Code{}.Load(20*page - 4), w.Code{}.Store(20*page-4, 1)}
		},
		"all of a small memory":                         filled(1),
		"all of a memory":                               filled(16),
		"all of a large memory":                         filled(100),
		"the size of the memory":                        memorySize(0),
		"the size of a memory that reached its maximum": memorySize(2),
		"memory that the guest grew": func(m *w.Module) state {
			m.Memory(1)
			grown := w.Code{}.I32(1).Op(w.MemoryGrow, 0).I32(1).Op(w.I32Sub)
			return state{grown.Load(page).Op(w.I32Add).Load(2*page - 4).Op(w.I32Add), w.Code{}.Store(page, 1).Store(2*page-4, 1)}
		},
		"memory that the guest grew by much": func(m *w.Module) state {
			m.Memory(17)
			grown := w.Code{}.I32(300).Op(w.MemoryGrow, 0).I32(17).Op(w.I32Sub)
			return state{
				grown.Load(17 * page).Op(w.I32Add).Load(317*page - 4).Op(w.I32Add),
				w.Code{}.I32(17*page, 1, 300*page).Misc(w.MemoryFill, 0),
			}
		},
		"a data segment that was dropped": func(m *w.Module) state {
			m.Memory(1)
			m.PassiveData("\x00\x00\x00\x00")
			// Without the segment this traps.
			return state{w.Code{}.I32(0, 0, 4).Misc(w.MemoryInit, 0, 0).Load(0), w.Code{}.Misc(w.DataDrop, 0)}
		},
		"an entry of a table that was set": table(func(_, one uint64) w.Code {
			return w.Code{}.I32(0).Index(w.RefFunc, one).Index(tableSet, 0)
		}),
		"a table that was filled": table(func(_, one uint64) w.Code {
			return w.Code{}.I32(0).Index(w.RefFunc, one).I32(2).Misc(w.TableFill, 0)
		}),
		"a table that was copied": table(func(_, _ uint64) w.Code {
			return w.Code{}.I32(0, 1, 1).Misc(w.TableCopy, 0, 0)
		}),
		"a table of a passive segment": table(func(_, _ uint64) w.Code {
			return w.Code{}.I32(0, 0, 1).Misc(w.TableInit, 1, 0)
		}),
		"the size of a table": func(m *w.Module) state {
			m.Memory(1)
			m.Table(2, 0)
			grow := w.Code{}.Op(w.RefNull, w.FuncRef).I32(3).Misc(w.TableGrow, 0).Op(w.Drop)
			return state{w.Code{}.Misc(tableSize, 0).I32(2).Op(w.I32Sub), grow}
		},
		"an element segment that was dropped": func(m *w.Module) state {
			m.Memory(1)
			m.Table(2, 0)
			m.PassiveElement(m.Func(nil, []byte{w.I32}, w.Code{}.I32(0)...))
			return state{w.Code{}.I32(0, 0, 1).Misc(w.TableInit, 0, 0).I32(0), w.Code{}.Misc(w.ElemDrop, 0)}
		},
	}
}

func vector(lane byte) w.Code {
	return w.Code{}.Op(w.Vector, v128Const).Op(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, lane, 0, 0, 0)
}

func globalReference(m *w.Module) state {
	m.Memory(1)
	g := m.Global(w.FuncRef, w.Code{}.Op(w.RefNull, w.FuncRef))
	f := m.Func(nil, nil)
	m.ExportFunc("declared", f)
	return state{
		w.Code{}.Index(w.GlobalGet, g).Op(refIsNull, w.I32Eqz),
		w.Code{}.Index(w.RefFunc, f).Index(w.GlobalSet, g),
	}
}

// filled writes to all of so many pages and looks at both ends and the middle.
func filled(pages int64) func(*w.Module) state {
	return func(m *w.Module) state {
		m.Memory(uint64(pages))
		end := pages * page
		return state{
			w.Code{}.Load(0).Load(end / 2).Op(w.I32Add).Load(end - 4).Op(w.I32Add),
			w.Code{}.I32(0, 1, end).Misc(w.MemoryFill, 0),
		}
	}
}

// memorySize grows from one page by one; maximum 0 is none.
func memorySize(maximum byte) func(*w.Module) state {
	return func(m *w.Module) state {
		m.Memory(1)
		if maximum > 0 {
			m.Raw(w.SectionMemory, 1, 1, 1, maximum)
		}
		return state{
			w.Code{}.Op(w.MemorySize, 0).I32(1).Op(w.I32Sub),
			w.Code{}.I32(1).Op(w.MemoryGrow, 0, w.Drop),
		}
	}
}

// table has a function that returns 0 in its first entry and one that returns 1
// in its second; the latter is also in a passive segment, number 1.
func table(change func(zero, one uint64) w.Code) func(*w.Module) state {
	return func(m *w.Module) state {
		m.Memory(1)
		zero := m.Func(nil, []byte{w.I32}, w.Code{}.I32(0)...)
		one := m.Func(nil, []byte{w.I32}, w.Code{}.I32(1)...)
		m.Table(2, 0)
		m.Element(0, zero, one)
		m.PassiveElement(one)
		return state{
			w.Code{}.I32(0).Index(w.CallIndirect, m.Type(nil, []byte{w.I32}), 0),
			change(zero, one),
		}
	}
}

// handler answers 200 if a piece of state is as it should be, and changes it.
func handler(build func(*w.Module) state) []byte {
	var m w.Module
	status := m.Import(abi.ModuleHandler, "set_status_code", []byte{w.I32}, nil)
	s := build(&m)
	m.ExportMemory(abi.ExportMemory)
	body := s.found.Then(w.Code{}.I32(200).Op(w.I32Add).Call(status), s.change, w.Code{}.I64(0))
	m.ExportFunc(abi.ExportHandleRequest, m.Func(nil, []byte{w.I64}, body...))
	m.ExportFunc(abi.ExportHandleResponse, m.Func([]byte{w.I32, w.I32}, nil))
	return m.Bytes()
}

func TestEveryPieceOfStateIsFresh(t *testing.T) {
	engine := newEngine(t)
	for name, build := range states() {
		t.Run(name, func(t *testing.T) {
			f := load(t, engine, handler(build), runtime.FunctionConfig{Isolation: abi.IsolationSnapshot})
			each(t, count(t, "LEAK", 100), 8, func(int) error {
				_, err := ask(t.Context(), f, "", "")
				return err
			})
		})
	}
}

// Every module above does change its state: with reuse it is caught.
func TestEveryPieceOfStateLeaksWithReuse(t *testing.T) {
	engine := newEngine(t)
	for name, build := range states() {
		t.Run(name, func(t *testing.T) {
			f := load(t, engine, handler(build), runtime.FunctionConfig{Isolation: abi.IsolationReuse})
			if !leaks(t.Context(), f) {
				t.Error("its state is as it should be")
			}
		})
	}
}

func leaks(ctx context.Context, f *runtime.Function) bool {
	for range 3 {
		if _, err := ask(ctx, f, "", ""); err != nil {
			return true
		}
	}
	return false
}
