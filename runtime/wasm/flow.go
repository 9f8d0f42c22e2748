package wasm

// flow follows which instructions of a body can be reached and where basic
// blocks begin. The rewriter runs it twice over each body, to add up costs and
// to write, and must see the same both times.
type flow struct {
	frames []frame
	dead   bool // the next instruction cannot be reached
}

// frame is a block, loop or if that is open. The first is the function.
type frame struct {
	op      uint32 // opBlock, opLoop, opIf or opElse
	reached bool   // something branches to its end
	dead    bool   // it was opened in code that cannot be reached
	site    int    // of a loop, its charge
	inline  bool   // of a loop: it takes parameters
	labels  int    // added by the rewriter up to here, this frame's included
	block   signature
}

func (f *flow) reset() {
	f.frames = append(f.frames[:0], frame{op: opBlock})
	f.dead = false
}

func (f *flow) top() *frame { return &f.frames[len(f.frames)-1] }

// step takes an instruction into account. It tells whether a new basic block
// begins behind it: code that is reached from elsewhere, or only sometimes.
func (f *flow) step(m *Module, in *instruction) (fresh bool) {
	switch in.op {
	case opBlock, opLoop, opIf:
		f.frames = append(f.frames, frame{op: in.op, dead: f.dead, block: in.block, labels: f.top().labels})
		return in.op != opBlock && !f.dead
	case opElse:
		top := f.top()
		top.op = opElse
		top.reached = top.reached || !f.dead
		f.dead = top.dead
		return !f.dead
	case opEnd:
		return f.end()
	case opBr, opBrIf, opBrTable:
		return f.branch(m, in)
	case opUnreachable, opReturn, opReturnCall, opReturnCallIndirect:
		f.dead = true
	}
	return false
}

// end closes a frame. Behind a loop, and behind a block that nothing branches
// to the end of, the basic block goes on.
func (f *flow) end() (fresh bool) {
	top := *f.top()
	f.frames = f.frames[:len(f.frames)-1]
	joined := top.reached || top.op == opIf && !top.dead
	if joined {
		f.dead = false
	}
	return joined
}

func (f *flow) branch(m *Module, in *instruction) (fresh bool) {
	if f.dead {
		return false
	}
	if in.op == opBrTable {
		m.eachTarget(in, f.reach)
	} else {
		f.reach(in.index)
	}
	f.dead = in.op != opBrIf
	return !f.dead
}

// reach notes a branch to a label. The label of a loop is its beginning, which
// starts a basic block anyhow.
func (f *flow) reach(label uint32) {
	if target := &f.frames[len(f.frames)-1-int(label)]; target.op != opLoop {
		target.reached = true
	}
}
