package wasm

import (
	"fmt"
	"slices"

	"github.com/cloche-run/cloche/abi"
)

// Run is initial content of the memory: bytes and where they go. What no run
// covers is zero.
type Run struct {
	Offset uint32
	Bytes  []byte
}

// segment is a data segment,
// https://webassembly.github.io/spec/core/binary/modules.html#data-section.
type segment struct {
	active bool
	offset known // of an active one
	bytes  span
}

func (s segment) length() int { return s.bytes.end - s.bytes.start }

func (m *Module) readData(r *reader) {
	n := r.count("the number of data segments", "DataSegments", m.caps.DataSegments, minData)
	m.maxima.DataSegments = uint64(n)
	for ; n > 0 && r.err == nil; n-- {
		var s segment
		start := r.pos
		switch flags := r.u32(); {
		case r.err != nil:
		case flags == 0, flags == 2:
			if flags == 2 {
				r.index("memory", len(m.memories))
			}
			m.needMemory(r, start)
			s.active = true
			s.offset = m.constant(r, nil)
		case flags > 2:
			r.fail(start, "flags %#x of a data segment are unknown", flags)
		}
		s.bytes = r.skip(uint64(r.u32()))
		m.data = append(m.data, s)
	}
}

// gapBytes is how many zeros may be between two segments that become one run.
const gapBytes = 64

// Data returns what the active data segments put into the memory at the start,
// in the order in which it has to be applied; neighbours are joined. It is an
// error if the module would trap there.
func (m *Module) Data() ([]Run, error) {
	var all []Run
	for i, s := range m.data {
		if !s.active {
			continue
		}
		if !s.offset.is {
			return nil, m.dataError(i, "has an offset that depends on an import")
		}
		if end := uint64(s.offset.value) + uint64(s.length()); end > uint64(m.memories[0].min)*abi.PageBytes {
			return nil, m.dataError(i, "ends at %d, behind the memory's %d pages: starting the module would trap", end, m.memories[0].min)
		}
		if s.length() > 0 {
			all = append(all, Run{s.offset.value, s.bytes.of(m.bytes)})
		}
	}
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b Run) int { return int(int64(a.Offset) - int64(b.Offset)) })
	for i := 1; i < len(sorted); i++ {
		if uint64(sorted[i].Offset) < sorted[i-1].end() {
			return all, nil // they overlap: the later one wins
		}
	}
	return join(sorted), nil
}

func (r Run) end() uint64 { return uint64(r.Offset) + uint64(len(r.Bytes)) }

// join makes one run of those that are near each other.
func join(sorted []Run) (joined []Run) {
	for i := 0; i < len(sorted); {
		end := i + 1
		for end < len(sorted) && uint64(sorted[end].Offset)-sorted[end-1].end() <= gapBytes {
			end++
		}
		run := sorted[i]
		if end > i+1 {
			run.Bytes = make([]byte, sorted[end-1].end()-uint64(run.Offset))
			for _, part := range sorted[i:end] {
				copy(run.Bytes[part.Offset-run.Offset:], part.Bytes)
			}
		}
		joined = append(joined, run)
		i = end
	}
	return joined
}

func (m *Module) dataError(segment int, format string, args ...any) error {
	return &Error{
		Section: sectionNames[sectionData], Offset: m.data[segment].bytes.start, Function: -1,
		Message: fmt.Sprintf("data segment %d ", segment) + fmt.Sprintf(format, args...),
	}
}

// data leaves the active segments to the host: what remains of them is empty, as
// it is after a module has started. An instruction may still name them.
func (w *rewriter) data() []byte {
	m := w.module
	content := m.sections[sectionData].of(m.bytes)
	if !w.image || len(content) == 0 {
		return content
	}
	if m.dataCount < 0 {
		return nil // then no instruction can
	}
	out := appendUnsigned(nil, uint64(len(m.data)))
	for _, s := range m.data {
		if s.active {
			out = append(out, 1, 0)
			continue
		}
		out = appendUnsigned(append(out, 1), uint64(s.length()))
		out = append(out, s.bytes.of(m.bytes)...)
	}
	return out
}
