package memory

import "runtime"

// watch is how a memory knows that no page was written that had not been before:
// the first write to a page of an image is a page fault of the thread that writes.
type watch struct {
	on     bool // the calling goroutine is locked to its thread
	faults int64
	known  []span // what had been written when last looked for
	isFull bool   // known is all of it
}

// knownSpans is how many runs of pages are remembered.
const knownSpans = 128

// Watch is called before a short use of the memory by the calling goroutine,
// which Reset or Unwatch then ends: it stays on its thread, so that Reset knows
// from the thread's page faults whether it has to look for the pages that were
// written, or knows them. Nothing else may use the memory.
func (a *Account) Watch() {
	l := a.memory
	if l == nil || !l.watch.isFull || !a.budget.tactics.faults {
		return
	}
	runtime.LockOSThread()
	l.watch.on, l.watch.faults = true, threadFaults()
}

// Unwatch ends what Watch began, as when the goroutine is about to wait: Reset
// then looks for itself. It may be called more than once.
func (a *Account) Unwatch() {
	if a.memory != nil && a.memory.watch.on {
		a.memory.watch.on = false
		runtime.UnlockOSThread()
	}
}

// isKnown reports whether the pages that were written are those that are known,
// and ends the watch.
func (a *Account) isKnown() bool {
	w := &a.memory.watch
	if !w.on {
		return false
	}
	known := threadFaults() == w.faults
	a.Unwatch()
	return known
}

// learn remembers what was found.
func (w *watch) learn(spans []span) {
	if w.isFull = w.isFull && len(w.known)+len(spans) <= knownSpans; w.isFull {
		w.known = append(w.known, spans...)
	}
}

// forget is called when the memory has no pages of its own any more.
func (w *watch) forget() { w.known, w.isFull = w.known[:0], true }
