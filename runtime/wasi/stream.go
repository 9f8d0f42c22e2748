package wasi

import (
	"context"
	"errors"
	"io"
)

// stream is a standard stream. It is written at once and never kept.
type stream struct {
	in       io.Reader
	out      io.Writer
	terminal bool
}

// filetype is "unknown" for what is no terminal, as there is no type for pipes.
func (s *stream) filetype() uint8 {
	if s.terminal {
		return typeCharacter
	}
	return typeUnknown
}

// read fills p with what there is, waiting for the first byte at most.
func (s *stream) read(ctx context.Context, p []byte) (int, Errno) {
	if s.in == nil {
		return 0, Success
	}
	var n int
	var err error
	if i, ok := s.in.(*Interruptible); ok {
		n, err = i.read(ctx, p)
	} else {
		n, err = s.in.Read(p)
	}
	if n > 0 || errors.Is(err, io.EOF) {
		return n, Success
	}
	return 0, hostErrno(err)
}

func (s *stream) write(p []byte) (int, Errno) {
	if s.out == nil {
		return len(p), Success
	}
	n, err := s.out.Write(p)
	if n > 0 {
		return min(n, len(p)), Success // what follows comes with the next write
	}
	return 0, hostErrno(err)
}

// waits reports whether a read would have to wait, and on what.
func (s *stream) waits() (<-chan chunk, bool) {
	if i, ok := s.in.(*Interruptible); ok && i.empty() {
		i.ask()
		return i.got, true
	}
	return nil, false
}

// available is what can be read without waiting, as far as it is known.
func (s *stream) available() int {
	if i, ok := s.in.(interface{ Len() int }); ok {
		return i.Len()
	}
	return 0
}

// Interruptible is a standard input that may wait for a person or a pipe, read
// so that a guest that waits for it still stops in time. The read that was under
// way stays behind, as nothing can stop it, until its reader answers: so this is
// for programs that end with their guest, not for servers.
type Interruptible struct {
	want  chan struct{}
	got   chan chunk
	asked bool
	rest  []byte
	err   error
}

// chunk is what one read returned.
type chunk struct {
	p   []byte
	err error
}

// NewInterruptible reads from r when a guest asks.
func NewInterruptible(r io.Reader) *Interruptible {
	i := &Interruptible{want: make(chan struct{}, 1), got: make(chan chunk, 1)}
	go func() {
		for range i.want {
			p := make([]byte, 64<<10)
			n, err := r.Read(p)
			i.got <- chunk{p[:n], err}
		}
	}()
	return i
}

// Close ends the reading, after the read that is under way.
func (i *Interruptible) Close() { close(i.want) }

// Read implements io.Reader.
func (i *Interruptible) Read(p []byte) (int, error) { return i.read(context.Background(), p) }

// Len is what can be read without waiting.
func (i *Interruptible) Len() int { return len(i.rest) }

func (i *Interruptible) read(ctx context.Context, p []byte) (int, error) {
	if i.empty() {
		i.ask()
		select {
		case c := <-i.got:
			i.take(c)
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	n := copy(p, i.rest)
	i.rest = i.rest[n:]
	if n == 0 {
		return 0, i.err
	}
	return n, nil
}

func (i *Interruptible) empty() bool { return len(i.rest) == 0 && i.err == nil }

func (i *Interruptible) ask() {
	if !i.asked {
		i.asked = true
		i.want <- struct{}{}
	}
}

func (i *Interruptible) take(c chunk) { i.asked, i.rest, i.err = false, c.p, c.err }
