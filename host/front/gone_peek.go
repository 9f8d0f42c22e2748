//go:build linux || darwin

package front

import (
	"errors"
	"net"
	"syscall"
)

// gone reports whether the peer of c has closed or lost its connection, by
// looking at the next byte without taking it.
func gone(c net.Conn) bool {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	over := false
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		alive := errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR)
		over = n <= 0 && !alive
	})
	return err == nil && over
}
