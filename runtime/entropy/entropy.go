// Package entropy knows the random number generators of language runtimes by how
// they look in memory, so that they can be seeded anew: instances that start
// from one image would all continue the same sequence.
package entropy

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
)

// Generator is a ChaCha8 generator of Go's in a guest's memory, by its address:
// internal/chacha8rand.State, which the runtime keeps one of for itself and one
// for each of its threads (https://go.dev/src/internal/chacha8rand/chacha8.go).
type Generator uint32

// Where the fields of the State are, in bytes.
const (
	bufAt       = 0
	bufWords    = 32
	seedAt      = bufWords * 8
	SeedBytes   = 32
	indexAt     = seedAt + SeedBytes
	lengthAt    = indexAt + 4
	counterAt   = lengthAt + 4
	stateBytes  = counterAt + 4
	stateAlign  = 8
	counterStep = 4
	counterMax  = 16
	// lastWords of the last block seed the next generator.
	lastWords = 28
)

// Find returns all generators in memory: whatever holds the numbers that its seed
// and counter make.
func Find(memory []byte) (found []Generator) {
	var candidates int
	for at := 0; at+stateBytes <= len(memory) && candidates < maxCandidates; at += stateAlign {
		p := memory[at:][:stateBytes]
		if !mayBeState(p) {
			continue
		}
		if candidates++; isState(p) {
			found = append(found, Generator(at))
		}
	}
	return found
}

// maxCandidates bounds the places that are looked at closely, a microsecond
// each: a guest can make its memory look like nothing but generators.
const maxCandidates = 1 << 16

func mayBeState(p []byte) bool {
	counter, length := binary.LittleEndian.Uint32(p[counterAt:]), binary.LittleEndian.Uint32(p[lengthAt:])
	return length == words(counter) && counter < counterMax && counter%counterStep == 0 &&
		binary.LittleEndian.Uint32(p[indexAt:]) <= length
}

// words is how many numbers a block gives.
func words(counter uint32) uint32 {
	if counter == counterMax-counterStep {
		return lastWords
	}
	return bufWords
}

func isState(p []byte) bool {
	counter := binary.LittleEndian.Uint32(p[counterAt:])
	source := rand.NewChaCha8([SeedBytes]byte(p[seedAt:]))
	for range counter / counterStep * bufWords {
		source.Uint64()
	}
	for i := range words(counter) {
		if binary.LittleEndian.Uint64(p[bufAt+8*i:]) != source.Uint64() {
			return false
		}
	}
	return true
}

// Differing returns the generators of memory that have another seed in other,
// the memory of a guest that got as far with other random numbers. One that has
// the same was given its seed by the program, which counts on it.
func Differing(memory, other []byte) (found []Generator) {
	for _, g := range Find(memory) {
		end := int(g) + stateBytes
		if end > len(other) || !bytes.Equal(memory[g:][seedAt:][:SeedBytes], other[g:][seedAt:][:SeedBytes]) {
			found = append(found, g)
		}
	}
	return found
}

// Renew gives the generator a new seed. What it had made in advance is lost.
func (g Generator) Renew(memory []byte, seed [SeedBytes]byte) {
	p := memory[g:][:stateBytes]
	copy(p[seedAt:], seed[:])
	length := binary.LittleEndian.Uint32(p[lengthAt:])
	binary.LittleEndian.PutUint32(p[indexAt:], length)
	// The next block's counter is one step on, which is 0.
	binary.LittleEndian.PutUint32(p[counterAt:], ^uint32(0)-counterStep+1)
}
