package front

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"

	"github.com/cloche-run/cloche/abi"
)

// reader reads requests from a connection and feeds them to fasthttp, one at a
// time. It is the only parser of what a client wrote: fasthttp is given a head
// that the reader composed (method, version, framing) and, for a chunked body,
// chunk lines that the reader wrote. So there are no two readings of one request,
// and nothing of the next request is seen before this one was answered.
//
// An error in the head is returned after a first byte, because fasthttp answers
// errors only for a request that has begun.
type reader struct {
	src     io.Reader
	judge   judge
	request // what the head said

	// buf[:held] is the head of the request being served: req borrows it.
	// buf[r:w] was read from src and not used yet.
	buf           []byte
	held, r, w    int
	out           []byte // our own bytes on their way to fasthttp
	outBuf        [160]byte
	phase         phase
	left          int   // bytes of the body to pass before the next step
	body, framing int   // bytes of the body announced, and of its chunk lines
	full          error // why no request of this connection will be read
	fault         error // why this connection is over
	answered      bool  // the request was answered: the next may begin
}

// judge decides about a request whose head is known and sound.
type judge interface{ admit(*request) error }

// windowBytes is what the buffer holds beside a head of the largest size.
const windowBytes = 4 << 10

// stepBytes is how much of a body is announced to fasthttp at once: it gives
// memory to what is announced, and a client may announce 6 MiB and send nothing.
const stepBytes = 64 << 10

// phase is what the reader reads next.
type phase uint8

const (
	phaseIdle  phase = iota // the first byte of a request
	phaseHead               // the rest of its head
	phaseSized              // a body of known length, in one piece
	phaseSteps              // a body of known length, in steps
	phaseChunk              // a chunk-size line
	phaseData               // the end of a chunk's data
	phaseDone               // nothing, until the request is answered
)

// open makes g ready for a new connection. If full is not nil, the first request
// is refused with it, unread.
func (g *reader) open(src io.Reader, j judge, full error) {
	g.src, g.judge, g.full = src, j, full
	g.held, g.r, g.w = 0, 0, 0
	g.out, g.phase, g.left = nil, phaseIdle, 0
	g.body, g.framing = 0, 0
	g.fault, g.answered = nil, false
	g.request.reset()
}

// Read gives fasthttp the next bytes of the request.
func (g *reader) Read(p []byte) (int, error) {
	for len(g.out) == 0 && g.left == 0 {
		if g.fault != nil {
			return 0, g.fault
		}
		began := g.phase != phaseIdle && g.phase != phaseDone
		if err := g.advance(); err != nil {
			if began {
				g.fault = err
			}
			return 0, err
		}
	}
	if len(g.out) > 0 {
		n := copy(p, g.out)
		g.out = g.out[n:]
		return n, nil
	}
	return g.pass(p)
}

// errUnanswered would mean that fasthttp read beyond a request before it wrote
// the response: the memory of that request is still in use.
var errUnanswered = errors.New("front: read beyond the request being served")

// advance takes the next step: it leaves bytes in out, or in left the number of
// body bytes to pass, or a new phase.
func (g *reader) advance() error {
	switch g.phase {
	case phaseIdle:
		return g.begin()
	case phaseHead:
		return g.head()
	case phaseSteps:
		g.announce(min(g.length-g.body, stepBytes))
	case phaseChunk:
		return g.chunk()
	case phaseData:
		return g.chunkEnd()
	case phaseDone:
		if !g.answered {
			return errUnanswered
		}
		g.next()
	}
	return nil
}

// next forgets the request that was answered and keeps what came after it.
func (g *reader) next() {
	g.answered, g.phase, g.held = false, phaseIdle, 0
	g.body, g.framing = 0, 0
	g.slide()
	g.request.reset()
}

// begin waits for a request and passes on its first byte. An error here is the
// end of an idle connection and nobody's fault.
func (g *reader) begin() error {
	// RFC 9112 section 2.2: an empty line before the request line is ignored.
	for blank := 0; ; blank++ {
		if g.r == g.w {
			if err := g.fill(); err != nil {
				return err
			}
		}
		if g.buf[g.r] != '\r' || blank == 2 {
			break
		}
		for g.w-g.r < 2 {
			if err := g.fill(); err != nil {
				return err
			}
		}
		if g.buf[g.r+1] != '\n' {
			break
		}
		g.r += 2
	}
	g.slide()
	g.outBuf[0] = 'X' // any byte will do if the real one is bound to be refused
	if abi.IsTokenByte(g.buf[g.r]) {
		g.outBuf[0] = g.buf[g.r]
	}
	g.out, g.phase = g.outBuf[:1], phaseHead
	return nil
}

// compose puts the head that fasthttp gets into out, without the first byte,
// which it has already, and chooses how the body follows.
func (g *reader) compose() {
	proto, steps := g.req.Proto, g.length > stepBytes
	if steps && proto != proto11 {
		proto, g.close = proto11, true // only 1.1 has a body without a length
	}
	b := append(g.outBuf[:0], g.req.Method...)
	b = append(b, " / "...)
	b = append(b, proto...)
	b = append(b, "\r\nHost: cloche\r\n"...)
	switch {
	case g.chunked:
		b, g.phase = append(b, "Transfer-Encoding: chunked\r\n"...), phaseChunk
	case steps:
		b, g.phase = append(b, "Transfer-Encoding: chunked\r\n"...), phaseSteps
	case g.length > 0:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(g.length), 10)
		b, g.phase, g.left = append(b, "\r\n"...), phaseSized, g.length
	default:
		g.phase = phaseDone
	}
	if g.expect && g.phase != phaseDone {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	switch {
	case g.close:
		b = append(b, "Connection: close\r\n"...)
	case g.keepAlive:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	g.out = append(b, "\r\n"...)[1:]
}

// pass hands over body bytes: those read already, else straight from the wire.
func (g *reader) pass(p []byte) (n int, err error) {
	p = p[:min(len(p), g.left)]
	if g.r < g.w {
		n = copy(p, g.buf[g.r:g.w])
		g.r += n
	} else if n, err = g.src.Read(p); err != nil && n == 0 {
		g.left, g.fault = 0, broken(err)
		return 0, g.fault
	}
	if g.left -= n; g.left == 0 && g.phase == phaseSized {
		g.phase = phaseDone
	}
	return n, nil
}

// errLongLine says that a line has more than the bytes it may have.
var errLongLine = errors.New("line too long")

// line reads one line of at most limit bytes and returns it without its CRLF.
// RFC 9112 section 2.2 lets a server take a bare LF for a line end; a proxy
// before us may not, and two readings of one request are what smuggling needs.
func (g *reader) line(limit int) ([]byte, error) {
	for searched := 0; ; {
		unread := g.buf[g.r:g.w]
		if i := bytes.IndexByte(unread[searched:], '\n'); i >= 0 {
			line := unread[:searched+i]
			g.r += len(line) + 1
			switch {
			case len(line)+1 > limit:
				return nil, errLongLine
			case len(line) == 0 || line[len(line)-1] != '\r':
				return nil, refusal(abi.FaultBadRequest, "a line ends in a bare LF")
			}
			return line[:len(line)-1], nil
		}
		if searched = len(unread); searched >= limit {
			return nil, errLongLine
		}
		if err := g.fill(); err != nil {
			return nil, broken(err)
		}
	}
}

// slide moves what was not used yet down to the head that is held.
func (g *reader) slide() {
	if g.r > g.held {
		copy(g.buf[g.held:], g.buf[g.r:g.w])
		g.w -= g.r - g.held
		g.r = g.held
	}
}

// fill reads more from the wire, at least a byte.
func (g *reader) fill() error {
	g.slide()
	n, err := g.src.Read(g.buf[g.w:])
	g.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// broken is what a request that stopped half-way is answered, if anybody is
// still there.
func broken(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return refusal(abi.FaultSlowRequest, "the request took too long to arrive")
	}
	return refusal(abi.FaultBadRequest, "the connection ended inside the request")
}
