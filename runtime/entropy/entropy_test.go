package entropy_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cloche-run/cloche/runtime/entropy"
)

// state is what Go's runtime holds of a generator after so many blocks.
func state(seed [32]byte, blocks int) []byte {
	source := rand.NewChaCha8(seed)
	for range (blocks - 1) * 32 {
		source.Uint64()
	}
	var p []byte
	length := uint32(32)
	if blocks == 4 {
		length = 28
	}
	for range 32 {
		var word uint64
		if len(p)/8 < int(length) {
			word = source.Uint64()
		}
		p = binary.LittleEndian.AppendUint64(p, word)
	}
	p = append(p, seed[:]...)
	for _, n := range []uint32{3, length, uint32(blocks-1) * 4} {
		p = binary.LittleEndian.AppendUint32(p, n)
	}
	return p
}

func memoryWith(parts map[int][]byte) []byte {
	memory := make([]byte, 64<<10)
	for at, part := range parts {
		copy(memory[at:], part)
	}
	return memory
}

func TestGeneratorsAreFoundAndNothingElse(t *testing.T) {
	var want []entropy.Generator
	parts := map[int][]byte{}
	for blocks := 1; blocks <= 4; blocks++ {
		at := blocks * 4096
		parts[at] = state([32]byte{byte(blocks)}, blocks)
		want = append(want, entropy.Generator(at))
	}
	spoilt := state([32]byte{9}, 1)
	spoilt[17] ^= 1
	parts[32<<10] = spoilt
	parts[40<<10+4] = state([32]byte{8}, 1) // not where the runtime would put it
	got := entropy.Find(memoryWith(parts))
	if len(got) != len(want) {
		t.Fatalf("found %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("found %v, want %v", got, want)
		}
	}
	end := memoryWith(nil)
	copy(end[len(end)-300:], state([32]byte{1}, 1)) // cut
	if got := entropy.Find(end); len(got) > 0 {
		t.Errorf("found %v at the end", got)
	}
}

func TestOnlyGeneratorsWithAnotherSeedDiffer(t *testing.T) {
	fixed, mine, others := state([32]byte{1}, 1), state([32]byte{2}, 1), state([32]byte{3}, 1)
	got := entropy.Differing(memoryWith(map[int][]byte{0: fixed, 4096: mine}), memoryWith(map[int][]byte{0: fixed, 4096: others}))
	if len(got) != 1 || got[0] != 4096 {
		t.Errorf("got %v, want the one at 4096", got)
	}
}

// TestARenewedGeneratorGivesWhatItsSeedMakes looks at the fields as Go's Refill does:
// the index is at the end, and the next counter is 0.
func TestARenewedGeneratorGivesWhatItsSeedMakes(t *testing.T) {
	memory := memoryWith(map[int][]byte{512: state([32]byte{5}, 3)})
	seed := [32]byte{7, 7}
	entropy.Generator(512).Renew(memory, seed)
	p := memory[512:]
	index, length, counter := binary.LittleEndian.Uint32(p[288:]), binary.LittleEndian.Uint32(p[292:]), binary.LittleEndian.Uint32(p[296:])
	if !bytes.Equal(p[256:288], seed[:]) || index != length || counter+4 != 0 {
		t.Errorf("index %d of %d, counter %d, seed %x", index, length, counter, p[256:288])
	}
}

func lagged(seed uint64) (p []byte) {
	random := rand.New(rand.NewPCG(seed, 1))
	for _, n := range []uint64{0, 334} {
		p = binary.LittleEndian.AppendUint64(p, n)
	}
	for range 607 {
		p = binary.LittleEndian.AppendUint64(p, random.Uint64())
	}
	return p
}

func TestASourceIsSownIfItsSeedDiffers(t *testing.T) {
	a, b := memoryWith(map[int][]byte{8192: lagged(1)}), memoryWith(map[int][]byte{8192: lagged(2)})
	if !entropy.Sown(a, b) {
		t.Error("two seeds are not told apart")
	}
	if entropy.Sown(a, a) {
		t.Error("the same seed is taken for two")
	}
}

// TestHostileMemoriesAreLeftSoon has each place look like a generator.
func TestHostileMemoriesAreLeftSoon(t *testing.T) {
	const size = 64 << 20
	pairs := bytes.Repeat([]byte{0, 0, 0, 0, 32, 0, 0, 0}, size/8) // index 0, length 32, counter 0
	steps := make([]byte, size)
	for at := 0; at < size; at += 8 {
		binary.LittleEndian.PutUint64(steps[at:], uint64(at/8*334%607))
	}
	start := time.Now()
	entropy.Find(pairs)
	if !entropy.Sown(steps, steps) {
		t.Error("a memory full of sources is not suspicious")
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

func FuzzFind(f *testing.F) {
	f.Add(memoryWith(map[int][]byte{8: state([32]byte{1}, 2)})[:1024], lagged(3))
	f.Fuzz(func(_ *testing.T, a, b []byte) {
		for _, g := range entropy.Differing(a, b) {
			g.Renew(a, [32]byte{})
		}
		entropy.Sown(a, b)
	})
}
