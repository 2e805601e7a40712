package recipe

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

func TestMemory(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"app/memory.max":                         "max\n",
		"app/job/memory.max":                     "2000000\n",
		"app/job/inner/memory.max":               "3000000\n",
		"memory/box/memory.limit_in_bytes":       "1000000\n",
		"memory/box/inner/memory.limit_in_bytes": "9223372036854771712\n",
	} {
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const info = "MemFree:  1 kB\nMemTotal:       4000 kB\n"
	for name, c := range map[string]struct {
		groups, info string
		want         int64
	}{
		"no limit":           {"0::/app\n", info, 4000 << 10},
		"version 2":          {"0::/app/job\n", info, 2000000},
		"the one above":      {"0::/app/job/inner\n", info, 2000000},
		"version 1":          {"9:cpu,cpuacct:/box\n8:memory:/box/inner\n0::/\n", info, 1000000},
		"a group not to see": {"0::/elsewhere/x\n", info, 4000 << 10},
		"nothing to be told": {"", "", math.MaxInt64},
	} {
		if got := memoryOf(c.groups, c.info, root); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if memory() < 1<<20 {
		t.Errorf("this process may have %d bytes", memory())
	}
}
