package memory

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// keepsImage says that forget brings back the image's pages.
const keepsImage = true

// lay makes the first bytes those of i, each page copied when it is written to.
// What was there is gone. Huge pages are refused, as one byte written would cost
// 2 MiB at every reset.
func (r *region) lay(i *Image) error {
	if err := i.file.lay(r.space, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		return err
	}
	if err := r.forget(uint64(i.file.length), i.Size()); err != nil {
		return err
	}
	if err := unix.Madvise(r.space, unix.MADV_NOHUGEPAGE); err != nil && !errors.Is(err, unix.EINVAL) { // a kernel that knows none
		return os.NewSyscallError("madvise", err)
	}
	return nil
}

// forget frees the pages of a part, which is then what it was before it was
// written to: the image, or zero.
func (r *region) forget(from, to uint64) error {
	if from >= to {
		return nil
	}
	return os.NewSyscallError("madvise", unix.Madvise(r.space[from:to], unix.MADV_DONTNEED))
}
