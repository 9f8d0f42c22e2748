package host

import (
	"os"
	"strconv"
	"strings"
)

// defaultMemory is the host's budget where the system's memory is not known.
const defaultMemory = 2 << 30

// memoryBudget is three quarters of what this process may use: the machine's
// memory or the limit of its control group, whichever is smaller.
func memoryBudget() int64 {
	total := int64(0)
	for _, read := range []func() int64{machineMemory, groupMemory} {
		if n := read(); n > 0 && (total == 0 || n < total) {
			total = n
		}
	}
	if total == 0 {
		return defaultMemory
	}
	return total / 4 * 3
}

func machineMemory() int64 {
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(info)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "MemTotal:" {
			kib, _ := strconv.ParseInt(fields[1], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// groupMemory reads https://docs.kernel.org/admin-guide/cgroup-v2.html's
// memory.max as a container sees it.
func groupMemory() int64 {
	limit, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(limit)), 10, 64) // "max" reads as 0: no limit
	return n
}
