package wasi

import (
	"crypto/rand"
	"runtime"

	"github.com/tetratelabs/wazero/sys"
)

// procExit ends the guest. The panic becomes the error of the guest's call; the
// instance stays open, as its owner may bring it back to its image.
func procExit(c *call) Errno { panic(sys.NewExitError(c.u32(0))) }

func procRaise(*call) Errno { return ENOSYS }

// schedYield is where a guest that waits in a loop lets others run.
func schedYield(c *call) Errno {
	c.endIfOver()
	runtime.Gosched()
	return Success
}

// randomBytes is the piece in which randomness is made: a guest that asks for a
// gigabyte is stopped in between.
const randomBytes = 64 << 10

func (s *System) random(p []byte) {
	if s.getting == nil {
		_, _ = rand.Read(p) // never fails
		return
	}
	s.getting.drew.Random++
	_, _ = s.getting.random.Read(p)
}

func randomGet(c *call) Errno {
	p, ok := c.bytes(c.u32(0), c.u32(1))
	if !ok {
		return EFAULT
	}
	for len(p) > 0 {
		piece := p[:min(len(p), randomBytes)]
		c.sys.random(piece)
		if p = p[len(piece):]; len(p) > 0 {
			c.endIfOver()
		}
	}
	return Success
}
