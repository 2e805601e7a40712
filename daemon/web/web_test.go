package web_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gleaner/capture"
	"gleaner/daemon/event"
	"gleaner/daemon/metrics"
	"gleaner/daemon/web"
	"gleaner/model"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop")) // the tests' own client
}

// hostile is a camera name that would do something wherever it is not escaped.
const hostile = `벨트 <img src=x onerror="document.title='broken out'">'"/../a//b?x#y%2F</script><script>document.title='broken out'</script>`

type state struct{ s web.Snapshot }

func (s state) Snapshot() web.Snapshot { return s.s }

func busy() state {
	now := time.Now().UnixMicro()
	return state{web.Snapshot{Site: "공장 1", Node: "line-3", Software: "0.1.0", Started: now - 3723e6,
		Cameras: []web.Camera{
			{Name: "belt-1", Source: "belt: 1280×720, 30 frames/s", State: event.Online, Since: now - 3720e6, Frames: 111600,
				Processed: 111588, Dropped: 12, Objects: 4242, InView: 3, Belt: &web.Speed{X: -118, Y: 2},
				Lines: []web.Line{{Name: "문 <i>door</i>", Forward: 4311, Back: 69}}, Zones: []web.Zone{{Name: "table", Entered: 17, Inside: 2}}},
			{Name: hostile, Source: "rtsp://10.0.0.7/stream", State: event.Stalled, Reason: "no frame for 3.2 s <b>bold</b>",
				Since: now - 42e6, Frames: 900, Processed: 900, Objects: 17},
		},
		Models: []event.ModelInfo{
			{Name: "textile-10", Version: "2026-11-22", Task: "classify", SHA256: "sha256:3f2a9c0d1e5b7a88", Delegate: "xnnpack",
				Ladder: []model.Rung{{Name: "external:libedgetpu.so.1", Reason: "no such file"}, {Name: "xnnpack", Used: true}}},
		},
		MQTT: web.MQTT{Broker: "127.0.0.1:1883", Embedded: true, Connected: true, Topics: "gleaner/v1/공장%201/line-3/#",
			Published: 17042, Acked: 17040, Queued: 2},
		Truth:  &web.Truth{Objects: 4250, Counted: 4242, Right: 4033},
		Stages: []web.Stage{{Cam: "belt-1", Name: "detect", P50: 2.1, P90: 2.8, P99: 4.4}, {Cam: "belt-1", Name: "classify", P50: 6.3, P90: 7.9, P99: 11.2}},
	}}
}

func start(t *testing.T, o web.Options, s web.State) *web.Server {
	t.Helper()
	w, err := web.New(o, s, metrics.New(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, w) })
	return w
}

func stop(t *testing.T, w *web.Server) {
	t.Helper()
	http.DefaultClient.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := w.Close(ctx); err != nil {
		t.Error(err)
	}
}

func local() web.Options {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	return web.Options{Listen: l.Addr().String()}
}

func get(t *testing.T, url string) (*http.Response, []byte) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, b
}

func records(w *web.Server) {
	now := time.Now().UnixMicro()
	classes := []string{"T-shirt", "Trouser", "Sneaker", "Bag", "Ankle boot", "Dress"}
	for i := range 60 {
		o := event.Object{ID: fmt.Sprint("id-", i), Cam: "belt-1", Track: int64(i), Verdict: event.Class, Class: classes[i*i%7%6], P: event.Prob(0.99 - 0.007*float64(i%20)),
			Votes: [2]int{6, 6 + i%2}, T: event.Times{Cap: now - int64(60-i)*7e5, Dec: now - int64(60-i)*7e5 + 30000}, AgeMS: event.Millis(24 + i%9)}
		switch i % 13 {
		case 4:
			o.Verdict, o.Class, o.Reason, o.P = event.Unsure, "", "no class reached 0.6", 0.41
		case 11:
			o.Cam, o.Class = hostile, `유리 <script>document.title="broken out"</script>`
		case 12:
			o.Verdict, o.Class, o.Reason = event.Reject, "", "cut by the border"
		}
		w.Verdict(o)
	}
}

func TestAddresses(t *testing.T) {
	w := start(t, local(), busy())
	records(w)
	w.Viewer("belt-1")
	base := "http://" + w.Addr()
	for path, c := range map[string]struct {
		code      int
		kind, has string
	}{
		"/":                         {200, "text/html", "<h1>gleaner</h1>"},
		"/page.js":                  {200, "text/javascript", "textContent"},
		"/page.css":                 {200, "text/css", "--ink"},
		"/api/status.json":          {200, "application/json", `"state":"stalled"`},
		"/api/schemas/object.json":  {200, "application/json", "object/1"},
		"/api/schemas/":             {200, "text/html", "status.json"},
		"/metrics":                  {200, "text/plain", "go_goroutines"},
		"/healthz":                  {200, "text/plain", "ok\n"},
		"/cam/none.jpg":             {404, "text/plain", "no such camera"},
		"/cam/belt-1":               {404, "text/plain", "no such camera"},
		"/cam/%zz.jpg":              {400, "", ""},
		"/other":                    {404, "text/plain", ""},
		"/api/schemas/../../go.mod": {404, "", ""},
	} {
		t.Run(path, func(t *testing.T) {
			q := &http.Request{Method: "GET", URL: &url.URL{Scheme: "http", Host: w.Addr(), Opaque: path}, Header: http.Header{}}
			r, err := http.DefaultTransport.RoundTrip(q)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			b, _ := io.ReadAll(r.Body)
			if r.StatusCode/100 == 3 { // the router's clean path
				r.StatusCode = 404
			}
			if r.StatusCode != c.code || !strings.HasPrefix(r.Header.Get("Content-Type"), c.kind) || !bytes.Contains(b, []byte(c.has)) {
				t.Errorf("%d %s\n%s", r.StatusCode, r.Header.Get("Content-Type"), b)
			}
			if c.code != 400 && !strings.Contains(r.Header.Get("Content-Security-Policy"), "default-src 'none'") {
				t.Error("no content security policy")
			}
			if r.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("open to other origins")
			}
		})
	}
	r, err := http.Post(base+"/api/status.json", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST gives %d", r.StatusCode)
	}
}

func TestHostNames(t *testing.T) {
	o := local()
	o.Hosts = []string{"Kiosk.example"}
	w := start(t, o, busy())
	own, _ := os.Hostname()
	for host, code := range map[string]int{
		"127.0.0.1": 200, "localhost:8080": 200, "[::1]:8080": 200, own: 200, "kiosk.example:80": 200,
		"evil.example": 421, "127.0.0.1.evil.example": 421, "": 400,
	} {
		conn, err := net.Dial("tcp", w.Addr())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
		b, _ := io.ReadAll(conn)
		conn.Close()
		if got := string(b); !strings.HasPrefix(got, fmt.Sprintf("HTTP/1.1 %d", code)) && !(host == "" && strings.HasPrefix(got, "HTTP/1.1 4")) {
			t.Errorf("host %q: %.40s, want %d", host, got, code)
		}
	}
}

func TestStatus(t *testing.T) {
	w := start(t, local(), busy())
	records(w)
	_, b := get(t, "http://"+w.Addr()+"/api/status.json")
	var s struct {
		web.Snapshot
		Counts   map[string]map[string]int
		Verdicts []struct {
			Cam   string
			Track int
		}
		Pictures []string
	}
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Verdicts) != 20 || s.Verdicts[0].Track != 59 || s.Cameras[1].Name != hostile || s.Truth.Right != 4033 {
		t.Errorf("%s", b)
	}
	if n := s.Counts["belt-1"]["unsure"]; n != 5 {
		t.Errorf("%d unsure: %v", n, s.Counts)
	}
	if want := "/cam/" + url.PathEscape(hostile) + ".jpg"; s.Pictures[1] != want {
		t.Errorf("%s, want %s", s.Pictures[1], want)
	}
}

// picture has a crop of a record shown; what it shows is the colour of its number.
func picture(t *testing.T, w *web.Server, cam string, i int) {
	im := image.NewRGBA(image.Rect(0, 0, 60, 40))
	for p := range im.Pix {
		im.Pix[p] = byte(37 * i * (1 + p%4))
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, im, nil); err != nil {
		t.Fatal(err)
	}
	w.Crop(event.Crop{ID: fmt.Sprint("id-", i), Cam: cam, Verdict: event.Class, JPEG: b.Bytes()})
}

// TestCrops: the last objects have their pictures, under the camera's name whatever it is; others have none.
func TestCrops(t *testing.T) {
	w := start(t, local(), busy())
	records(w)
	picture(t, w, "belt-1", 59)
	picture(t, w, "belt-1", 3)  // no longer among the last
	picture(t, w, "belt-2", 58) // of another camera
	picture(t, w, hostile, 50)  // 50 % 13 is 11: of the hostile camera
	crop := func(cam, id string) string { return "/cam/" + url.PathEscape(cam) + "/crop/" + id + ".jpg" }
	_, b := get(t, "http://"+w.Addr()+"/api/status.json")
	var s struct{ Verdicts []struct{ ID, Crop string } }
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	for _, v := range s.Verdicts {
		want := map[string]string{"id-59": crop("belt-1", "id-59"), "id-50": crop(hostile, "id-50")}[v.ID]
		if v.Crop != want {
			t.Errorf("%s has the picture %q, want %q", v.ID, v.Crop, want)
		}
		if want == "" {
			continue
		}
		r, b := get(t, "http://"+w.Addr()+want)
		im, err := jpeg.Decode(bytes.NewReader(b))
		if err != nil || im.Bounds().Dx() != 60 || r.Header.Get("Content-Type") != "image/jpeg" {
			t.Errorf("%v, %v", r.Status, err)
		}
		if note, err := event.CropComment(b); err != nil || !strings.Contains(string(note), v.ID) {
			t.Errorf("comment %s, %v", note, err)
		}
	}
	for _, none := range []string{crop("belt-1", "id-3"), crop("belt-1", "id-58"), crop("belt-2", "id-59"), crop("belt-1", ""),
		"/cam/belt-1/crop/id-59"} {
		if r, _ := get(t, "http://"+w.Addr()+none); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", none, r.Status)
		}
	}
	for i := range 20 { // twenty more, and the picture goes with its record
		w.Verdict(event.Object{ID: fmt.Sprint("new-", i), Cam: "belt-1"})
	}
	if r, _ := get(t, "http://"+w.Addr()+crop("belt-1", "id-59")); r.StatusCode != http.StatusNotFound {
		t.Errorf("a picture outlived its record: %s", r.Status)
	}
}

// frame is a grey w×h picture with a bright spot in its lower right quarter.
func frame(w, h int) capture.Image {
	m := capture.NewImage(w, h)
	for y := range h {
		row := m.Row(y)
		for x := range w {
			c := [3]byte{90, 90, 90}
			if x > w/2 && y > h/2 {
				c = [3]byte{200, 30, 60} // B, G, R
			}
			copy(row[3*x:], c[:])
		}
	}
	return m
}

func near(a, b color.Color) bool {
	r, g, bl, _ := a.RGBA()
	r2, g2, b2, _ := b.RGBA()
	d := func(x, y uint32) bool { return max(x, y)-min(x, y) < 12<<8 }
	return d(r, r2) && d(g, g2) && d(bl, b2)
}

func TestPicture(t *testing.T) {
	for name, size := range map[string]image.Point{"720p": {1280, 720}, "small": {320, 240}, "odd": {1919, 1079}, "one line": {900, 1}} {
		t.Run(name, func(t *testing.T) {
			w := start(t, local(), busy())
			v := w.Viewer(hostile)
			if v.Wanted() {
				t.Error("wanted before anybody looked")
			}
			at := "http://" + w.Addr() + "/cam/" + url.PathEscape(hostile) + ".jpg"
			got := make(chan *http.Response)
			go func() { // asks before there is a frame, and waits for it
				r, err := http.Get(at)
				if err != nil {
					t.Error(err)
				}
				got <- r
			}()
			for !v.Wanted() {
				time.Sleep(time.Millisecond)
			}
			fw, fh := float32(size.X), float32(size.Y)
			v.Show(frame(size.X, size.Y), []web.Box{{X0: fw / 4, Y0: fh / 4, X1: fw * 3 / 4, Y1: fh * 3 / 4, Verdict: event.Class, Class: "유리", P: 0.9, Track: 7}})
			r := <-got
			defer r.Body.Close()
			m, err := jpeg.Decode(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			if m.Bounds().Dx() > 640 || m.Bounds().Dx() != min(size.X, 640) || r.Header.Get("X-Frame") != "1" {
				t.Errorf("%v, frame %s", m.Bounds(), r.Header.Get("X-Frame"))
			}
			if w, h := m.Bounds().Dx(), m.Bounds().Dy(); h > 20 {
				if !near(m.At(w/8, h/8), color.RGBA{90, 90, 90, 255}) || !near(m.At(w*7/8, h*7/8), color.RGBA{60, 30, 200, 255}) {
					t.Errorf("colours %v, %v", m.At(w/8, h/8), m.At(w*7/8, h*7/8))
				}
				if g := m.At(w/4+1, h/2).(color.YCbCr); g.Cr > 110 {
					t.Errorf("no green outline: %v", g)
				}
			}
			b, err := base64.StdEncoding.DecodeString(r.Header.Get("X-Boxes"))
			want := `[{"box":[0.25,0.25,0.75,0.75],"track":7,"verdict":"class","class":"유리","p":0.9}]`
			if err != nil || string(b) != want {
				t.Errorf("boxes %s, %v", b, err)
			}
		})
	}
}

func TestEncodedOnceForAll(t *testing.T) {
	w := start(t, local(), busy())
	v := w.Viewer("belt-1")
	v.Show(frame(640, 360), nil)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			r, b := get(t, "http://"+w.Addr()+"/cam/belt-1.jpg")
			if r.StatusCode != 200 || len(b) == 0 {
				t.Errorf("%d", r.StatusCode)
			}
		})
	}
	wg.Wait()
	if n := w.Encoded(); n != 1 {
		t.Errorf("encoded %d times", n)
	}
	if w.Viewers() != 1 {
		t.Errorf("%d viewers", w.Viewers())
	}
	v.Show(frame(640, 360), nil)
	r, _ := get(t, "http://"+w.Addr()+"/cam/belt-1.jpg?after=1")
	if r.Header.Get("X-Frame") != "2" || w.Encoded() != 2 {
		t.Errorf("frame %s, encoded %d times", r.Header.Get("X-Frame"), w.Encoded())
	}
	r, _ = get(t, "http://"+w.Addr()+"/cam/belt-1.jpg?after=99") // of a run before
	if r.StatusCode != 200 {
		t.Errorf("an id of an earlier run gives %d", r.StatusCode)
	}
	if r, _ := get(t, "http://"+w.Addr()+"/cam/belt-1.jpg?after=2"); r.StatusCode != http.StatusNoContent {
		t.Errorf("without a newer frame: %d", r.StatusCode)
	}
}

func TestShowCopies(t *testing.T) {
	w := start(t, local(), busy())
	v := w.Viewer("belt-1")
	im := frame(64, 64)
	v.Show(im, nil)
	clear(im.Pix)
	_, b := get(t, "http://"+w.Addr()+"/cam/belt-1.jpg")
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil || !near(m.At(8, 8), color.RGBA{90, 90, 90, 255}) {
		t.Errorf("%v: the picture follows the frame's memory", err)
	}
	v.Show(im, nil)
	v.Show(im, nil)
	boxes := make([]web.Box, 3)
	if n := testing.AllocsPerRun(20, func() { v.Show(im, boxes) }); n > 1 {
		t.Errorf("%v allocations for a frame that is shown", n)
	}
	if n := testing.AllocsPerRun(20, func() { v.Wanted() }); n != 0 {
		t.Errorf("%v allocations to ask", n)
	}
}

func TestTakenPortAndNoPage(t *testing.T) {
	a := start(t, local(), busy())
	b := start(t, web.Options{Listen: a.Addr()}, busy())
	if b.Addr() == a.Addr() || b.Note() != a.Addr()+" is taken" || a.Note() != "" {
		t.Errorf("%s, %q", b.Addr(), b.Note())
	}
	if r, _ := get(t, "http://"+b.Addr()+"/healthz"); r.StatusCode != 200 {
		t.Error(r.Status)
	}
	off := start(t, web.Options{}, busy())
	off.Verdict(event.Object{Cam: "belt-1"})
	if v := off.Viewer("belt-1"); off.Addr() != "" || v.Wanted() {
		t.Error("there is a page")
	}
	var none *web.Viewer
	if none.Wanted() {
		t.Error("nil wants frames")
	}
	none.Show(frame(8, 8), nil)
	if _, err := web.New(web.Options{Listen: "127.0.0.1:http-x"}, busy(), nil, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a port that is no number was taken")
	}
	if (web.Options{Listen: "nonsense"}).Check() == nil || web.DefaultOptions().Check() != nil {
		t.Error("Check")
	}
}

// chromium runs the browser without a screen on one address and returns what it prints.
func chromium(t *testing.T, address string, args ...string) string {
	t.Helper()
	bin, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed (Debian: chromium)")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	all := append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--user-data-dir=" + t.TempDir(),
		"--virtual-time-budget=2500"}, args...)
	cmd := exec.CommandContext(ctx, bin, append(all, address)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v: %s", err, stderr.String())
	}
	return string(out)
}

// scene shows frames to both cameras for as long as the browser looks.
func scene(t *testing.T, w *web.Server) {
	im := frame(1280, 720)
	boxes := []web.Box{
		{X0: 120, Y0: 200, X1: 420, Y1: 520, Verdict: event.Class, Class: "Sneaker", P: 0.97, Track: 1},
		{X0: 560, Y0: 10, X1: 800, Y1: 300, Verdict: event.Unsure, Class: `유리 <b>병</b>`, P: 0.41, Track: 2},
		{X0: 900, Y0: 300, X1: 1160, Y1: 640, Class: "Bag", P: 0.77, Track: 3},
	}
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				for _, cam := range []string{"belt-1", hostile} {
					if v := w.Viewer(cam); v.Wanted() {
						v.Show(im, boxes)
					}
				}
			case <-done:
				return
			}
		}
	})
	t.Cleanup(func() { close(done); wg.Wait() })
}

func TestInABrowser(t *testing.T) {
	w := start(t, local(), busy())
	records(w)
	for i := 46; i < 60; i++ {
		picture(t, w, map[bool]string{true: hostile, false: "belt-1"}[i == 50], i)
	}
	w.Viewer(hostile)
	scene(t, w)
	dom := chromium(t, "http://"+w.Addr()+"/", "--dump-dom")
	for _, want := range []string{
		"<title>gleaner · line-3</title>", // and not "broken out"
		"공장 1", "4,259", "95.1 %", ">4,242<", "counted of 4,250", "MQTT 127.0.0.1:1883",
		"stalled", "no frame for 3.2 s &lt;b&gt;bold", "textile-10", "xnnpack", "no class reached 0.6", "cut by the border",
		"벨트 &lt;img src=x onerror=",
		"유리 &lt;script&gt;",
		`class="label class"`, "Sneaker 97 %", "유리 &lt;b&gt;병&lt;/b&gt; 41 %",
		`src="blob:http://` + w.Addr(), `src="/cam/belt-1/crop/id-59.jpg"`,
		"belt 118 px/s ←", "문 &lt;i&gt;door&lt;/i&gt;", ">4,311<", ">69<", ">4,242<", ">table<",
	} {
		if !strings.Contains(dom, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	for _, bad := range []string{"<img src=\"x\"", "<b>bold", "<i>door", "<script>document", "broken out</title>"} {
		if strings.Contains(dom, bad) {
			t.Errorf("%q stands in the page as markup", bad)
		}
	}
	if t.Failed() {
		t.Log(dom)
	}
	if dir := os.Getenv("GLEANER_PAGE_SHOTS"); dir != "" { // pictures to look at
		chromium(t, "http://"+w.Addr()+"/", "--screenshot="+filepath.Join(dir, "page.png"), "--window-size=1400,1500", "--hide-scrollbars")
		chromium(t, "http://"+w.Addr()+"/", "--screenshot="+filepath.Join(dir, "phone.png"), "--window-size=500,2200", "--hide-scrollbars")
	}
}
