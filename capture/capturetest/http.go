package capturetest

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// HTTPServer serves MJPEG at every path, as network cameras do.
type HTTPServer struct {
	ln  net.Listener
	srv *http.Server
	wg  sync.WaitGroup
}

// NewHTTPServer listens on a free port of 127.0.0.1.
func NewHTTPServer(o StreamOptions) (*HTTPServer, error) {
	pictures, err := Pictures(o.W, o.H, 10)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &HTTPServer{ln: ln, srv: &http.Server{ReadHeaderTimeout: 10 * time.Second}}
	s.srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=frame")
		tick := time.NewTicker(o.period())
		defer tick.Stop()
		for i := 0; ; i++ {
			p := pictures[i%len(pictures)]
			length := fmt.Sprintf("Content-Length: %d\r\n", len(p))
			if o.NoLength {
				length = ""
			}
			if _, err := fmt.Fprintf(w, "--frame\r\nContent-Type: image/jpeg\r\n%s\r\n%s\r\n", length, p); err != nil {
				return
			}
			if http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	})
	s.wg.Go(func() { _ = s.srv.Serve(ln) }) // returns ErrServerClosed, by Close
	return s, nil
}

// Addr is host:port.
func (s *HTTPServer) Addr() string { return s.ln.Addr().String() }

// Close cuts all connections and ends the server.
func (s *HTTPServer) Close() error {
	err := s.srv.Close()
	s.wg.Wait()
	return err
}
