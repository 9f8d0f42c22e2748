package wasm

// Stripped returns the module without its custom sections, which nothing here
// has looked into: the bytes for an engine to find valid before Rewrite.
func (m *Module) Stripped() []byte {
	out := append(make([]byte, 0, len(m.bytes)), m.bytes[:8]...)
	for _, id := range sectionOrder {
		if !m.has(id) {
			continue
		}
		content := m.sections[id].of(m.bytes)
		out = append(out, byte(id))
		out = appendUnsigned(out, uint64(len(content)))
		out = append(out, content...)
	}
	return out
}
