// Command pipeline measures the daemon's pipeline against the bare loop of bench/limit, a C++ program that makes the same
// native calls on the same frames with the same gate and the same crops, decoding in a thread of its own: which frames
// are detected in and what is cropped is written down by the pipeline's run and read by the loop. The two take turns in
// one run, and the ratios are those of neighbouring runs. The figures go to BENCHMARKS.md; the last line is the one that
// prove reads.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"gleaner/bench/section"
	"gleaner/daemon"
	"gleaner/internal/shared"
)

const bar = "loop/pipeline CPU >= 0.95, frames/s >= 0.95, <= 2 allocs and <= 1 KB per frame, RSS <= 40 MB above, first verdict <= 1 s, idle CPU <= 1/4"

func main() {
	pairs := flag.Int("pairs", 5, "runs of each program")
	out := flag.String("out", "BENCHMARKS.md", "file whose section on the pipeline is replaced")
	flag.Parse()
	pass, err := run(*pairs, *out)
	if err != nil {
		fmt.Printf("FIGURE %s BAR %s FAIL\n", strings.Join(strings.Fields(err.Error()), " "), bar)
		os.Exit(1)
	}
	if !pass {
		os.Exit(1)
	}
}

// loop is what bench/limit prints.
type loop struct {
	Frames int     `json:"frames"`
	CPUms  float64 `json:"cpu_ms_per_frame"`
	FPS    float64 `json:"frames_per_s"`
	RSS    float64 `json:"rss_mb"`
}

const warmup = "30"

// busy makes every frame's objects vote, so that the classifier works on as many frames as the detector.
var busy = []string{"--detect", "ssd-oidv4", "--classify", "garments", "--set", "cameras[0].decide.votes=100000",
	"--set", "cameras[0].decide.min_votes=100000", "--set", "cameras[0].decide.interval=0s", "--set", "cameras[0].detect.classes=[Person]",
	"--set", "cameras[0].classify.quality.border_px=0"}

func run(pairs int, out string) (bool, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	clips, err := makeClips(dir)
	if err != nil {
		return false, err
	}
	limit := filepath.Join(dir, "limit")
	if err := buildLimit(limit); err != nil {
		return false, err
	}
	var f figures
	trace := filepath.Join(dir, "trace")
	for i := range pairs {
		var p daemon.BenchResult
		if err := bench(&p, clips.busy, append(busy, "--trace", trace, "--warmup", warmup)...); err != nil {
			return false, err
		}
		var l loop
		if err := runLimit(&l, limit, clips.busy, trace); err != nil {
			return false, err
		}
		fmt.Printf("pair %d: pipeline %.2f CPU-ms %.1f frames/s %.0f MB; loop %.2f CPU-ms %.1f frames/s %.0f MB\n", i+1, p.CPUms, p.FPS,
			p.RSSMB, l.CPUms, l.FPS, l.RSS)
		f.add(p, l)
	}
	for _, n := range []string{"2", "4", "8"} {
		var p daemon.BenchResult
		if err := bench(&p, clips.busy, append(busy, "--cameras", n, "--warmup", warmup)...); err != nil {
			return false, err
		}
		f.many = append(f.many, p)
	}
	if err := bench(&f.idle, clips.idle, append(busy, "--warmup", "80")...); err != nil {
		return false, err
	}
	for range 3 {
		var p daemon.BenchResult
		if err := bench(&p, clips.start, "--detect", "ssd-oidv4", "--classify", "garments", "--warmup", "5",
			"--set", "cameras[0].detect.classes=[Person]"); err != nil {
			return false, err
		}
		f.first = append(f.first, p.FirstVerdictS)
	}
	text, line, pass := f.report()
	fmt.Print(text)
	if err := section.Replace(out, "pipeline", "make bench", text); err != nil {
		return false, err
	}
	fmt.Println(line)
	return pass, nil
}

// clips are cut out of a real one: a person walks up and stands there, an empty room, and a person from the first frame.
type clips struct{ busy, idle, start string }

func makeClips(dir string) (clips, error) {
	src := filepath.Join(shared.Root(), "data", "video", "one-by-one-person-detection.mp4")
	c := clips{filepath.Join(dir, "busy.mp4"), filepath.Join(dir, "idle.mp4"), filepath.Join(dir, "start.mp4")}
	for _, cut := range [][]string{
		{"-ss", "7", "-t", "38", "-i", src, "-vf", "scale=1280:720", c.busy},
		{"-t", "1", "-i", src, "-vf", "scale=1280:720,loop=loop=20:size=10,noise=alls=3:allf=t", c.idle},
		{"-ss", "10", "-t", "4", "-i", src, "-vf", "scale=1280:720", c.start},
	} {
		args := append([]string{"-v", "error", "-y"}, cut[:len(cut)-1]...)
		args = append(args, "-c:v", "libx264", "-preset", "veryfast", "-crf", "20", cut[len(cut)-1])
		if msg, err := exec.Command("ffmpeg", args...).CombinedOutput(); err != nil {
			return c, fmt.Errorf("make a clip: %w: %s", err, msg)
		}
	}
	return c, nil
}

// buildLimit compiles the loop with the compiler and the libraries that the daemon is built with.
func buildLimit(to string) error {
	flags, err := exec.Command("pkg-config", "--cflags", "opencv4").Output()
	if err != nil {
		return fmt.Errorf("pkg-config opencv4: %w", err)
	}
	lib, err := filepath.Abs(".native/lib")
	if err != nil {
		return err
	}
	args := []string{"-O2", "-o", to, "bench/limit/limit.cpp", "-I.native/include", "-L" + lib, "-Wl,-rpath," + lib}
	args = append(args, strings.Fields(string(flags))...)
	args = append(args, "-ltensorflowlite_c", "-lopencv_core", "-lopencv_imgproc", "-lopencv_videoio", "-lpthread")
	if msg, err := exec.Command("g++", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("compile the loop: %w: %s", err, msg)
	}
	return nil
}

func bench(to *daemon.BenchResult, clip string, args ...string) error {
	c := exec.Command("bin/gleaner", append([]string{"bench", clip, "--json"}, args...)...)
	c.Stderr = os.Stderr
	b, err := c.Output()
	if err != nil {
		return fmt.Errorf("gleaner bench: %w", err)
	}
	return json.Unmarshal(b, to)
}

func runLimit(to *loop, limit, clip, trace string) error {
	var models []string
	for _, name := range []string{"ssd-oidv4", "garments"} {
		b, err := exec.Command("bin/gleaner", "models", "path", name).Output()
		if err != nil {
			return fmt.Errorf("find model %s: %w", name, err)
		}
		models = append(models, filepath.Join(strings.TrimSpace(string(b)), "model.tflite"))
	}
	b, err := exec.Command(limit, clip, trace, models[0], models[1], warmup).Output()
	if err != nil {
		return fmt.Errorf("run the loop: %w", err)
	}
	return json.Unmarshal(b, to)
}

// figures are all that was measured.
type figures struct {
	pipeline []daemon.BenchResult
	loop     []loop
	many     []daemon.BenchResult
	idle     daemon.BenchResult
	first    []float64
}

func (f *figures) add(p daemon.BenchResult, l loop) {
	f.pipeline, f.loop = append(f.pipeline, p), append(f.loop, l)
}

// median of what pick makes of each pair.
func (f *figures) median(pick func(p daemon.BenchResult, l loop) float64) float64 {
	var v []float64
	for i, p := range f.pipeline {
		v = append(v, pick(p, f.loop[i]))
	}
	slices.Sort(v)
	return v[len(v)/2]
}

func (f *figures) report() (text, line string, pass bool) {
	cpu := f.median(func(p daemon.BenchResult, l loop) float64 { return l.CPUms / p.CPUms })
	fps := f.median(func(p daemon.BenchResult, l loop) float64 { return p.FPS / l.FPS })
	rss := f.median(func(p daemon.BenchResult, l loop) float64 { return p.RSSMB - l.RSS })
	allocs := f.median(func(p daemon.BenchResult, _ loop) float64 { return p.Allocs })
	bytes := f.median(func(p daemon.BenchResult, _ loop) float64 { return p.AllocBytes })
	own := f.median(func(p daemon.BenchResult, _ loop) float64 { return p.CPUms })
	idle := f.idle.CPUms / own
	slices.Sort(f.first)
	first := f.first[len(f.first)/2]
	pass = cpu >= 0.95 && fps >= 0.95 && allocs <= 2 && bytes <= 1024 && rss <= 40 && first > 0 && first <= 1 && idle <= 0.25
	var b strings.Builder
	p0 := f.pipeline[0]
	fmt.Fprintf(&b, "%s, %d processors, %s. A 1280×720 H.264 clip of a person: decode, motion gate, SSD (ssd-oidv4, 300×300),\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.Version())
	fmt.Fprintf(&b, "tracking, and the garment classifier (28×28, grey) on each crop: %d frames, %d with detection, %d crops. Medians of %d\n",
		p0.Frames, p0.Busy, p0.Crops, len(f.pipeline))
	fmt.Fprintf(&b, "runs in turn with the bare C++ loop (bench/limit); only the ratios travel to other machines.\n\n")
	fmt.Fprintf(&b, "| figure | pipeline | C++ loop | ratio or difference |\n|---|---|---|---|\n")
	fmt.Fprintf(&b, "| CPU-ms per frame | %.2f | %.2f | loop/pipeline %.3f |\n", own, f.median(func(_ daemon.BenchResult, l loop) float64 { return l.CPUms }), cpu)
	fmt.Fprintf(&b, "| frames per second | %.1f | %.1f | pipeline/loop %.3f |\n", f.median(func(p daemon.BenchResult, _ loop) float64 { return p.FPS }),
		f.median(func(_ daemon.BenchResult, l loop) float64 { return l.FPS }), fps)
	fmt.Fprintf(&b, "| resident memory, MB | %.0f | %.0f | %+.0f |\n", f.median(func(p daemon.BenchResult, _ loop) float64 { return p.RSSMB }),
		f.median(func(_ daemon.BenchResult, l loop) float64 { return l.RSS }), rss)
	fmt.Fprintf(&b, "| Go allocations per frame | %.2f (%.0f bytes) | | |\n", allocs, bytes)
	fmt.Fprintf(&b, "| CPU-ms per frame without motion | %.2f | | %.3f of busy |\n", f.idle.CPUms, idle)
	fmt.Fprintf(&b, "| start to first verdict, s | %.2f | | |\n\n", first)
	fmt.Fprintf(&b, "| stage | p50 ms | p90 ms | p99 ms |\n|---|---|---|---|\n")
	for _, s := range p0.Stages {
		fmt.Fprintf(&b, "| %s | %.3f | %.3f | %.3f |\n", s.Stage, s.P50, s.P90, s.P99)
	}
	fmt.Fprintf(&b, "\n| cameras | frames/s, all | CPU-ms per frame | resident MB | models MB | each camera MB |\n|---|---|---|---|---|---|\n")
	for _, p := range append([]daemon.BenchResult{p0}, f.many...) {
		fmt.Fprintf(&b, "| %d | %.1f | %.2f | %.0f | %.0f | %.1f |\n", p.Cameras, p.FPS, p.CPUms, p.RSSMB, p.ModelsMB, p.PerCameraMB)
	}
	line = fmt.Sprintf("FIGURE CPU %.3f, frames/s %.3f, %.2f allocs and %.0f bytes per frame, RSS %+.0f MB, first verdict %.2f s, idle CPU %.2f BAR %s %s",
		cpu, fps, allocs, bytes, rss, first, idle, bar, map[bool]string{true: "PASS", false: "FAIL"}[pass])
	return b.String(), line, pass
}
