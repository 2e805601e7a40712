//go:build cgo && !nonative

package cv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	"gleaner/capture"
)

// ioTimeout bounds each wait for a stream: a little less than Stall, so that the error comes with its reason before the
// camera counts as stalled; 2 s without a Stall.
func ioTimeout(o capture.Options) time.Duration {
	if o.Stall <= 0 {
		return 2 * time.Second
	}
	return min(max(o.Stall*2/3, 500*time.Millisecond), 30*time.Second)
}

// ffmpegParams bound each call of FFmpeg in all, as OpenCV takes it per capture, through FFmpeg's interrupt callback
// (measured: 2.0 s for 2 s on RTSP and HTTP alike, where 30 s are the default).
func ffmpegParams(d time.Duration) []int {
	ms := int(d / time.Millisecond)
	return []int{propOpenTimeout, ms, propReadTimeout, ms}
}

// silence is after how long without a byte FFmpeg gives an RTSP stream up. It is the time-out in the shim's gl_setup.
const silence = 2 * time.Second

// rtspTimeout bounds a call on an RTSP stream in all. It is long beside silence, because H.264 shows nothing until its
// next key frame, for which cameras take their time: up to some seconds as they are shipped.
func rtspTimeout(o capture.Options) time.Duration { return max(10*time.Second, 2*o.Stall) }

// rtsp is an RTSP stream, over TCP.
type rtsp struct {
	device
	url string
}

// Open connects through FFmpeg. The host is dialled first, and asked afterwards if FFmpeg failed, because FFmpeg's
// reasons do not come through OpenCV.
func (d *rtsp) Open(ctx context.Context) (capture.Source, error) {
	host, err := hostPort(d.url)
	if err != nil {
		return nil, fmt.Errorf("open stream %s: %w", d.name, err)
	}
	conn, err := (&net.Dialer{Timeout: ioTimeout(d.o)}).DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, fmt.Errorf("open stream %s: %w", d.name, netReason(err))
	}
	_ = conn.Close()
	v, err := openVideo(d.url, apiFFmpeg, ffmpegParams(rtspTimeout(d.o))...)
	if v == nil {
		return nil, fmt.Errorf("open stream %s: %w", d.name, errors.Join(err, d.diagnose(ctx, host)))
	}
	return &liveSource{name: d.name, v: v, timeout: silence}, nil
}

// diagnose asks the server what it holds against the stream (DESCRIBE, RFC 2326 section 10.2).
func (d *rtsp) diagnose(ctx context.Context, host string) error {
	silent := errors.New("the host accepts connections but sends no video that FFmpeg reads")
	if strings.HasPrefix(strings.ToLower(d.url), "rtsps") {
		return silent
	}
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", host)
	if err != nil {
		return netReason(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(500 * time.Millisecond)) // fails only on a closed connection, as the write then does
	u, err := url.Parse(d.url)
	if err != nil {
		return silent
	}
	withUser := u.User != nil
	u.User = nil
	if _, err := fmt.Fprintf(conn, "DESCRIBE %s RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n", u); err != nil {
		return silent
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return fmt.Errorf("the host accepts connections but does not answer within %v", silence)
	}
	_, status, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch {
	case strings.HasPrefix(status, "401") && withUser:
		return errors.New("the camera refuses the user or password (or uses one of its ways of asking that FFmpeg lacks)")
	case strings.HasPrefix(status, "401"):
		return errors.New("the camera wants a user and password: rtsp://user:password@host/…")
	case strings.HasPrefix(status, "404"):
		return errors.New("the host has no stream of this path (404): see the camera's manual for the path")
	case strings.HasPrefix(status, "200"):
		return silent
	}
	return fmt.Errorf("the host answers %q", status)
}

// hostPort is the address to dial.
func hostPort(rawURL string) (string, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // without the URL, which has the password in it
		}
		return "", fmt.Errorf("%w (in a password write %%40 for @, %%2F for /, %%23 for # and %%25 for %%)", err)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"rtsp": "554", "rtsps": "322", "http": "80", "https": "443"}[strings.ToLower(u.Scheme)]
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

// netReason says in a few words why a host was not reached.
func netReason(err error) error {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &dns):
		return fmt.Errorf("the name %s is not known to DNS: %s", dns.Name, dns.Err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("connection refused: the host is up, but nothing listens at this port")
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return errors.New("no route to the host: is the camera on, and in this network?")
	case errors.As(err, &op) && op.Timeout():
		return errors.New("the host does not answer: is the camera on, and in this network?")
	}
	return err
}

// liveSource is a stream that FFmpeg reads.
type liveSource struct {
	name    string
	v       *video
	timeout time.Duration // a read that failed after this long failed by silence, a quicker one by the stream's end
}

// Read decodes the next frame. It returns within the time-out and does not end early with ctx.
func (s *liveSource) Read(ctx context.Context, b capture.Buffer) (time.Time, error) {
	if s.v == nil {
		return time.Time{}, errClosed
	}
	m, err := buffer(b)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return time.Time{}, err
	}
	began := time.Now()
	if err = s.v.read(m); err == nil {
		return time.Time{}, nil
	}
	if errors.Is(err, errNoFrame) {
		err = errors.New("the stream has ended")
		if time.Since(began) >= s.timeout*9/10 {
			err = fmt.Errorf("no frame within %v: connected, but nothing comes", time.Since(began).Round(100*time.Millisecond))
		}
	}
	return time.Time{}, fmt.Errorf("read %s: %w", s.name, err)
}

// Close ends the connection.
func (s *liveSource) Close() error {
	if s.v != nil {
		s.v.close()
		s.v = nil
	}
	return nil
}
