package daemon

import (
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// numbers reads the metrics page: the value of each series of a camera by name and, where there is one, reason.
func numbers(t *testing.T, addr, cam string) map[string]float64 {
	t.Helper()
	res, err := http.Get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	line := regexp.MustCompile(`^(gleaner_\w+)\{cam="` + regexp.QuoteMeta(cam) + `"(?:,\w+="(\w+)")?\} (\S+)$`)
	for l := range strings.Lines(string(b)) {
		if m := line.FindStringSubmatch(strings.TrimSpace(l)); m != nil {
			v, err := strconv.ParseFloat(m[3], 64)
			if err != nil {
				t.Fatalf("%s: %v", l, err)
			}
			out[m[1]+" "+m[2]] = v
		}
	}
	return out
}

// checkMetrics holds the metrics page against conservation. The numbers are read one after the other while frames pass,
// so that a frame or two may be on its way; and a verdict is published an instant before it is counted.
func checkMetrics(t *testing.T, addr, cam string) {
	t.Helper()
	decided := func(m map[string]float64) float64 {
		return m["gleaner_verdicts_total class"] + m["gleaner_verdicts_total reject"] + m["gleaner_verdicts_total unsure"]
	}
	eventually(t, "three verdicts counted", func() bool { return decided(numbers(t, addr, cam)) >= 3 })
	m := numbers(t, addr, cam)
	in := m["gleaner_frames_total "]
	out := m["gleaner_frames_processed_total "] + m["gleaner_frames_dropped_total replaced"] + m["gleaner_frames_dropped_total failed"]
	if in == 0 || in-out > 5 || out-in > 5 {
		t.Errorf("%v frames in, %v processed or dropped: %v", in, out, m)
	}
	withheld := m["gleaner_withheld_total left_before_line"] + m["gleaner_withheld_total past_line"] + m["gleaner_withheld_total ended"]
	if objects := m["gleaner_objects_total "]; objects < decided(m) || objects-decided(m)-withheld > 8 {
		t.Errorf("%v objects, %v verdicts, %v withheld", objects, decided(m), withheld)
	}
	if m["gleaner_camera_state online"] != 1 || m["gleaner_camera_state offline"] != 0 {
		t.Errorf("camera state %v", m)
	}
}

// checkSummary reads the daemon's last line about a camera: nothing is missing there.
func checkSummary(t *testing.T, log, cam string) {
	t.Helper()
	last := ""
	for l := range strings.Lines(log) {
		if strings.Contains(l, "msg=stopped") && strings.Contains(l, cam) {
			if last != "" {
				t.Errorf("two summaries:\n%s%s", last, l)
			}
			last = l
		}
	}
	n := map[string]int{}
	for _, m := range regexp.MustCompile(`(\w+)=(\d+)`).FindAllStringSubmatch(last, -1) {
		n[m[1]], _ = strconv.Atoi(m[2])
	}
	if n["frames"] == 0 || n["frames"] != n["processed"]+n["dropped"]+n["failed"] {
		t.Errorf("frames do not add up: %s", last)
	}
	withheld := 0
	for k, v := range n {
		if strings.HasPrefix(k, "withheld_") {
			withheld += v
		}
	}
	if n["objects"] == 0 || n["objects"] != n["verdicts"]+withheld {
		t.Errorf("objects do not add up: %s", last)
	}
}
