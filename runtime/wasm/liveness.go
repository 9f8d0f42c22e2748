package wasm

import "math/bits"

// liveness counts the versions of a function's local variables that outlive a
// call. As in SSA form, a variable has one version for each assignment and, where
// control joins, one more if it was assigned on the way there and is read later.
//
// The walk notes events. Going backward over them finds, for each call and join,
// which variables are read later; going forward counts. See Cytron et al.,
// "Efficiently Computing Static Single Assignment Form", and Aho et al. on
// live variables.
type liveness struct {
	words  int // of a set of variables
	events []event
	blocks []liveBlock
	within []uint32 // blocks that are open, during a walk
	sets   []uint64 // of all blocks and events that keep one

	narrow, wide int // the variables of 4 and of 16 bytes

	versions, bytes int // what was counted
}

type event struct {
	kind  eventKind
	index uint32 // a variable, a label, or a block
	set   int    // where its set begins
}

type eventKind byte

const (
	eventRead eventKind = iota
	eventAssign
	eventCall   // keeps what is read after it
	eventBranch // may go to a label
	eventLeave  // control does not go on
	eventOpen
	eventElse
	eventEnd  // keeps what is read after it
	eventJoin // an end at which control comes from several places
)

// liveBlock is a block, loop or if, with three sets.
type liveBlock struct {
	loop     bool
	hasElse  bool
	assigned int // variables assigned within
	atLabel  int // those read after a branch to it
	aside    int // those read in its else; in counting, those counted when it began
}

func (l *liveness) start(m *Module, b body) {
	l.words = (gauged(b) + 63) / 64
	l.events, l.blocks, l.within, l.sets = l.events[:0], l.blocks[:0], l.within[:0], l.sets[:0]
	l.versions, l.bytes = 0, 0
	l.narrow, l.wide = l.set(), l.set()
	var next uint32
	m.eachLocal(b, func(count uint32, valueType byte) {
		for ; count > 0 && next < gaugedVariables; count-- {
			switch valueType {
			case typeI32, typeF32:
				l.at(l.narrow).put(next)
			case typeV128:
				l.at(l.wide).put(next)
			}
			next++
		}
	})
	l.open(opBlock)
}

// eachLocal shows the types of a body's parameters and other variables.
func (m *Module) eachLocal(b body, f func(count uint32, valueType byte)) {
	for _, t := range b.signature.params.of(m.bytes) {
		f(1, t)
	}
	r := reader{module: m.bytes, pos: b.declaration.start, end: b.declaration.end}
	for r.left() > 0 {
		f(r.u32(), r.byte())
	}
}

// set makes an empty set.
func (l *liveness) set() int {
	at := len(l.sets)
	for range l.words {
		l.sets = append(l.sets, 0)
	}
	return at
}

func (l *liveness) at(set int) varSet { return l.sets[set:][:l.words] }

func (l *liveness) open(op uint32) {
	l.within = append(l.within, uint32(len(l.blocks)))
	l.note(eventOpen, uint32(len(l.blocks)))
	l.blocks = append(l.blocks, liveBlock{loop: op == opLoop, assigned: l.set(), atLabel: l.set(), aside: l.set()})
}

func (l *liveness) top() uint32 { return l.within[len(l.within)-1] }

func (l *liveness) otherwise() {
	l.blocks[l.top()].hasElse = true
	l.note(eventElse, l.top())
}

func (l *liveness) close(joined bool) {
	kind := eventEnd
	if joined {
		kind = eventJoin
	}
	block := l.top()
	l.note(kind, block)
	l.within = l.within[:len(l.within)-1]
	if len(l.within) > 0 {
		l.at(l.blocks[l.top()].assigned).add(l.at(l.blocks[block].assigned))
	}
}

func (l *liveness) note(kind eventKind, index uint32) {
	e := event{kind: kind, index: index}
	switch kind {
	case eventAssign:
		l.at(l.blocks[l.top()].assigned).put(index)
	case eventBranch: // the label becomes its block
		e.index = l.within[len(l.within)-1-int(index)]
	case eventCall, eventEnd, eventJoin:
		e.set = l.set()
	}
	l.events = append(l.events, e)
}

// count returns how many versions outlive a call, and how many bytes they take.
func (l *liveness) count() (versions, bytes int) {
	if l.words > 0 {
		for l.backward() { // once more than loops nest, at most
		}
		l.forward()
	}
	return l.versions, l.bytes
}

// backward finds what is read later. It tells whether a loop turned out to read
// more than was known when the branches back to it were seen.
func (l *liveness) backward() (again bool) {
	now := l.at(l.set())
	clear(now)
	for i := len(l.events) - 1; i >= 0; i-- {
		e := &l.events[i]
		switch e.kind {
		case eventRead:
			now.put(e.index)
		case eventAssign:
			now.remove(e.index)
		case eventCall:
			copy(l.at(e.set), now)
		case eventBranch:
			now.add(l.at(l.blocks[e.index].atLabel))
		case eventLeave:
			clear(now)
		default:
			again = l.border(e, now) || again
		}
	}
	l.sets = l.sets[:len(l.sets)-l.words]
	return again
}

func (l *liveness) border(e *event, now varSet) (again bool) {
	b := &l.blocks[e.index]
	switch e.kind {
	case eventEnd, eventJoin:
		copy(l.at(e.set), now)
		if copy(l.at(b.aside), now); !b.loop {
			copy(l.at(b.atLabel), now)
		}
	case eventElse:
		copy(l.at(b.aside), now)
		copy(now, l.at(b.atLabel))
	case eventOpen:
		if b.loop {
			return l.at(b.atLabel).add(now)
		}
		now.add(l.at(b.aside)) // harmless for a block: what its end reads and it assigns
	}
	return false
}

// forward counts each version when it first outlives a call, or when it meets
// more others at a join than there are registers.
func (l *liveness) forward() {
	counted := l.at(l.set())
	clear(counted)
	for i := range l.events {
		e := &l.events[i]
		switch e.kind {
		case eventAssign:
			counted.remove(e.index)
		case eventCall:
			l.countNew(counted, l.at(e.set))
		case eventOpen, eventElse, eventEnd, eventJoin:
			l.versionsAt(e, counted)
		}
	}
}

func (l *liveness) versionsAt(e *event, counted varSet) {
	b := &l.blocks[e.index]
	assigned := l.at(b.assigned)
	switch {
	case e.kind == eventOpen:
		if b.loop { // control joins at its head
			counted.subtract(assigned)
		}
		copy(l.at(b.aside), counted)
	case e.kind == eventElse: // back to the versions that the if began with
		for i, before := range l.at(b.aside) {
			counted[i] = counted[i]&^assigned[i] | before&assigned[i]
		}
	case e.kind == eventJoin:
		counted.subtract(assigned)
		if later := l.at(e.set); later.common(assigned) > shallow {
			for i := range later {
				later[i] &= assigned[i]
			}
			l.countNew(counted, later)
		}
	}
}

// countNew adds others to those that are counted, and counts what is new.
func (l *liveness) countNew(counted, others varSet) {
	for i, word := range others {
		added := word &^ counted[i]
		counted[i] |= word
		n := bits.OnesCount64(added)
		l.versions += n
		l.bytes += n * slotBytes
		l.bytes -= bits.OnesCount64(added&l.at(l.narrow)[i]) * (slotBytes - narrowSlotBytes)
		l.bytes += bits.OnesCount64(added&l.at(l.wide)[i]) * (wideSlotBytes - slotBytes)
	}
}

// varSet is a set of local variables.
type varSet []uint64

func (s varSet) put(v uint32)    { s[v/64] |= 1 << (v % 64) }
func (s varSet) remove(v uint32) { s[v/64] &^= 1 << (v % 64) }

// add tells whether s has become larger.
func (s varSet) add(other varSet) (grown bool) {
	for i, word := range other {
		grown = grown || word&^s[i] != 0
		s[i] |= word
	}
	return grown
}

func (s varSet) subtract(other varSet) {
	for i, word := range other {
		s[i] &^= word
	}
}

func (s varSet) common(other varSet) (n int) {
	for i, word := range other {
		n += bits.OnesCount64(s[i] & word)
	}
	return n
}
