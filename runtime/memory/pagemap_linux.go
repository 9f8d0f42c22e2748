package memory

import (
	"encoding/binary"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pagemap is /proc/self/pagemap, which knows for each page of the process where
// it comes from. One descriptor serves all memories at once.
//
// https://docs.kernel.org/admin-guide/mm/pagemap.html
type pagemap struct {
	fd  int
	way way
}

// ways are all of them, the best first.
func ways() []way {
	return []way{
		{"PAGEMAP_SCAN, Linux 6.7", (*pagemap).scan},
		{"reading /proc/self/pagemap", (*pagemap).read},
	}
}

func openPagemap(w way) (*pagemap, error) {
	fd, err := unix.Open("/proc/self/pagemap", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "/proc/self/pagemap", Err: err}
	}
	return &pagemap{fd, w}, nil
}

func (p *pagemap) close() error {
	if p == nil {
		return nil
	}
	return os.NewSyscallError("close", unix.Close(p.fd))
}

// From linux/fs.h.
const (
	pagemapScan   = 0xc0606610 // _IOWR('f', 16, struct pm_scan_arg)
	pageIsFile    = 1 << 2
	pageIsPresent = 1 << 3
	pageIsSwapped = 1 << 4
	pageIsZero    = 1 << 5 // PAGE_IS_PFNZERO
)

// scanArgs is struct pm_scan_arg.
type scanArgs struct {
	size, flags, start, end, walkEnd, vec, vecLen, maxPages uint64
	inverted, mask, anyOf, returned                         uint64
}

// scan asks for the pages that are not the image's, and leaves out those that are
// the system's page of zeros where they may be. Elsewhere it can have taken the
// place of a page that was written: see use_zero_pages in
// https://docs.kernel.org/admin-guide/mm/ksm.html
func (p *pagemap) scan(v view, at int, s *scratch) ([]span, int, error) {
	base := uint64(uintptr(unsafe.Pointer(&v.mem[0])))
	args := scanArgs{
		size: uint64(unsafe.Sizeof(scanArgs{})), start: base + uint64(at), end: base + uint64(len(v.mem)),
		vec: uint64(uintptr(unsafe.Pointer(&s.ranges))), vecLen: uint64(len(s.ranges)),
		inverted: pageIsFile, mask: pageIsFile, anyOf: pageIsPresent | pageIsSwapped, returned: pageIsZero,
	}
	n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(p.fd), pagemapScan, uintptr(unsafe.Pointer(&args)))
	runtime.KeepAlive(s)
	if errno != 0 {
		return nil, 0, os.NewSyscallError("PAGEMAP_SCAN", errno)
	}
	found := s.found[:0]
	for _, r := range s.ranges[:n] {
		from, to := int(r.start-base), int(r.end-base)
		if r.categories&pageIsZero != 0 {
			to = min(to, max(from, v.zeros))
		}
		found = append(found, span{from, to})
	}
	return found, int(args.walkEnd - base), nil
}

// Bits of an entry, of 8 bytes.
const (
	entryIsFile    = 1 << 61
	entryIsSwapped = 1 << 62
	entryIsPresent = 1 << 63
	entriesBytes   = 4 << 10
)

// read looks at each page's entry. It cannot tell the page of zeros from others.
func (p *pagemap) read(v view, at int, s *scratch) ([]span, int, error) {
	if s.entries == nil {
		s.entries = make([]byte, entriesBytes)
	}
	page := hostPage()
	want := min((len(v.mem)-at)/page*8, entriesBytes)
	first := (uintptr(unsafe.Pointer(&v.mem[0])) + uintptr(at)) / uintptr(page)
	n, err := unix.Pread(p.fd, s.entries[:want], int64(first)*8)
	if err != nil {
		return nil, 0, os.NewSyscallError("pread", err)
	}
	found, open := s.found[:0], false
	for i := 0; i+8 <= n; i, at = i+8, at+page {
		e := binary.NativeEndian.Uint64(s.entries[i:])
		private := e&(entryIsPresent|entryIsSwapped) != 0 && e&entryIsFile == 0
		switch {
		case private && open:
			found[len(found)-1].to += page
		case private && len(found) == len(s.found):
			return found, at, nil
		case private:
			found = append(found, span{at, at + page})
		}
		open = private
	}
	return found, at, nil
}
