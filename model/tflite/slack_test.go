//go:build linux && cgo && !nonative

package tflite

import (
	"syscall"
	"testing"
	"time"
)

func TestTimersMayBeLate(t *testing.T) {
	const get = 30 // PR_GET_TIMERSLACK, linux/prctl.h
	ns, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, get, 0, 0)
	if errno != 0 || time.Duration(ns) < time.Millisecond {
		t.Fatalf("timers may be %v late (%v): want 1ms, or the runtime looks after native calls every 20 µs", time.Duration(ns), errno)
	}
}
