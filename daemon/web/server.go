package web

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"gleaner/daemon/event"
	"gleaner/daemon/listen"
)

// Options says where the page is.
type Options struct {
	// Listen is host:port, of which a taken port is stepped around, upwards; empty: no page. Whoever can reach the
	// address can see the cameras: the page asks for no password.
	Listen string `yaml:"listen"`
	// Hosts are names that the page answers to besides IP addresses, localhost and the host's own name. Requests under
	// other names are refused, so that a foreign web page cannot read this one by pointing its own name here.
	Hosts []string `yaml:"hosts"`
}

// DefaultOptions is the loopback address, port 8080.
func DefaultOptions() Options { return Options{Listen: "127.0.0.1:8080"} }

// Check finds what cannot work; an error begins with the key.
func (o Options) Check() error {
	if o.Listen == "" {
		return nil
	}
	if _, err := net.ResolveTCPAddr("tcp", o.Listen); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return nil
}

//go:embed assets
var assets embed.FS

const (
	maxConnections = 128
	lastVerdicts   = 20
	maxClasses     = 1000            // counted for each camera
	patience       = 2 * time.Second // how long a request waits for a newer picture
)

// Server is the page.
type Server struct {
	o       Options
	state   State
	log     *slog.Logger
	host    string // the machine's name
	ln      net.Listener
	note    string
	http    *http.Server
	serving sync.WaitGroup
	closing chan struct{}
	once    sync.Once
	encoded atomic.Uint64

	mu      sync.Mutex
	viewers map[string]*Viewer
	last    []event.Object        // newest first
	crops   map[string]event.Crop // pictures of objects in last, by id
	counts  map[string]map[string]uint64
}

// New listens and serves until Close. With an empty Listen there is no page, and what is shown to it goes nowhere. m may
// be nil.
func New(o Options, s State, m Metrics, log *slog.Logger) (*Server, error) {
	w := &Server{o: o, state: s, log: log, viewers: map[string]*Viewer{}, counts: map[string]map[string]uint64{},
		crops: map[string]event.Crop{}, closing: make(chan struct{})}
	if o.Listen == "" {
		return w, nil
	}
	if h, err := os.Hostname(); err == nil {
		w.host = strings.ToLower(h)
	}
	ln, taken, err := listen.Upwards(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("web: listen on %s: %w", o.Listen, err)
	}
	note := ""
	if taken {
		note = o.Listen + " is taken"
		log.Warn("web port stepped around", "why", note, "addr", ln.Addr())
	}
	w.ln, w.note = ln, note
	w.http = &http.Server{Handler: w.guard(w.routes(m)), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 20 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	w.serving.Go(func() {
		if err := w.http.Serve(netutil.LimitListener(ln, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
			log.Error("web server ended", "err", err)
		}
	})
	return w, nil
}

// Addr is host:port as the page listens; empty without a page.
func (w *Server) Addr() string {
	if w.ln == nil {
		return ""
	}
	return w.ln.Addr().String()
}

// Note says why the page is on another port than wished; empty when it is not.
func (w *Server) Note() string { return w.note }

// Close ends the page: requests under way end, at the latest when ctx does.
func (w *Server) Close(ctx context.Context) error {
	w.once.Do(func() { close(w.closing) })
	if w.http == nil {
		return nil
	}
	err := w.http.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("close web: %w", errors.Join(err, w.http.Close()))
	}
	w.serving.Wait()
	return err
}

// Viewer is where a camera's pipeline shows its frames; the same name gives the same one. Without a page it is one that
// never wants any.
func (w *Server) Viewer(cam string) *Viewer {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.viewers[cam]
	if v == nil {
		v = newViewer(&w.encoded)
		w.viewers[cam] = v
	}
	return v
}

// Verdict takes a record for the list of the last ones and the counts by class. It never waits.
func (w *Server) Verdict(o event.Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = slices.Insert(w.last, 0, o)
	for len(w.last) > lastVerdicts {
		delete(w.crops, w.last[len(w.last)-1].ID)
		w.last = w.last[:len(w.last)-1]
	}
	c := w.counts[o.Cam]
	if c == nil {
		c = map[string]uint64{}
		w.counts[o.Cam] = c
	}
	key := o.Class
	if o.Verdict == event.Reject || o.Verdict == event.Unsure {
		key = string(o.Verdict)
	}
	if _, known := c[key]; known || len(c) < maxClasses {
		c[key]++
	}
}

// Crop takes the picture of an object whose record came before. It never waits; one whose record is no longer among the
// last is not kept.
func (w *Server) Crop(c event.Crop) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if slices.ContainsFunc(w.last, func(o event.Object) bool { return o.ID == c.ID && o.Cam == c.Cam }) {
		w.crops[c.ID] = c
	}
}

// Viewers is how many cameras somebody looks at.
func (w *Server) Viewers() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, v := range w.viewers {
		if time.Since(time.Unix(0, v.asked.Load())) < attention {
			n++
		}
	}
	return n
}

// Encoded is how many pictures were encoded.
func (w *Server) Encoded() uint64 { return w.encoded.Load() }
