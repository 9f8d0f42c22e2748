package memory

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// imageFile is a sealed memfd with the content up to the last page that is not
// zero; in front of it, pages that are zero are holes. What follows it in the
// image is zero and of no file, so that writing there costs one page, not two.
type imageFile struct {
	fd     int
	length int
}

// size counts holes too: reading them through a mapping fills them.
func (f imageFile) size(*Image) int64 { return int64(f.length) }

// zeros is where the zeros start that are of no file.
func (f imageFile) zeros() int { return f.length }

const seals = unix.F_SEAL_WRITE | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL

// fill copies content into the file, seals it and maps it to be read.
func (i *Image) fill(content []byte) (err error) {
	i.file.fd = -1
	defer func() {
		if err != nil {
			_ = i.free()
		}
	}()
	i.file.length = usedBytes(content)
	if err = i.charge(i.file.length); err != nil {
		return err
	}
	if i.file.length > 0 {
		if err = i.file.write(content); err != nil {
			return err
		}
	}
	if len(content) == 0 {
		return nil
	}
	if i.bytes, err = unix.Mmap(-1, 0, len(content), unix.PROT_READ, unix.MAP_ANON|unix.MAP_PRIVATE); err != nil {
		return os.NewSyscallError("mmap", err)
	}
	return i.file.lay(i.bytes, unix.PROT_READ)
}

func (f *imageFile) write(content []byte) (err error) {
	if f.fd, err = openMemfd(); err != nil {
		return os.NewSyscallError("memfd_create", err)
	}
	if err = unix.Ftruncate(f.fd, int64(f.length)); err != nil {
		return os.NewSyscallError("ftruncate", err)
	}
	for at := 0; at < f.length; {
		run := usedRun(content[at:f.length])
		if err = pwrite(f.fd, content[at:at+run], int64(at)); err != nil {
			return os.NewSyscallError("pwrite", err)
		}
		at += max(run, hostPage())
	}
	_, err = unix.FcntlInt(uintptr(f.fd), unix.F_ADD_SEALS, seals)
	return os.NewSyscallError("seal", err)
}

// openMemfd asks for a file that can never be executed where the system knows
// such files: some allow no others.
func openMemfd() (int, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("cloche-image", flags|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) {
		return unix.MemfdCreate("cloche-image", flags)
	}
	return fd, err
}

// lay maps the file privately over the start of space.
func (f *imageFile) lay(space []byte, prot int) error {
	if f.length == 0 {
		return nil
	}
	_, err := unix.MmapPtr(f.fd, 0, unsafe.Pointer(&space[0]), uintptr(f.length), prot, unix.MAP_PRIVATE|unix.MAP_FIXED)
	return os.NewSyscallError("mmap", err)
}

func (i *Image) free() (err error) {
	if i.bytes != nil {
		err = os.NewSyscallError("munmap", unix.Munmap(i.bytes))
	}
	if i.file.fd >= 0 {
		err = errors.Join(err, os.NewSyscallError("close", unix.Close(i.file.fd)))
	}
	i.bytes, i.file.fd = nil, -1
	i.uncharge()
	return err
}

// usedBytes is the length of content without the pages of zeros at its end.
func usedBytes(content []byte) int {
	n, page := len(content), hostPage()
	for n > 0 && isZero(content[n-page:n]) {
		n -= page
	}
	return n
}

// usedRun is the length of the pages at the start of content that are not zero.
func usedRun(content []byte) (n int) {
	for n < len(content) && !isZero(content[n:n+hostPage()]) {
		n += hostPage()
	}
	return n
}

func pwrite(fd int, b []byte, at int64) error {
	for len(b) > 0 {
		n, err := unix.Pwrite(fd, b, at)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		n = max(n, 0)
		b, at = b[n:], at+int64(n)
	}
	return nil
}
