package front

import (
	"bytes"
	"strconv"

	"github.com/cloche-run/cloche/abi"
)

// chunk reads a chunk-size line and announces its data, or ends the body.
// RFC 9112 section 7.1.
func (g *reader) chunk() error {
	line, err := g.line(ChunkLineBytes)
	if err == errLongLine {
		return refusal(abi.FaultBadRequest, "chunk-size line too long")
	}
	if err != nil {
		return err
	}
	if g.framing += len(line) + len("\r\n\r\n"); g.framing > FramingBytes {
		return refusal(abi.FaultBodyTooLarge, "too many chunks")
	}
	n, ok := chunkSize(line)
	switch {
	case !ok:
		return refusal(abi.FaultBadRequest, "bad chunk-size line")
	case n > abi.RequestBodyBytes-g.body:
		return refusal(abi.FaultBodyTooLarge, "request body too large")
	case n == 0:
		if err := g.trailers(); err != nil {
			return err
		}
	}
	g.announce(n)
	return nil
}

// announce tells fasthttp that n bytes of data follow, 0 ending the body.
func (g *reader) announce(n int) {
	g.body += n
	g.left = n
	b := strconv.AppendInt(g.outBuf[:0], int64(n), 16)
	b = append(b, "\r\n"...)
	g.phase = phaseData
	if n == 0 {
		b, g.phase = append(b, "\r\n"...), phaseDone
	}
	g.out = b
}

// chunkEnd closes the data that was passed.
func (g *reader) chunkEnd() error {
	g.out = append(g.outBuf[:0], "\r\n"...)
	if !g.chunked {
		g.phase = phaseSteps
		return nil
	}
	g.phase = phaseChunk
	for g.w-g.r < 2 {
		if err := g.fill(); err != nil {
			return broken(err)
		}
	}
	if g.buf[g.r] != '\r' || g.buf[g.r+1] != '\n' {
		return refusal(abi.FaultBadRequest, "chunk data does not end in CRLF")
	}
	g.r += 2
	return nil
}

// chunkSize reads 1*HEXDIG [chunk-ext]. Space after the size is allowed before
// an extension only. A size beyond every limit stops at one above it.
func chunkSize(line []byte) (n int, ok bool) {
	digits := 0
	for ; digits < len(line); digits++ {
		v, ok := abi.Unhex(line[digits])
		if !ok {
			break
		}
		if n = n<<4 | int(v); n > abi.RequestBodyBytes {
			n = abi.RequestBodyBytes + 1
		}
	}
	if digits == 0 || digits > 16 {
		return 0, false
	}
	ext := line[digits:]
	if len(ext) == 0 {
		return n, true
	}
	ext = bytes.TrimLeft(ext, " \t")
	return n, len(ext) > 1 && ext[0] == ';' && abi.IsFieldValue(ext)
}

// trailers checks the trailer section and drops it: what arrives after the body
// must not be mistaken for what the request was judged by.
func (g *reader) trailers() error {
	left := TrailerBytes
	for n := 0; ; n++ {
		line, err := g.line(left)
		if err == errLongLine || n > RequestFields {
			return refusal(abi.FaultHeadersTooLarge, "trailer section too large")
		}
		if err != nil || len(line) == 0 {
			return err
		}
		if _, _, err := splitField(line); err != nil {
			return err
		}
		left -= len(line) + 2
	}
}
