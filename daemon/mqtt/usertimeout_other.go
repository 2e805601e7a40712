//go:build !linux

package mqtt

import (
	"syscall"
	"time"
)

// userTimeout does nothing here: a silent network is found by the keep-alive alone.
func userTimeout(time.Duration) func(network, address string, c syscall.RawConn) error { return nil }
