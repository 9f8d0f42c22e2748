package wasm

// leafCost is the largest cost of a function that is charged but not checked.
// It calls nothing and has no loop, so that every way back to it leads through
// a check, and the code between two checks stays short.
const leafCost = 100

// site is a place that is charged: the start of a basic block.
type site struct {
	pos   int // the offset of its first instruction
	cost  uint64
	loop  bool // charged and checked at the head of a loop
	calls bool // the basic block calls a function, or ends in a tail call
}

// plan is what the first walk over a body finds.
type plan struct {
	sites   []site
	checked bool   // the function checks its fuel when it is entered, and keeps it in a local variable
	frame   uint64 // what a call takes of the stack, in bytes; 0 if that is for free
	lengths bool   // a bulk operation's length must be kept
	reached bool   // something branches to the function's own label
}

// planner adds up the cost of each basic block of a body.
type planner struct {
	module *Module
	pieces uint32
	flow   flow
	plan   plan
	gauge  frameGauge
	last   instruction // the one before
	self   functionType
}

func (p *planner) run(r *reader, b body) *plan {
	p.flow.reset()
	p.gauge.start(p.module, b)
	p.self = b.signature
	p.plan = plan{sites: append(p.plan.sites[:0], site{pos: r.pos})}
	p.last = instruction{}
	var in instruction
	for len(p.flow.frames) > 0 && r.err == nil {
		p.module.next(r, &in)
		if !p.flow.dead {
			p.charge(&in)
		}
		if len(p.flow.frames) == 1 && in.op == opEnd {
			p.plan.reached = p.flow.frames[0].reached
		}
		dead := p.flow.dead
		fresh := p.flow.step(p.module, &in)
		p.gauge.step(&in, dead, fresh)
		if fresh {
			p.plan.sites = append(p.plan.sites, site{pos: in.end, loop: in.op == opLoop})
		}
		p.last = in
	}
	p.decide()
	return &p.plan
}

func (p *planner) charge(in *instruction) {
	current := &p.plan.sites[len(p.plan.sites)-1]
	cost := uint64(in.cost)
	switch in.op {
	case opCall, opReturnCall:
		if int(in.index) < p.module.importedFunctions {
			cost = costImport
		}
	case opMemoryGrow:
		cost = costGrow
	case opTableGrow:
		cost += costGrow
	}
	if kind := bulkKind(in.op); kind != notBulk {
		length, known := p.constantLength(kind)
		if cost += length; !known {
			p.plan.lengths = true
		}
	}
	current.cost += cost + costOfValues(p.carried(in))
	switch in.op {
	case opCall, opCallIndirect, opReturnCall, opReturnCallIndirect:
		current.calls = true
	}
}

// carried is how many values an instruction moves to where it leads.
func (p *planner) carried(in *instruction) int {
	m, frames := p.module, p.flow.frames
	switch in.op {
	case opCall:
		return m.types[m.functions[in.index]].results.length()
	case opCallIndirect:
		return m.types[in.index].results.length()
	case opReturn:
		return p.self.results.length()
	case opLoop:
		return m.blockValues(in.block, true)
	case opElse, opEnd:
		return p.labelValues(&frames[len(frames)-1], false)
	case opBr, opBrIf:
		target := &frames[len(frames)-1-int(in.index)]
		return p.labelValues(target, target.op == opLoop)
	case opBrTable: // every target takes as many
		var last uint32
		m.eachTarget(in, func(label uint32) { last = label })
		target := &frames[len(frames)-1-int(last)]
		return p.labelValues(target, target.op == opLoop)
	}
	return 0
}

// labelValues is how many values the start or the end of a frame takes.
func (p *planner) labelValues(f *frame, start bool) int {
	if f == &p.flow.frames[0] {
		return p.self.results.length()
	}
	return p.module.blockValues(f.block, start)
}

// blockValues counts the parameters or the results of a block with a type of its
// own; others have at most one.
func (m *Module) blockValues(s signature, params bool) int {
	switch {
	case s.typeIndex < 0:
		return 0
	case params:
		return m.types[s.typeIndex].params.length()
	}
	return m.types[s.typeIndex].results.length()
}

// constantLength returns what the length of a bulk operation costs if it stands
// right before it, as compilers write it, and one piece is enough.
func (p *planner) constantLength(kind bulk) (cost uint64, known bool) {
	return constantLength(&p.last, kind, p.pieces)
}

func constantLength(last *instruction, kind bulk, pieces uint32) (cost uint64, known bool) {
	n := uint32(last.constant)
	if last.op != opI32Const || n > pieces {
		return 0, false
	}
	return uint64(n >> kind.shift()), true
}

// decide tells whether the function is checked when it is entered.
func (p *planner) decide() {
	var total uint64
	var loops, calls bool
	for _, s := range p.plan.sites {
		total += s.cost
		loops = loops || s.loop
		calls = calls || s.calls
	}
	p.plan.frame = p.gauge.bytes()
	if !calls && p.plan.frame <= leafFrame {
		p.plan.frame = 0
	}
	p.plan.checked = loops || p.plan.frame > 0 || p.plan.lengths || total > leafCost
}
