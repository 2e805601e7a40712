package metrics_test

import (
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gleaner/daemon/metrics"
)

func TestTable(t *testing.T) {
	name := regexp.MustCompile(`^gleaner_[a-z0-9_]+$`)
	for _, d := range metrics.Table {
		t.Run(d.Name, func(t *testing.T) {
			if !name.MatchString(d.Name) || d.Unit == "" || !strings.HasSuffix(d.Help, ".") {
				t.Errorf("%+v", d)
			}
			if total := strings.HasSuffix(d.Name, "_total"); total != (d.Kind == metrics.CounterKind) {
				t.Error("counters, and nothing else, end in _total")
			}
			if timer := strings.HasSuffix(d.Name, "_seconds"); timer != (d.Kind == metrics.TimerKind) {
				t.Error("timers, and nothing else, end in _seconds")
			}
		})
	}
}

func TestSameLabelsSameCounter(t *testing.T) {
	r := metrics.New()
	a := r.Counter(metrics.FramesDropped, "belt", "busy")
	a.Add(2)
	r.Counter(metrics.FramesDropped, "belt", "busy").Inc()
	r.Counter(metrics.FramesDropped, "belt", "stale").Inc()
	if a.Value() != 3 {
		t.Errorf("%d", a.Value())
	}
}

func TestMistakesPanic(t *testing.T) {
	r := metrics.New()
	for name, f := range map[string]func(){
		"unknown name":    func() { r.Counter("gleaner_new_total") },
		"wrong kind":      func() { r.Gauge(metrics.Frames, "belt") },
		"too few labels":  func() { r.Counter(metrics.FramesDropped, "belt") },
		"too many labels": func() { r.Counter(metrics.Frames, "belt", "x") },
		"timer as func":   func() { r.Func(func() float64 { return 0 }, metrics.AgeSeconds, "belt") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("did not panic")
				}
			}()
			f()
		})
	}
}

func TestQuantiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, draw := range map[string]func() time.Duration{
		"even, 1 to 9 ms": func() time.Duration { return time.Duration(1e6 + rng.Float64()*8e6) },
		"log-normal":      func() time.Duration { return time.Duration(1e7 * math.Exp(rng.NormFloat64())) },
		"all the same":    func() time.Duration { return 32 * time.Millisecond },
		"microseconds":    func() time.Duration { return time.Duration(2000 + rng.IntN(60000)) },
	} {
		t.Run(name, func(t *testing.T) {
			var h metrics.Histogram
			all := make([]time.Duration, 20000)
			for i := range all {
				all[i] = draw()
				h.Observe(all[i])
			}
			slices.Sort(all)
			for _, q := range []float64{0, 0.5, 0.9, 0.99, 1} {
				want := all[min(int(q*float64(len(all))), len(all)-1)]
				got := h.Quantile(q)
				if off := math.Abs(float64(got-want)) / float64(want); off > 1.0/16 {
					t.Errorf("q %v: %v, want %v", q, got, want)
				}
			}
			if h.Quantile(1) > h.Max() || h.Max() != all[len(all)-1] || h.Count() != 20000 {
				t.Errorf("max %v, q1 %v, count %d", h.Max(), h.Quantile(1), h.Count())
			}
		})
	}
}

func TestHistogramEdges(t *testing.T) {
	var h metrics.Histogram
	if h.Quantile(0.5) != 0 || h.Mean() != 0 {
		t.Error("an empty histogram is not 0")
	}
	for _, d := range []time.Duration{-time.Second, 0, 1, 1023, 1024, 1 << 36, math.MaxInt64} {
		h.Observe(d)
	}
	if h.Count() != 7 || h.Quantile(0) > 1024 || h.Quantile(1) != math.MaxInt64 {
		t.Errorf("count %d, %v to %v", h.Count(), h.Quantile(0), h.Quantile(1))
	}
	last := time.Duration(-1)
	for q := 0.0; q <= 1; q += 0.01 {
		if v := h.Quantile(q); v < last {
			t.Errorf("quantile %.2f is %v after %v", q, v, last)
		} else {
			last = v
		}
	}
}

func TestHotPathAllocatesNothing(t *testing.T) {
	r := metrics.New()
	c, g, h := r.Counter(metrics.Frames, "belt"), r.Gauge(metrics.WebViewers), r.Timer(metrics.AgeSeconds, "belt")
	if n := testing.AllocsPerRun(100, func() {
		c.Inc()
		g.Set(2)
		h.Observe(3 * time.Millisecond)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestFuncSet: series come and go with whoever reads them out.
func TestFuncSet(t *testing.T) {
	r := metrics.New()
	names := []string{"a", "b"}
	r.FuncSet(metrics.ModelBytes, func(set metrics.Set) {
		for i, n := range names {
			set(float64(i+1), n, "sha256:0")
		}
	})
	want := func(want map[string]float64) {
		t.Helper()
		if got := r.Values(); !maps.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	want(map[string]float64{`gleaner_model_bytes{name="a",sha256="sha256:0"}`: 1, `gleaner_model_bytes{name="b",sha256="sha256:0"}`: 2})
	names = names[1:]
	want(map[string]float64{`gleaner_model_bytes{name="b",sha256="sha256:0"}`: 1})
	defer func() {
		if recover() == nil {
			t.Error("a timer was read from a function")
		}
	}()
	r.FuncSet(metrics.AgeSeconds, func(metrics.Set) {})
}

func TestConcurrentCounts(t *testing.T) {
	r := metrics.New()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 1000 {
				r.Counter(metrics.Frames, "belt").Inc()
				r.Timer(metrics.AgeSeconds, "belt").Observe(time.Duration(i) * time.Millisecond)
				r.Values()
			}
		})
	}
	wg.Wait()
	if n, m := r.Counter(metrics.Frames, "belt").Value(), r.Timer(metrics.AgeSeconds, "belt").Count(); n != 4000 || m != 4000 {
		t.Errorf("%d counted, %d timed", n, m)
	}
}

func TestLabelsAreBounded(t *testing.T) {
	r := metrics.New()
	for i := range metrics.MaxSeries + 500 {
		r.Counter(metrics.Withheld, "belt", fmt.Sprint(i)).Inc()
	}
	v := r.Values()
	if len(v) != metrics.MaxSeries+1 || v[`gleaner_withheld_total{cam="other",reason="other"}`] != 500 {
		t.Errorf("%d series, other %v", len(v), v[`gleaner_withheld_total{cam="other",reason="other"}`])
	}
}

func TestPage(t *testing.T) {
	r := metrics.New()
	r.Counter(metrics.Frames, "벨트 \"1\"\n").Add(7)
	r.Counter(metrics.Frames, "bad\xfe").Add(1)
	r.Gauge(metrics.MQTTConnected, "act").Set(1)
	r.Func(func() float64 { return 12 }, metrics.MQTTSent, "object")
	r.Timer(metrics.StageSeconds, "belt", "detect").Observe(20 * time.Millisecond)
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	b, _ := io.ReadAll(w.Result().Body)
	for _, want := range []string{
		`gleaner_frames_total{cam="벨트 \"1\"\n"} 7`,
		"gleaner_frames_total{cam=\"bad\uFFFD\"} 1",
		`# TYPE gleaner_frames_total counter`,
		`gleaner_mqtt_connected{lane="act"} 1`,
		`gleaner_mqtt_sent_total{lane="object"} 12`,
		`gleaner_stage_seconds_bucket{cam="belt",stage="detect",le="0.016777216"} 0`,
		`gleaner_stage_seconds_bucket{cam="belt",stage="detect",le="0.033554432"} 1`,
		`gleaner_stage_seconds_count{cam="belt",stage="detect"} 1`,
		"go_goroutines ",
		"process_resident_memory_bytes ",
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is not on the page", want)
		}
	}
	if w.Code != 200 || t.Failed() {
		t.Logf("%d\n%s", w.Code, b)
	}
	if v := r.Values()[`gleaner_stage_seconds{cam="belt",stage="detect",quantile="0.5"}`]; v < 0.019 || v > 0.021 {
		t.Errorf("median %v", v)
	}
}

func BenchmarkObserve(b *testing.B) {
	var h metrics.Histogram
	for b.Loop() {
		h.Observe(12345678)
	}
}
