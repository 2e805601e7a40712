package web

import (
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gleaner/daemon/event"
)

// routes is every address of the page. All are read-only.
func (w *Server) routes(m Metrics) http.Handler {
	mux := http.NewServeMux()
	files, err := fs.Sub(assets, "assets")
	if err != nil { // only a wrong folder name in the embed line could do it
		panic(err)
	}
	page := http.FileServerFS(files)
	mux.Handle("GET /{$}", page)
	mux.Handle("GET /page.js", page)
	mux.Handle("GET /page.css", page)
	mux.HandleFunc("GET /api/status.json", w.serveStatus)
	mux.Handle("GET /api/schemas/", http.StripPrefix("/api/schemas/", http.FileServerFS(event.Schemas())))
	mux.HandleFunc("GET /healthz", func(r http.ResponseWriter, _ *http.Request) {
		w.state.Snapshot() // a daemon that cannot say how it is does not answer
		r.Header().Set("Content-Type", "text/plain; charset=utf-8")
		r.Write([]byte("ok\n")) //nolint:errcheck // whoever asked has gone
	})
	if m != nil {
		mux.Handle("GET /metrics", m.Handler())
	}
	return mux
}

// policy forbids the page everything but its own files and pictures, so that even a name that were put into it as
// markup could do nothing.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guard refuses foreign host names and sets the headers that belong to every answer.
func (w *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(r http.ResponseWriter, q *http.Request) {
		h := r.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !w.answersTo(q.Host) {
			http.Error(r, "unknown host name; web.hosts lists further ones", http.StatusMisdirectedRequest)
			return
		}
		// Not a route: the router would send a camera called "a//b" elsewhere, as it cleans paths after decoding them.
		if strings.HasPrefix(q.URL.Path, "/cam/") && (q.Method == http.MethodGet || q.Method == http.MethodHead) {
			w.serveCam(r, q)
			return
		}
		next.ServeHTTP(r, q)
	})
}

func (w *Server) answersTo(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if net.ParseIP(host) != nil || host == "localhost" || host == w.host || host == w.host+".local" {
		return true
	}
	return slices.ContainsFunc(w.o.Hosts, func(n string) bool { return strings.EqualFold(n, host) })
}

// serveCrop gives /cam/<name>/crop/<id>.jpg: the picture of one of the last objects, as it is on MQTT.
func (w *Server) serveCrop(r http.ResponseWriter, name, file string) {
	name, err := url.PathUnescape(name)
	id, isJPEG := strings.CutSuffix(file, ".jpg")
	w.mu.Lock()
	c, ok := w.crops[id]
	w.mu.Unlock()
	if err != nil || !isJPEG || !ok || c.Cam != name {
		http.Error(r, "no such picture: only the last objects have one", http.StatusNotFound)
		return
	}
	b, err := event.Marshal(c)
	if err != nil {
		http.Error(r, "the picture could not be encoded", http.StatusInternalServerError)
		return
	}
	h := r.Header()
	h.Set("Content-Type", "image/jpeg")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	h.Set("Cache-Control", "private, max-age=3600, immutable") // an id never gets another picture
	r.Write(b)                                                 //nolint:errcheck // whoever asked has gone
}

// cropAddress is where serveCrop gives the picture of a record; empty while it has none. Callers hold mu.
func (w *Server) cropAddress(o event.Object) string {
	if _, ok := w.crops[o.ID]; !ok {
		return ""
	}
	return "/cam/" + url.PathEscape(o.Cam) + "/crop/" + url.PathEscape(o.ID) + ".jpg"
}

// serveCam gives /cam/<name>.jpg: the newest picture, with its frame's id in X-Frame and the boxes in it, as JSON in
// base64, in X-Boxes. With ?after=ID it waits a while for a newer one.
func (w *Server) serveCam(r http.ResponseWriter, q *http.Request) {
	name := strings.TrimPrefix(q.URL.EscapedPath(), "/cam/")
	if cam, file, ok := strings.Cut(name, "/crop/"); ok { // a '/' in a camera's name is escaped
		w.serveCrop(r, cam, file)
		return
	}
	name, err := url.PathUnescape(name)
	name, isJPEG := strings.CutSuffix(name, ".jpg")
	w.mu.Lock()
	v := w.viewers[name]
	w.mu.Unlock()
	if err != nil || !isJPEG || v == nil {
		http.Error(r, "no such camera", http.StatusNotFound)
		return
	}
	after, _ := strconv.ParseUint(q.URL.Query().Get("after"), 10, 64)
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for v.ask(); ; {
		id, fresh := v.newest()
		if id > after || id != 0 && after > id { // the latter: ids of an earlier run of the daemon
			break
		}
		select {
		case <-fresh:
			continue
		case <-limit.C:
		case <-w.closing:
		case <-q.Context().Done():
		}
		if id == 0 || after == id {
			r.WriteHeader(http.StatusNoContent)
			return
		}
	}
	p, ok, err := v.picture()
	if err != nil || !ok {
		http.Error(r, "the picture could not be encoded", http.StatusInternalServerError)
		return
	}
	h := r.Header()
	h.Set("Content-Type", "image/jpeg")
	h.Set("Content-Length", strconv.Itoa(len(p.jpeg)))
	h.Set("X-Frame", strconv.FormatUint(p.id, 10))
	h.Set("X-Boxes", base64.StdEncoding.EncodeToString(marksJSON(p)))
	r.Write(p.jpeg) //nolint:errcheck // whoever asked has gone
}

// mark is a Box for the page.
type mark struct {
	Box     [4]event.Frac `json:"box"` // x0, y0, x1, y1, 0 to 1 of the picture
	Track   int64         `json:"track"`
	Verdict event.Verdict `json:"verdict"`
	Class   string        `json:"class"`
	P       event.Prob    `json:"p"`
}

func marksJSON(p picture) []byte {
	out := make([]mark, len(p.boxes))
	for i, b := range p.boxes {
		w, h := float64(p.w), float64(p.h)
		class := []rune(b.Class)
		out[i] = mark{Box: [4]event.Frac{event.Frac(float64(b.X0) / w), event.Frac(float64(b.Y0) / h),
			event.Frac(float64(b.X1) / w), event.Frac(float64(b.Y1) / h)},
			Track: b.Track, Verdict: b.Verdict, Class: string(class[:min(len(class), 40)]), P: event.Prob(b.P)}
	}
	b, err := json.Marshal(out)
	if err != nil { // a number that is not finite
		return []byte("[]")
	}
	return b
}

// status is what the page asks for every second.
type status struct {
	Snapshot
	Now      int64                        `json:"now"`    // microseconds since the Unix epoch, by this machine's clock
	Counts   map[string]map[string]uint64 `json:"counts"` // records by camera and class, reject and unsure among them
	Verdicts []verdict                    `json:"verdicts"`
	Pictures []string                     `json:"pictures"` // addresses, in the order of the cameras
}

// verdict is a record for the list.
type verdict struct {
	ID      string        `json:"id"`
	Cam     string        `json:"cam"`
	Track   int64         `json:"track"`
	Verdict event.Verdict `json:"verdict"`
	Class   string        `json:"class"`
	P       event.Prob    `json:"p"`
	Reason  string        `json:"reason"`
	At      int64         `json:"at"` // when it was decided, microseconds since the Unix epoch
	AgeMS   event.Millis  `json:"age_ms"`
	Votes   [2]int        `json:"votes"`
	Crop    string        `json:"crop,omitempty"` // address of its picture
}

func (w *Server) serveStatus(r http.ResponseWriter, _ *http.Request) {
	s := status{Snapshot: w.state.Snapshot(), Now: time.Now().UnixMicro(), Counts: map[string]map[string]uint64{},
		Verdicts: []verdict{}, Pictures: []string{}}
	for _, c := range s.Cameras {
		s.Pictures = append(s.Pictures, "/cam/"+url.PathEscape(c.Name)+".jpg")
	}
	w.mu.Lock()
	for cam, classes := range w.counts {
		m := make(map[string]uint64, len(classes))
		for k, n := range classes {
			m[k] = n
		}
		s.Counts[cam] = m
	}
	for _, o := range w.last {
		s.Verdicts = append(s.Verdicts, verdict{o.ID, o.Cam, o.Track, o.Verdict, o.Class, o.P, o.Reason, o.T.Dec, o.AgeMS,
			o.Votes, w.cropAddress(o)})
	}
	w.mu.Unlock()
	b, err := json.Marshal(s)
	if err != nil {
		w.log.Error("status not encoded", "err", err)
		http.Error(r, "the status could not be encoded", http.StatusInternalServerError)
		return
	}
	r.Header().Set("Content-Type", "application/json")
	r.Write(b) //nolint:errcheck // whoever asked has gone
}
