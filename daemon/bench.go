package daemon

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gleaner/daemon/event"
	"gleaner/daemon/metrics"
	"gleaner/model/bundle"
)

// BenchOptions says how much is measured.
type BenchOptions struct {
	Cameras int    // cameras that read the same source at the same time, at least 1
	Warmup  uint64 // frames of each camera before the measurement begins
	// Trace is told what the first camera did with each frame; nil: nobody asks.
	Trace func(seq uint64, detected bool, crops []image.Rectangle)
}

// StageTimes are the quantiles of one stage, in milliseconds.
type StageTimes struct {
	Stage string  `json:"stage"`
	Count uint64  `json:"count"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
}

// BenchResult is what Bench measured. Per-frame figures are over the frames after the warm-up, of all cameras.
type BenchResult struct {
	Cameras       int          `json:"cameras"`
	Frames        uint64       `json:"frames"`
	Busy          uint64       `json:"frames_with_detection"`
	Crops         uint64       `json:"crops"`
	Verdicts      uint64       `json:"verdicts"`
	Seconds       float64      `json:"seconds"`
	FPS           float64      `json:"frames_per_s"`
	CPUms         float64      `json:"cpu_ms_per_frame"`
	Allocs        float64      `json:"go_allocs_per_frame"`
	AllocBytes    float64      `json:"go_bytes_per_frame"`
	RSSMB         float64      `json:"rss_mb"`          // at the end
	PeakRSSMB     float64      `json:"peak_rss_mb"`     // of the process
	ModelsMB      float64      `json:"models_mb"`       // that opening the models added
	PerCameraMB   float64      `json:"camera_mb"`       // that each camera added, its share of the rest
	FirstVerdictS float64      `json:"first_verdict_s"` // from the start of the process; 0 without one
	Stages        []StageTimes `json:"stages"`
	Delegates     []string     `json:"delegates"`
}

// discard is a Sink that only notes when the first object came.
type discard struct{ first atomic.Int64 }

func (d *discard) Publish(e event.Event) {
	if _, ok := event.Value(e).(event.Object); ok {
		d.first.CompareAndSwap(0, time.Now().UnixNano())
	}
}

// Bench takes a finite source through the pipeline of one or more cameras at the same time, dropping nothing, and
// measures what it costs.
func Bench(ctx context.Context, spec CameraSpec, models ModelOptions, o BenchOptions) (BenchResult, error) {
	res := BenchResult{Cameras: o.Cameras}
	spec.Pace, spec.Loop = "fast", false
	m, err := openModels(models)
	if err != nil {
		return res, err
	}
	defer m.Close()
	var timers [stageCount]metrics.Histogram
	sink := &discard{}
	before := rssMB()
	var stations []*station
	defer func() {
		for _, s := range stations {
			_ = s.close()
		}
	}()
	parts := stationParts{models: m, sink: sink, sequence: &Sequence{}, replay: true,
		timer: func(_ string, s Stage) *metrics.Histogram { return &timers[s] }}
	for i := range o.Cameras {
		one := spec
		one.Name = fmt.Sprintf("%s-%d", spec.Name, i+1)
		parts.trace = nil
		if i == 0 {
			parts.trace = o.Trace
		}
		s, err := openStation(one, parts)
		if err != nil {
			return res, err
		}
		stations = append(stations, s)
		if !s.camera.dev.Finite() {
			return res, endless(spec)
		}
	}
	res.ModelsMB = rssMB() - before
	w := &warmup{need: o.Warmup * uint64(o.Cameras)}
	switch err := benchRun(ctx, stations, w); {
	case err != nil && w.done.Load() == 0 && ctx.Err() == nil:
		return res, &SetupError{err}
	case err != nil:
		return res, err
	}
	if w.frames = w.done.Load() - w.need; w.done.Load() <= w.need {
		return res, &SetupError{fmt.Errorf("%s has %d frames, too few for a warm-up of %d", spec.Source, w.done.Load(), o.Warmup)}
	}
	w.fill(&res)
	for _, s := range stations {
		st := s.pipeline.Stats()
		res.Busy, res.Crops, res.Verdicts = res.Busy+st.Busy, res.Crops+st.Crops, res.Verdicts+st.Verdicts
	}
	res.PerCameraMB = (res.RSSMB - before - res.ModelsMB) / float64(o.Cameras)
	if t := sink.first.Load(); t != 0 {
		res.FirstVerdictS = time.Unix(0, t).Sub(processStart()).Seconds()
	}
	res.Stages = stageTimes(&timers)
	res.Delegates = m.delegates()
	return res, nil
}

// stageTimes are the quantiles of the stages that were timed.
func stageTimes(timers *[stageCount]metrics.Histogram) (out []StageTimes) {
	for s := range stageCount {
		if t := &timers[s]; t.Count() > 0 {
			out = append(out, StageTimes{s.String(), t.Count(), ms(t.Quantile(0.5)), ms(t.Quantile(0.9)), ms(t.Quantile(0.99))})
		}
	}
	return out
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// warmup takes the reading at the end of the warm-up and the one at the end.
type warmup struct {
	need   uint64 // frames of all cameras
	frames uint64 // after the warm-up
	done   atomic.Uint64
	once   sync.Once
	start  reading
	end    reading
}

type reading struct {
	at            time.Time
	cpu           time.Duration
	allocs, bytes uint64
}

func take() reading {
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	var ru syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &ru) // cannot fail with these arguments
	return reading{time.Now(), time.Duration(ru.Utime.Nano() + ru.Stime.Nano()), ms.Mallocs, ms.TotalAlloc}
}

func (w *warmup) frame() {
	if w.done.Add(1) >= w.need {
		w.once.Do(func() { w.start = take() })
	}
}

func (w *warmup) fill(r *BenchResult) {
	n := float64(w.frames)
	wall := w.end.at.Sub(w.start.at)
	r.Frames, r.Seconds, r.FPS = w.frames, wall.Seconds(), n/wall.Seconds()
	r.CPUms = ms(w.end.cpu-w.start.cpu) / n
	r.Allocs, r.AllocBytes = float64(w.end.allocs-w.start.allocs)/n, float64(w.end.bytes-w.start.bytes)/n
	r.RSSMB, r.PeakRSSMB = rssMB(), statusMB("VmHWM:")
}

func benchRun(ctx context.Context, stations []*station, w *warmup) error {
	var wg sync.WaitGroup
	errs := make([]error, 2*len(stations))
	for i, s := range stations {
		wg.Go(func() {
			defer keepThread(len(stations))()
			errs[2*i] = s.camera.Run(ctx)
		})
		wg.Go(func() {
			defer keepThread(len(stations))()
			for f := range s.camera.Latest().C() {
				if err := s.pipeline.Step(ctx, f); err != nil {
					errs[2*i+1] = err
				}
				f.Release()
				w.frame()
			}
			s.pipeline.Flush()
		})
	}
	wg.Wait()
	w.end = take()
	closing, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	for _, s := range stations {
		errs = append(errs, s.camera.Close(closing))
	}
	return errors.Join(errs...)
}

// rssMB is this process's resident memory in MiB, 0 where the system does not say.
func rssMB() float64 { return statusMB("VmRSS:") }

func statusMB(key string) float64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			kb, _ := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			return kb / 1024
		}
	}
	return 0
}

// processStart is when this process began, from /proc (proc(5): starttime, in clock ticks of 10 ms since boot).
func processStart() time.Time {
	stat, err1 := os.ReadFile("/proc/self/stat")
	up, err2 := os.ReadFile("/proc/uptime")
	if err1 != nil || err2 != nil {
		return time.Now()
	}
	after := string(stat)[strings.LastIndexByte(string(stat), ')')+1:]
	fields := strings.Fields(after)
	ticks, _ := strconv.ParseFloat(fields[19], 64) // field 22 of stat; the first after ")" is field 3
	uptime, _ := strconv.ParseFloat(strings.Fields(string(up))[0], 64)
	return time.Now().Add(-time.Duration((uptime - ticks/100) * float64(time.Second)))
}

// delegates are "bundle: rung" of each open network.
func (m *Models) delegates() []string {
	var out []string
	m.each(func(b *bundle.Bundle, l *loaded) { out = append(out, b.Manifest.Name+": "+l.pool.Info().Delegate) })
	return out
}
