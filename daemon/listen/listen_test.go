package listen_test

import (
	"net"
	"strings"
	"testing"

	"gleaner/daemon/listen"
)

func TestUpwards(t *testing.T) {
	a, taken, err := listen.Upwards("127.0.0.1:0")
	if err != nil || taken {
		t.Fatalf("any port: taken %v, %v", taken, err)
	}
	defer a.Close()
	b, taken, err := listen.Upwards(a.Addr().String())
	if err != nil || !taken {
		t.Fatalf("a taken port: taken %v, %v", taken, err)
	}
	defer b.Close()
	first, next := a.Addr().(*net.TCPAddr).Port, b.Addr().(*net.TCPAddr).Port
	if next <= first || next > first+19 {
		t.Errorf("port %d was taken and %d is listened on", first, next)
	}
}

func TestUpwardsRefuses(t *testing.T) {
	if top, err := net.Listen("tcp", "127.0.0.1:65535"); err == nil { // the last port there is
		defer top.Close()
	}
	for name, c := range map[string]struct{ addr, want string }{
		"no port":            {"127.0.0.1", "missing port"},
		"a name":             {"127.0.0.1:http-x", "is no number"},
		"too high":           {"127.0.0.1:65536", "is no number from 0 to 65535"},
		"another's address":  {"192.0.2.1:1883", "assign requested address"},
		"nothing above it":   {"127.0.0.1:65535", "from 65535 to 65535 are taken"},
		"a host with no dot": {"no host:1883", "no host"},
	} {
		t.Run(name, func(t *testing.T) {
			ln, _, err := listen.Upwards(c.addr)
			if err == nil {
				ln.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
