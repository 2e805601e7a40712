package daemon

import (
	"bytes"
	"image/jpeg"
	"io"
	"net/http"
	"strings"
	"testing"

	"gleaner/daemon/event"
	"gleaner/daemon/metrics"
	"gleaner/daemon/mqtt"
	"gleaner/daemon/web"
	"gleaner/detect/track"
)

// fetch is the body behind an address of the page, and its status.
func fetch(t *testing.T, url string) (string, int) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), res.StatusCode
}

// fedNames are the metrics that have a series on the page.
func fedNames(text string) map[string]bool {
	fed := map[string]bool{}
	for line := range strings.Lines(text) {
		name := line[:strings.IndexAny(line+" ", "{ ")]
		fed[name] = true
		fed[strings.TrimSuffix(name, "_count")] = true
	}
	return fed
}

// TestEveryMetricIsFed: no name stands in the table that a running daemon does not feed. What lines, zones, pictures and
// models feed is looked at more closely.
func TestEveryMetricIsFed(t *testing.T) {
	leaks(t)
	o := DefaultOptions()
	const hostile = "벨트/+#1"
	o.Cameras = []CameraSpec{small(hostile, "belt:")}
	c := &o.Cameras[0]
	c.Publish.Crop = true
	c.Track.Lines = []track.Line{{Name: "문 / door", A: track.Point{0.5, 1}, B: track.Point{0.5, 0}}}
	c.Track.Zones = []track.Zone{{Name: "#", Polygon: []track.Point{{0.3, 0}, {0.7, 0}, {0.7, 1}, {0.3, 1}}}}
	models := withModel(t, &o)
	truth := func() *web.Truth { return &web.Truth{Objects: 7, Counted: 6, Right: 5} }
	r := startDaemon(t, o, device, func(ro *RunOptions) { ro.Truth = truth })
	cam := "cam/" + mqtt.Escape(hostile) + "/"
	line, zone := cam+"line/"+mqtt.Escape("문 / door"), cam+"zone/%23"
	eventually(t, "crossings, visits and pictures", func() bool {
		return len(r.said(line)) >= 2 && len(r.said(zone)) >= 3 && len(r.said(cam+"crop")) >= 2
	})
	want := []string{`gleaner_truth_objects 7`, `gleaner_truth_counted 6`, `gleaner_truth_right 5`,
		`gleaner_mqtt_connected{lane="act"} 1`, `gleaner_mqtt_connected{lane="main"} 1`, `gleaner_mqtt_lost_total{lane="command",reason="overflow"} 0`,
		`gleaner_line_crossings_total{cam="벨트/+#1",direction="back",line="문 / door"} 0`, `gleaner_belt_pixels_per_second{axis="x",cam="벨트/+#1"} `,
		`gleaner_crops_lost_total{cam="벨트/+#1",reason="busy"} 0`, `gleaner_model_switches_total{result="ok"} 0`}
	var missing []string
	eventually(t, "every metric", func() bool {
		text, _ := fetch(t, "http://"+r.addr.Web+"/metrics")
		fed := fedNames(text)
		missing = nil
		for _, d := range metrics.Table {
			if !fed[d.Name] && (models || d.Name != metrics.ModelInfo && d.Name != metrics.ModelBytes) {
				missing = append(missing, d.Name)
			}
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				missing = append(missing, w)
			}
		}
		return len(missing) == 0
	})
	checkCrops(t, r, cam)
	if s := r.snapshot().Cameras[0]; len(s.Lines) != 1 || s.Lines[0].Forward < 2 || len(s.Zones) != 1 || s.Zones[0].Entered < 2 ||
		s.Belt != nil && (s.Belt.X < 50 || s.Belt.X > 150) {
		t.Errorf("page: %+v", s)
	}
	if err := r.finish(); err != nil {
		t.Error(err)
	}
	if n := len(r.said(line)); n < 2 {
		t.Errorf("%d crossings", n)
	}
}

// checkCrops holds the pictures on MQTT against those on the page and against their records.
func checkCrops(t *testing.T, r *running, cam string) {
	t.Helper()
	picture := r.said(cam + "crop")[0]
	note, err := event.CropComment([]byte(picture))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jpeg.Decode(bytes.NewReader([]byte(picture))); err != nil {
		t.Error(err)
	}
	id, _, _ := strings.Cut(strings.SplitAfter(string(note), `"id":"`)[1], `"`)
	eventually(t, "the record", func() bool { return strings.Contains(strings.Join(r.said(cam+"object"), " "), id) })
	status, _ := fetch(t, "http://"+r.addr.Web+"/api/status.json")
	_, rest, ok := strings.Cut(status, `"crop":"`)
	path, _, _ := strings.Cut(rest, `"`)
	if !ok {
		t.Fatalf("no picture on the page: %s", status)
	}
	got, code := fetch(t, "http://"+r.addr.Web+path)
	if code != http.StatusOK || !strings.Contains(strings.Join(r.said(cam+"crop"), " "), got) {
		t.Errorf("%s: status %d, and not the picture that was published", path, code)
	}
	if _, code := fetch(t, "http://"+r.addr.Web+path[:len(path)-5]+".jpg"); code != http.StatusNotFound {
		t.Errorf("another id: status %d", code)
	}
}
