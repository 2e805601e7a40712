// Package listen opens a TCP port that may be taken: then the next free one above it serves, and the caller can say so.
// Who serves there, and whom it lets in, are not in it.
package listen

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// portsTried is how many ports from the wished one upwards are tried.
const portsTried = 20

// Upwards listens on the wished host:port or on a free one of the 19 above it. Port 0 is any free one. taken says that
// the wished one was not free; the caller closes ln.
func Upwards(addr string) (ln net.Listener, taken bool, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, false, err
	}
	first, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, false, fmt.Errorf("port %q is no number from 0 to 65535", port)
	}
	last := min(first+portsTried-1, 65535)
	for p := first; ; p++ {
		ln, err = net.Listen("tcp", net.JoinHostPort(host, strconv.FormatUint(p, 10)))
		switch {
		case err == nil:
			return ln, taken, nil
		case !errors.Is(err, syscall.EADDRINUSE):
			return nil, taken, err
		case p == last:
			return nil, true, fmt.Errorf("the ports from %d to %d are taken: %w", first, last, err)
		}
		taken = true
	}
}
