package wasm

// instruction is one instruction of a body with its immediates, checked against
// the module's own index spaces.
type instruction struct {
	op         uint32
	shape      shape
	cost       byte
	start, end int // offsets in the module
	// index is the label, function, local, global, table, data or element
	// segment that the instruction names, or the type of an indirect call;
	// the second of two is in other.
	index, other uint32
	// constant is the value of an i32.const or i64.const.
	constant int64
	block    signature // of a block, loop or if
	targets  int       // how many a br_table has, with its default
	labels   int       // offset of the first of them
}

// signature is a block type: the index of a type, or at most one result.
type signature struct {
	start, end int // its encoding
	typeIndex  int // -1 if it is not an index
}

// next reads one instruction. It does not check that labels and locals exist:
// that depends on where it stands.
func (m *Module) next(r *reader, in *instruction) {
	in.start = r.pos
	in.op = uint32(r.byte())
	entry := opcodes[in.op]
	if in.op == opMisc || in.op == opSIMD {
		entry = prefixed(r, in)
	}
	if entry.shape == illegal && r.err == nil {
		r.fail(in.start, "opcode %#x: %s", in.op, refusal(in.op))
	}
	in.shape, in.cost = entry.shape, entry.cost
	m.immediates(r, in)
	in.end = r.pos
}

func prefixed(r *reader, in *instruction) opcode {
	table := &miscOps
	if in.op == opSIMD {
		table = &simdOps
	}
	sub := r.u32()
	in.op = in.op<<8 | sub&0xff
	if sub > 0xff {
		return opcode{}
	}
	return table[sub]
}

func (m *Module) immediates(r *reader, in *instruction) {
	switch in.shape {
	case illegal, plain:
	case label, localIndex:
		in.index = r.u32()
	case blockType:
		in.block = m.blockType(r)
	case labels:
		m.branchTable(r, in)
	case funcIndex:
		in.index = r.index("function", len(m.functions))
	case indirect:
		in.index = r.index("type", len(m.types))
		in.other = r.index("table", len(m.tables))
	case globalIndex:
		in.index = r.index("global", len(m.globals))
	case tableIndex:
		in.index = r.index("table", len(m.tables))
	case memArg:
		m.memArg(r)
	case memIndex:
		m.memIndex(r)
	case memMem:
		m.memIndex(r)
		m.memIndex(r)
	case const32:
		in.constant = r.signed(32)
	case const64:
		in.constant = r.signed(64)
	case bytes4:
		r.skip(4)
	case bytes8:
		r.skip(8)
	case bytes16:
		r.skip(16)
	case refType:
		r.refType()
	case valTypes:
		for n := r.count("the number of types", "Results", m.caps.Results, 1); n > 0; n-- {
			r.valueType()
		}
	case lane:
		r.byte()
	case memArgLane:
		m.memArg(r)
		r.byte()
	default:
		m.segments(r, in)
	}
}

// segments reads the operands of the bulk operations.
func (m *Module) segments(r *reader, in *instruction) {
	switch in.shape {
	case dataMem, dataIndex:
		if m.dataCount < 0 {
			r.fail(in.start, "an instruction names a data segment, but there is no data count section")
			return
		}
		in.index = r.index("data segment", m.dataCount)
		if in.shape == dataMem {
			m.memIndex(r)
		}
	case elemIndex:
		in.index = r.index("element segment", m.elementCount)
	case elemTable:
		in.index = r.index("element segment", m.elementCount)
		in.other = r.index("table", len(m.tables))
	case tables2:
		in.index = r.index("table", len(m.tables))
		in.other = r.index("table", len(m.tables))
	}
}

func (m *Module) blockType(r *reader) signature {
	s := signature{start: r.pos, typeIndex: -1}
	switch b := r.peek(); {
	case b == voidType || isValueType(b):
		r.byte()
	default:
		n := r.signed(33)
		if r.err == nil && (n < 0 || n >= int64(len(m.types))) {
			r.fail(s.start, "block type %d does not exist, there are %d types", n, len(m.types))
		}
		s.typeIndex = int(n)
	}
	s.end = r.pos
	return s
}

func (m *Module) branchTable(r *reader, in *instruction) {
	n := r.count("the number of a br_table's targets", "TableTargets", m.caps.TableTargets, 1)
	in.targets, in.labels = n+1, r.pos
	for i := 0; i <= n && r.err == nil; i++ {
		r.u32()
	}
}

// memArg reads alignment and offset of a load or store.
func (m *Module) memArg(r *reader) {
	start := r.pos
	if align := r.u32(); align >= 32 && r.err == nil {
		r.fail(start, "an alignment of 2^%d: multiple memories are not supported", align)
	}
	r.u32()
	m.needMemory(r, start)
}

func (m *Module) memIndex(r *reader) {
	start := r.pos
	if b := r.byte(); b != 0 && r.err == nil {
		r.fail(start, "memory %d does not exist: multiple memories are not supported", b)
	}
	m.needMemory(r, start)
}

func (m *Module) needMemory(r *reader, offset int) {
	if r.err == nil && len(m.memories) == 0 {
		r.fail(offset, "an instruction needs a memory, there is none")
	}
}
