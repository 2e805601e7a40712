package onednn

import (
	"fmt"
	"os"
	"syscall"
)

// Passive makes the threads of OpenMP's pool sleep while they wait, instead of spinning for a while: on shared cores that
// takes the time of those who work (of one program on a busy machine: 716 pictures/s, 3,156 when passive). OpenMP reads its
// setting when the loader maps it, at the program's start where OpenCV is linked, so that nothing short of starting again will
// do: unless OMP_WAIT_POLICY is set already, Passive replaces the process by one of the same program and arguments with it
// set to passive, and does not return. A program calls it first of all, before it has opened anything.
func Passive() error {
	const name = "OMP_WAIT_POLICY"
	if os.Getenv(name) != "" {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("start again with %s=passive: %w", name, err)
	}
	return fmt.Errorf("start again with %s=passive: %w", name, syscall.Exec(self, os.Args, append(os.Environ(), name+"=passive")))
}
