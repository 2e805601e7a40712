package onednn

import (
	"fmt"
	"os"
	"syscall"
)

// Passive starts this program again, in its own place, with OMP_WAIT_POLICY=passive in the environment, unless the variable is
// set; it then does not return. Threads of OpenMP's pool otherwise spin while they wait, which on shared cores takes the time
// of those who work. The variable counts when libgomp is loaded, and OpenCV brings libgomp along at the program's start.
func Passive() error {
	const name = "OMP_WAIT_POLICY"
	if os.Getenv(name) != "" {
		return nil
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("start again with %s=passive: %w", name, err)
	}
	return syscall.Exec(exe, os.Args, append(os.Environ(), name+"=passive"))
}
