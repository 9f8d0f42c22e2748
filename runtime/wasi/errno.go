package wasi

import (
	"errors"
	"io/fs"
	"strconv"
	"syscall"
)

// Errno is the result of a preview 1 function.
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#errno
type Errno uint16

// The errors that we give.
const (
	Success      Errno = 0
	EACCES       Errno = 2
	EAGAIN       Errno = 6
	EBADF        Errno = 8
	EBUSY        Errno = 10
	EEXIST       Errno = 20
	EFAULT       Errno = 21
	EFBIG        Errno = 22
	EILSEQ       Errno = 25
	EINVAL       Errno = 28
	EIO          Errno = 29
	EISDIR       Errno = 31
	ELOOP        Errno = 32
	EMFILE       Errno = 33
	EMLINK       Errno = 34
	ENAMETOOLONG Errno = 37
	ENFILE       Errno = 41
	ENOENT       Errno = 44
	ENOMEM       Errno = 48
	ENOSPC       Errno = 51
	ENOSYS       Errno = 52
	ENOTDIR      Errno = 54
	ENOTEMPTY    Errno = 55
	ENOTSOCK     Errno = 57
	ENOTSUP      Errno = 58
	EPERM        Errno = 63
	EPIPE        Errno = 64
	EROFS        Errno = 69
	ESPIPE       Errno = 70
	ETXTBSY      Errno = 74
	EXDEV        Errno = 75
	ENOTCAPABLE  Errno = 76
)

// Error implements error, for logs and tests.
func (e Errno) Error() string { return "wasi errno " + strconv.Itoa(int(e)) }

// hostErrno says in preview 1's terms what went wrong with the host's files.
func hostErrno(err error) Errno {
	var known Errno
	var sys syscall.Errno
	switch {
	case err == nil:
		return Success
	case errors.As(err, &known):
		return known
	case errors.As(err, &sys):
		if e := systemErrno(sys); e != Success {
			return e
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ENOENT
	case errors.Is(err, fs.ErrExist):
		return EEXIST
	case errors.Is(err, fs.ErrPermission):
		return EACCES
	case errors.Is(err, fs.ErrInvalid):
		return EINVAL
	}
	return EIO
}

func systemErrno(err syscall.Errno) Errno {
	switch err {
	case syscall.EACCES:
		return EACCES
	case syscall.EAGAIN:
		return EAGAIN
	case syscall.EBADF:
		return EBADF
	case syscall.EBUSY:
		return EBUSY
	case syscall.EEXIST:
		return EEXIST
	case syscall.EFBIG:
		return EFBIG
	case syscall.EINVAL:
		return EINVAL
	case syscall.EISDIR:
		return EISDIR
	case syscall.ELOOP:
		return ELOOP
	case syscall.EMFILE, syscall.ENFILE:
		return ENFILE // the host's table is full, not the guest's
	case syscall.EMLINK:
		return EMLINK
	case syscall.ENAMETOOLONG:
		return ENAMETOOLONG
	case syscall.ENOENT:
		return ENOENT
	case syscall.ENOSPC:
		return ENOSPC
	case syscall.ENOTDIR:
		return ENOTDIR
	case syscall.ENOTEMPTY:
		return ENOTEMPTY
	case syscall.EPERM:
		return EPERM
	case syscall.EPIPE:
		return EPIPE
	case syscall.EROFS:
		return EROFS
	case syscall.ETXTBSY:
		return ETXTBSY
	case syscall.EXDEV:
		return EXDEV
	}
	return Success
}
