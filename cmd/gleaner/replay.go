package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gleaner/config"
	"gleaner/daemon"
	"gleaner/daemon/event"
)

// cameraFlags choose one camera of the configuration, or make one, for the verbs that work on one source.
type cameraFlags struct {
	configFlags
	camera   string
	detect   string
	classify []string
}

func (f *cameraFlags) add(c *cobra.Command) {
	f.configFlags.add(c)
	c.Flags().StringVar(&f.camera, "camera", "", "which camera of the configuration (the first)")
	c.Flags().StringVar(&f.detect, "detect", "", "detector: motion, frame, or the name or folder of a detector bundle")
	c.Flags().StringSliceVar(&f.classify, "classify", nil, "classifier: name or folder of a bundle (several: an ensemble)")
}

// noSource stands for the source that the command line is to name.
const noSource = "images:none"

// source is spec for the verbs that cannot do without a source.
func (f *cameraFlags) source(args []string) (*config.Config, daemon.CameraSpec, error) {
	cfg, spec, err := f.spec(strings.Join(args, ""))
	if err == nil && spec.Source == noSource {
		err = &badInput{errors.New("no source: name a clip, a picture or a folder of them, or a configuration with -c")}
	}
	return cfg, spec, err
}

// spec is the camera, with source in place of its own when source is not empty.
func (f *cameraFlags) spec(source string) (*config.Config, daemon.CameraSpec, error) {
	var sets []string
	if f.file == "" { // no file: one camera, made of the defaults, the environment and the sets
		sets = append(sets, "cameras[0].name=replay", "cameras[0].source="+noSource)
	}
	cfg, err := f.load(sets...)
	if err != nil {
		return nil, daemon.CameraSpec{}, err
	}
	if len(cfg.Cameras) == 0 {
		return nil, daemon.CameraSpec{}, &badInput{fmt.Errorf("%s: has no camera", f.file)}
	}
	spec := cfg.Cameras[0]
	if f.camera != "" {
		found := false
		for _, c := range cfg.Cameras {
			if c.Name == f.camera {
				spec, found = c, true
			}
		}
		if !found {
			return nil, spec, &badInput{fmt.Errorf("--camera %s: the configuration has no such camera", f.camera)}
		}
	}
	if source != "" {
		spec.Source = source
	}
	switch f.detect {
	case "":
	case "motion", "frame":
		spec.Detect.Kind, spec.Detect.Model = f.detect, ""
	default:
		spec.Detect.Kind, spec.Detect.Model = "auto", f.detect
	}
	if f.classify != nil {
		spec.Classify.Models = f.classify
	}
	if err := spec.Validate(); err != nil {
		return nil, spec, &badInput{err}
	}
	return cfg, spec, nil
}

func newReplay() *cobra.Command {
	var f cameraFlags
	var summary bool
	c := &cobra.Command{
		Use:   "replay [SOURCE]",
		Short: "Take a finite source through the pipeline, every frame, one JSON event per line",
		Long: `Take a finite source (a clip, a picture, a folder of pictures, a drawn belt with a count) through the
pipeline. No frame is dropped and the frames' own clock is used: the same input, models and configuration give the
same lines, byte for byte. SOURCE takes the place of the camera's own source. A summary goes to standard error.

Without a configuration the detector is motion, and with no classifier every object is "unsure":
  gleaner replay conveyor.mp4
  gleaner replay --classify garments "belt:" --set cameras[0].belt.count=50`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, spec, err := f.source(args)
			if err != nil {
				return err
			}
			out := bufio.NewWriter(c.OutOrStdout())
			sink := event.NewJSONLines(out)
			res, err := daemon.Replay(c.Context(), spec, cfg.Models, daemon.ReplayOptions{Sink: sink})
			if err != nil {
				_ = out.Flush()
				return err
			}
			if err := sink.Err(); err != nil {
				return err
			}
			if err := out.Flush(); err != nil {
				return fmt.Errorf("write events: %w", err)
			}
			if summary {
				b, _ := json.Marshal(summarize(res))
				fmt.Fprintf(c.ErrOrStderr(), "%s\n", b)
				return nil
			}
			p := res.Pipeline
			fmt.Fprintf(c.ErrOrStderr(), "%d frames in %.1f s (%.0f frames/s), %d with detection; %d objects, %d verdicts%s\n",
				p.Frames, res.Wall.Seconds(), float64(p.Frames)/res.Wall.Seconds(), p.Busy, p.Objects, p.Verdicts, withheldText(p))
			return nil
		},
	}
	f.add(c)
	c.Flags().BoolVar(&summary, "json", false, "the summary as JSON")
	return c
}

// replaySummary is replay's last word as JSON.
type replaySummary struct {
	Frames   uint64            `json:"frames"`
	Busy     uint64            `json:"frames_with_detection"`
	Objects  uint64            `json:"objects"`
	Verdicts uint64            `json:"verdicts"`
	Withheld map[string]uint64 `json:"withheld"`
	Seconds  float64           `json:"seconds"`
}

func summarize(r daemon.ReplayResult) replaySummary {
	p := r.Pipeline
	s := replaySummary{Frames: p.Frames, Busy: p.Busy, Objects: p.Objects, Verdicts: p.Verdicts, Seconds: r.Wall.Seconds(),
		Withheld: map[string]uint64{}}
	for w, n := range p.Withheld {
		s.Withheld[daemon.Withheld(w).String()] = n
	}
	return s
}

func withheldText(p daemon.PipelineStats) string {
	var parts []string
	for w, n := range p.Withheld {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d withheld (%s)", n, daemon.Withheld(w)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ", " + strings.Join(parts, ", ")
}
