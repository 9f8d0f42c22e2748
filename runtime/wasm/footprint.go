package wasm

// What an engine keeps for an instance besides its memory, in bytes.
const (
	tableEntryBytes = 8
	globalBytes     = 16
)

// Footprint is what an instance of the module takes outside its linear memory at
// most: its tables, as large as they may grow, and its globals. Call stacks are
// not in it: they are charged as they grow.
func (m *Module) Footprint() int64 {
	bytes := int64(len(m.globals)) * globalBytes
	for i, t := range m.tables {
		entries := uint64(t.min)
		if m.growing[uint32(i)] {
			entries = m.caps.TableEntries
			if t.hasMax {
				entries = min(entries, uint64(t.max))
			}
		}
		bytes += int64(entries) * tableEntryBytes
	}
	return bytes
}
