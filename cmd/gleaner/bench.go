package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"image"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gleaner/daemon"
)

func newBench() *cobra.Command {
	var f cameraFlags
	var asJSON bool
	var o daemon.BenchOptions
	var trace string
	c := &cobra.Command{
		Use:   "bench [SOURCE]",
		Short: "Measure what a frame costs, stage by stage",
		Long: `Take a finite source through the pipeline as fast as it goes and measure: time per stage, CPU per frame,
allocations, memory. SOURCE takes the place of the camera's own source.
  gleaner bench clip.mp4 --detect ssd-oidv4 --classify garments
  gleaner bench clip.mp4 --cameras 4 --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			if o.Cameras < 1 || o.Cameras > 64 {
				return &badInput{fmt.Errorf("--cameras %d: is not between 1 and 64", o.Cameras)}
			}
			cfg, spec, err := f.source(args)
			if err != nil {
				return err
			}
			if trace != "" {
				file, err := os.Create(trace)
				if err != nil {
					return &badInput{err}
				}
				w := bufio.NewWriter(file)
				defer func() {
					if e := w.Flush(); err == nil {
						err = e
					}
					if e := file.Close(); err == nil {
						err = e
					}
				}()
				o.Trace = func(seq uint64, detected bool, crops []image.Rectangle) { writeTrace(w, seq, detected, crops) }
			}
			res, err := daemon.Bench(c.Context(), spec, cfg.Models, o)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(c.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(res)
			}
			printBench(c, res)
			return nil
		},
	}
	f.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	c.Flags().IntVar(&o.Cameras, "cameras", 1, "cameras that read the source at the same time")
	c.Flags().Uint64Var(&o.Warmup, "warmup", 30, "frames of each camera before the measurement begins")
	c.Flags().StringVar(&trace, "trace", "", "write what was done with each frame to this file: frame, detected, crops as x0 y0 x1 y1")
	return c
}

// writeTrace writes one frame's line: its number, 1 or 0 for detection, the number of crops and their corners. It
// allocates nothing, for the allocations of the frames are being counted meanwhile.
func writeTrace(w *bufio.Writer, seq uint64, detected bool, crops []image.Rectangle) {
	d := int64(0)
	if detected {
		d = 1
	}
	line := strconv.AppendUint(w.AvailableBuffer(), seq, 10)
	add := func(n int64) { line = strconv.AppendInt(append(line, ' '), n, 10) }
	add(d)
	add(int64(len(crops)))
	for _, r := range crops {
		add(int64(r.Min.X))
		add(int64(r.Min.Y))
		add(int64(r.Max.X))
		add(int64(r.Max.Y))
	}
	_, _ = w.Write(append(line, '\n')) // Flush gives the error
}

func printBench(c *cobra.Command, r daemon.BenchResult) {
	w := c.OutOrStdout()
	fmt.Fprintf(w, "%d camera(s), %d frames, %d with detection, %d crops, %d verdicts\n", r.Cameras, r.Frames, r.Busy, r.Crops, r.Verdicts)
	fmt.Fprintf(w, "%-10s %8s %9s %9s %9s\n", "stage", "count", "p50 ms", "p90 ms", "p99 ms")
	for _, s := range r.Stages {
		fmt.Fprintf(w, "%-10s %8d %9.3f %9.3f %9.3f\n", s.Stage, s.Count, s.P50, s.P90, s.P99)
	}
	fmt.Fprintf(w, "%.1f frames/s, %.2f CPU-ms per frame, %.2f Go allocations and %.0f bytes per frame\n", r.FPS, r.CPUms, r.Allocs, r.AllocBytes)
	fmt.Fprintf(w, "memory %.0f MB resident (peak %.0f): models %.0f, each camera %.1f\n", r.RSSMB, r.PeakRSSMB, r.ModelsMB, r.PerCameraMB)
	if r.FirstVerdictS > 0 {
		fmt.Fprintf(w, "first verdict %.2f s after the start\n", r.FirstVerdictS)
	}
	fmt.Fprintf(w, "models run on: %s\n", strings.Join(r.Delegates, ", "))
}
