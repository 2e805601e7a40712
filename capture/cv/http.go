//go:build cgo && !nonative

package cv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gleaner/capture"
)

// httpStream is MJPEG over HTTP. It is read in Go and only decoded by OpenCV: FFmpeg's reader can be bounded in time as
// well, but it does not end when asked to, gives no reason through OpenCV (401, 404), and probes several frames before
// it delivers the first. What is no MJPEG, or wants digest authentication, is given to FFmpeg all the same.
type httpStream struct {
	device
	url string
}

// Open asks for the stream.
func (d *httpStream) Open(ctx context.Context) (capture.Source, error) {
	if _, err := hostPort(d.url); err != nil {
		return nil, fmt.Errorf("open stream %s: %w", d.name, err)
	}
	timeout := ioTimeout(d.o)
	// The request must outlive Open's context, and end with it while Open runs.
	rctx, cancel := context.WithCancel(context.Background())
	defer context.AfterFunc(ctx, cancel)()
	tr := &http.Transport{ // no Proxy: a camera is on the local network
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{Timeout: timeout}).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &idleConn{conn, timeout}, nil
		},
		TLSHandshakeTimeout:   timeout,
		ResponseHeaderTimeout: timeout,
		DisableCompression:    true,
		DisableKeepAlives:     true,
	}
	fail := func(err error) (capture.Source, error) {
		cancel()
		tr.CloseIdleConnections()
		return nil, fmt.Errorf("open stream %s: %w", d.name, err)
	}
	req, err := http.NewRequestWithContext(rctx, http.MethodGet, d.url, nil)
	if err != nil {
		return fail(errors.New("not a URL"))
	}
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return fail(ctx.Err())
		}
		return fail(httpReason(err, timeout))
	}
	kind := resp.Header.Get("Content-Type")
	digest := resp.StatusCode == http.StatusUnauthorized && strings.HasPrefix(strings.ToLower(resp.Header.Get("WWW-Authenticate")), "digest")
	multipart := strings.HasPrefix(strings.ToLower(kind), "multipart/")
	if digest || resp.StatusCode == http.StatusOK && !multipart {
		_ = resp.Body.Close()
		cancel()
		tr.CloseIdleConnections()
		return d.openFFmpeg(kind)
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return fail(statusReason(resp, req.URL.User != nil))
	}
	parts, err := newMJPEGReader(resp.Body, kind)
	if err != nil {
		_ = resp.Body.Close()
		return fail(err)
	}
	return &httpSource{name: d.name, timeout: timeout, body: resp.Body, parts: parts, dec: newDecoder(), cancel: cancel, tr: tr}, nil
}

func (d *httpStream) openFFmpeg(kind string) (capture.Source, error) {
	v, err := openVideo(d.url, apiFFmpeg, ffmpegParams(ioTimeout(d.o))...)
	if v == nil {
		return nil, fmt.Errorf("open stream %s: %w", d.name, orElse(err, fmt.Sprintf("content type %q is no video that FFmpeg reads, or it sent none within %v", kind, ioTimeout(d.o))))
	}
	return &liveSource{name: d.name, v: v, timeout: ioTimeout(d.o)}, nil
}

func httpReason(err error, timeout time.Duration) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		if ue.Timeout() {
			var op *net.OpError
			if errors.As(ue.Err, &op) && op.Op == "dial" {
				return netReason(ue.Err)
			}
			return fmt.Errorf("the host accepts connections but does not answer within %v", timeout)
		}
		err = ue.Err // without the URL, which is named already
	}
	return netReason(err)
}

func statusReason(resp *http.Response, withUser bool) error {
	switch {
	case resp.StatusCode == http.StatusUnauthorized && withUser:
		return errors.New("the camera refuses the user or password (401)")
	case resp.StatusCode == http.StatusUnauthorized:
		return errors.New("the camera wants a user and password (401): http://user:password@host/…")
	case resp.StatusCode == http.StatusNotFound:
		return errors.New("the host has no stream of this path (404): see the camera's manual for the path")
	}
	return fmt.Errorf("the host answers %s", resp.Status)
}

// idleConn bounds each read, and each write, by timeout.
type idleConn struct {
	net.Conn
	timeout time.Duration
}

// Read waits for bytes, at most the time-out long.
func (c *idleConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write sends, at most the time-out long.
func (c *idleConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

type httpSource struct {
	name    string
	timeout time.Duration
	body    io.ReadCloser
	parts   *mjpegReader
	dec     *decoder
	buf     []byte
	cancel  context.CancelFunc
	tr      *http.Transport
	ctx     context.Context // that the request ends with; stop undoes it
	stop    func() bool
	bad     int // damaged pictures in a row
}

// maxBad is how many damaged pictures in a row end a stream; one alone is passed over.
const maxBad = 10

// Read takes the next picture. It ends early with ctx.
func (s *httpSource) Read(ctx context.Context, b capture.Buffer) (time.Time, error) {
	if s.dec == nil {
		return time.Time{}, errClosed
	}
	m, err := buffer(b)
	if err != nil {
		return time.Time{}, err
	}
	if s.ctx != ctx {
		if s.stop != nil {
			s.stop()
		}
		s.ctx, s.stop = ctx, context.AfterFunc(ctx, s.cancel)
	}
	for {
		s.buf, err = s.parts.next(s.buf)
		if ctx.Err() != nil {
			return time.Time{}, ctx.Err()
		}
		if err != nil {
			return time.Time{}, fmt.Errorf("read %s: %w", s.name, s.reason(err))
		}
		if _, _, _, err = sniff(s.buf); err == nil {
			err = s.dec.decode(s.buf, m)
		}
		if err == nil {
			s.bad = 0
			return time.Time{}, nil
		}
		if s.bad++; s.bad == maxBad {
			return time.Time{}, fmt.Errorf("read %s: %d damaged pictures in a row: %w", s.name, maxBad, err)
		}
	}
}

func (s *httpSource) reason(err error) error {
	var ne net.Error
	switch {
	case errors.As(err, &ne) && ne.Timeout():
		return fmt.Errorf("no frame within %v: connected, but nothing comes", s.timeout)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the stream has ended") // not %w: io.EOF is the end of finite sources alone
	}
	return err
}

// Close ends the connection and frees the decoder.
func (s *httpSource) Close() error {
	if s.dec == nil {
		return nil
	}
	if s.stop != nil {
		s.stop()
	}
	s.cancel()
	err := s.body.Close()
	s.tr.CloseIdleConnections()
	s.dec.close()
	s.dec = nil
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("close stream %s: %w", s.name, err)
	}
	return nil
}
