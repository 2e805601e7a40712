package mqtt

import (
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of tcp(7), which the syscall package does not name.
const tcpUserTimeout = 18

// userTimeout has the kernel end a connection whose data stays unacknowledged by the other host for that long. Without
// it, a live verdict could lie in the kernel's buffer for minutes and still go out when the network comes back.
func userTimeout(d time.Duration) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var err error
		if cerr := c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(d.Milliseconds()))
		}); cerr != nil {
			return cerr
		}
		return err
	}
}
