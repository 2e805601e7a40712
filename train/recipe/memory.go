package recipe

import (
	"math"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
)

// memory is how many bytes this process may have: what its control groups allow, or what the machine has. Where neither can be
// told it is all that can be.
func memory() int64 {
	groups, _ := os.ReadFile("/proc/self/cgroup")
	info, _ := os.ReadFile("/proc/meminfo")
	return memoryOf(string(groups), string(info), "/sys/fs/cgroup")
}

// HoldMemory lets Go's collector keep its heap below three eighths of what the control group allows, where there is such a limit and GOMEMLIMIT
// does not say otherwise: the rest is for networks, which lie outside of the heap. Without it the heap may grow to twice of what
// is in use before anything is collected, and the kernel ends the process first.
func HoldMemory() {
	info, _ := os.ReadFile("/proc/meminfo")
	if most := memory(); os.Getenv("GOMEMLIMIT") == "" && most < memoryOf("", string(info), "") {
		debug.SetMemoryLimit(most / 8 * 3)
	}
}

// memoryOf reads /proc/self/cgroup, /proc/meminfo and the limits below root, of each group and those above it: of version 2
// (memory.max) and version 1 (memory.limit_in_bytes) of the kernel's interface (cgroups(7)).
func memoryOf(groups, info, root string) int64 {
	least := int64(math.MaxInt64)
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			if kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64); err == nil {
				least = kb << 10
			}
		}
	}
	for line := range strings.Lines(groups) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 {
			continue
		}
		dir, file := root, "memory.max"
		switch {
		case part[1] == "memory":
			dir, file = filepath.Join(root, "memory"), "memory.limit_in_bytes"
		case part[1] != "":
			continue
		}
		for group := path.Clean("/" + part[2]); ; group = path.Dir(group) {
			if b, err := os.ReadFile(filepath.Join(dir, group, file)); err == nil {
				if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && n > 0 { // otherwise "max"
					least = min(least, n)
				}
			}
			if group == "/" {
				break
			}
		}
	}
	return least
}
