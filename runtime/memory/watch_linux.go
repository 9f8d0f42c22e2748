package memory

import "golang.org/x/sys/unix"

// threadFaults is how many page faults the calling thread has taken,
// https://man7.org/linux/man-pages/man2/getrusage.2.html.
func threadFaults() int64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &u) != nil {
		return -1
	}
	return u.Minflt + u.Majflt
}
