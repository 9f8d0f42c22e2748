package state

import (
	crypto "crypto/rand"
	"encoding/binary"
	"hash/maphash"
	"math/rand"
	randv2 "math/rand/v2"
	"os"
	"strings"
	"time"
)

// Generators with seeds of their own: a fresh process draws the same again.
var (
	fixedPCG    = randv2.New(randv2.NewPCG(1, 2))
	fixedChaCha = randv2.NewChaCha8([32]byte{7})
	fixedSource = rand.New(rand.NewSource(1))
)

// drawnAtInit is what AT_INIT asks for, by its name.
var drawnAtInit = drawAtInit(os.Getenv("AT_INIT"))

// timed is the generator that people wrote before Go 1.20.
var timed, clocked interface{ Uint64() uint64 }

func drawAtInit(words string) map[string]uint64 {
	drawn := map[string]uint64{}
	for name, draw := range sources {
		if strings.Contains(words, name+",") {
			drawn[name] = draw()
		}
	}
	if strings.Contains(words, "timed,") {
		timed = rand.New(rand.NewSource(time.Now().UnixNano()))
	}
	if strings.Contains(words, "clocked,") { // it looks like nothing but two numbers
		now := uint64(time.Now().UnixNano())
		clocked = randv2.NewPCG(now, now)
	}
	if strings.Contains(words, "seed,") {
		rand.Seed(time.Now().UnixNano())
	}
	return drawn
}

// sources differ between two fresh processes.
var sources = map[string]func() uint64{
	"crypto":  fromCrypto,
	"math":    rand.Uint64,
	"v2":      randv2.Uint64,
	"maphash": func() uint64 { return maphash.String(maphash.MakeSeed(), "text") },
}

func fromCrypto() uint64 {
	var p [8]byte
	crypto.Read(p[:])
	return binary.LittleEndian.Uint64(p[:])
}

// many is more than the runtime's generator has in store.
const many = 1000

func (g *guest) random() {
	g.say("fixed-pcg=%x fixed-chacha=%x fixed-source=%x", fixedPCG.Uint64(), fixedChaCha.Uint64(), fixedSource.Uint64())
	for name, draw := range sources {
		g.say(" %s=%x", name, draw())
		for range many {
			draw()
		}
		g.say(" %s-later=%x", name, draw())
	}
	for name, drawn := range drawnAtInit {
		g.say(" init-%s=%x", name, drawn)
	}
	if timed != nil {
		g.say(" timed=%x", timed.Uint64())
	}
	if clocked != nil {
		g.say(" clocked=%x", clocked.Uint64())
	}
}
