package entropy

import (
	"bytes"
	"encoding/binary"
)

// The source of Go's math/rand, an additive lagged Fibonacci generator
// (https://go.dev/src/math/rand/rng.go): two indices that stay apart by the same
// distance, and a vector.
const (
	lagWords    = 607
	lagDistance = 607 - 273
	lagBytes    = 16 + 8*lagWords
)

// Sown reports whether memory holds a source of Go's math/rand that was given
// another seed in other: a program's own, from the time or from random numbers.
// There is no knowing what it would be seeded with now.
func Sown(memory, other []byte) bool {
	var candidates int
	for at := 0; at+lagBytes <= min(len(memory), len(other)); at += stateAlign {
		if !isLagged(memory[at:]) || !isLagged(other[at:]) {
			continue
		}
		candidates++ // a memory full of them is somebody's trick
		if candidates > maxCandidates || differs(memory[at+16:at+lagBytes], other[at+16:at+lagBytes]) {
			return true
		}
	}
	return false
}

func isLagged(p []byte) bool {
	tap, feed := binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[8:])
	return tap < lagWords && feed < lagWords && (feed+lagWords-tap)%lagWords == lagDistance
}

// differs tells whether most words do.
func differs(a, b []byte) bool {
	var n int
	for at := 0; at < len(a); at += 8 {
		if !bytes.Equal(a[at:at+8], b[at:at+8]) {
			n++
		}
	}
	return n > lagWords/2
}
