package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gleaner/capture/cv"
	"gleaner/config"
	"gleaner/daemon"
	"gleaner/daemon/mqtt"
	"gleaner/model/tflite"
	"gleaner/train/device"
)

// finding is what doctor learned of one part.
type finding struct {
	Part string `json:"part"` // "camera belt-1", "model garments", "broker", …
	OK   bool   `json:"ok"`
	// Optional findings are no fault when they are not ok: an accelerator that is not there.
	Optional bool   `json:"optional,omitempty"`
	What     string `json:"what"`           // what was found
	Hint     string `json:"hint,omitempty"` // what to do
}

func newDoctor() *cobra.Command {
	var f configFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Try each camera, model, delegate and broker, and say what to do",
		Long: `Try every part of the configuration for real: open each camera and read a frame, load each model and compute
once, try each accelerator plug-in, connect to the broker. Each answer comes with a hint. The exit code is 1 when
something that is configured does not work. A running daemon is not disturbed, but a camera that it holds may answer
"busy".`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			var all []finding
			tell := func(x finding) {
				all = append(all, x)
				if !asJSON {
					printFinding(c.OutOrStdout(), x)
				}
			}
			examine(c.Context(), cfg, tell)
			if asJSON {
				enc := json.NewEncoder(c.OutOrStdout())
				enc.SetIndent("", "  ")
				if err := enc.Encode(all); err != nil {
					return err
				}
			}
			bad := 0
			for _, x := range all {
				if !x.OK && !x.Optional {
					bad++
				}
			}
			if bad > 0 {
				return fmt.Errorf("%d of %d parts do not work", bad, len(all))
			}
			return nil
		},
	}
	f.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

func printFinding(w io.Writer, x finding) {
	mark := "ok  "
	switch {
	case !x.OK && x.Optional:
		mark = "-   "
	case !x.OK:
		mark = "FAIL"
	}
	fmt.Fprintf(w, "%s  %s: %s\n", mark, x.Part, x.What)
	if x.Hint != "" {
		fmt.Fprintf(w, "      → %s\n", x.Hint)
	}
}

// examine tries every part, in the order in which a frame meets them.
func examine(ctx context.Context, cfg *config.Config, tell func(finding)) {
	tell(finding{Part: "OpenCV", OK: cv.Real, What: cv.Version(), Hint: unless(cv.Real, "build with cgo after make setup")})
	real := tflite.Version() != "none"
	tell(finding{Part: "TensorFlow Lite", OK: real, What: tflite.Version(), Hint: unless(real, "build with cgo after make setup")})
	examineCameras(ctx, cfg, tell)
	examineModels(cfg, tell)
	for _, d := range tflite.Find(tflite.Options{Threads: 1, Delegates: cfg.Models.Delegates, ProbeTimeout: 10 * time.Second}) {
		what := d.Device + ": " + d.Reason
		if d.Ready {
			what = d.Device + ": ready; name it under models.delegates"
		}
		tell(finding{Part: "delegate " + d.Library, OK: d.Ready, Optional: true, What: what, Hint: d.Hint})
	}
	examineTraining(ctx, tell)
	examineBroker(ctx, cfg.MQTT, tell)
}

// examineTraining tells where training can run. None of it is a fault of the daemon's.
func examineTraining(ctx context.Context, tell func(finding)) {
	for _, d := range device.List(ctx) {
		tell(finding{Part: "training, device=" + d.Name, OK: d.OK, Optional: true, What: d.What})
	}
}

func unless(ok bool, hint string) string {
	if ok {
		return ""
	}
	return hint
}

func examineCameras(ctx context.Context, cfg *config.Config, tell func(finding)) {
	if len(cfg.Cameras) == 0 {
		found, _ := filepath.Glob("/dev/v4l/by-id/*")
		x := finding{Part: "cameras", OK: len(found) > 0, Optional: true, What: "none is configured"}
		if len(found) > 0 {
			x.What += "; these are plugged in: " + strings.Join(found, ", ")
			x.Hint = "cameras: [{name: cam, source: 'v4l2:" + found[0] + "'}]"
		} else {
			x.Hint = "no USB camera is plugged in; a stream is source: rtsp://host/path"
		}
		tell(x)
	}
	for _, cam := range cfg.Cameras {
		tell(examineCamera(ctx, cam))
	}
}

// examineCamera opens the camera and reads one frame, within a few seconds.
func examineCamera(ctx context.Context, cam daemon.CameraSpec) finding {
	x := finding{Part: "camera " + cam.Name}
	fail := func(err error) finding { x.What = oneLine(err); return x }
	dev, err := cv.NewDevice(cam.Options)
	if err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	began := time.Now()
	src, err := dev.Open(ctx)
	if err != nil {
		return fail(err)
	}
	defer src.Close()
	buf := dev.NewBuffer()
	defer buf.Close()
	if _, err := src.Read(ctx, buf); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it has no frame")
		}
		return fail(err)
	}
	im := buf.Image()
	x.OK, x.What = true, fmt.Sprintf("%s gives %d×%d, first frame after %d ms", dev, im.W, im.H, time.Since(began).Milliseconds())
	if w, ok := src.(cv.Warner); ok {
		if ws := w.Warnings(); len(ws) > 0 {
			x.Hint = strings.Join(ws, "; ")
		}
	}
	return x
}

// examineModels loads every model that a camera names, and computes once.
func examineModels(cfg *config.Config, tell func(finding)) {
	seen := map[string]bool{}
	for _, cam := range cfg.Cameras {
		for _, ref := range append([]string{cam.Detect.Model}, cam.Classify.Models...) {
			if ref == "" || seen[ref] {
				continue
			}
			seen[ref] = true
			x := finding{Part: "model " + ref}
			info, err := daemon.TryModel(cfg.Models, ref)
			if err != nil {
				x.What = oneLine(err)
				tell(x)
				continue
			}
			x.OK, x.What = true, fmt.Sprintf("%s, runs on %s", info.SHA256, info.Delegate)
			var not []string
			for _, r := range info.Ladder {
				if !r.Used && r.Reason != "" {
					not = append(not, r.Name+": "+r.Reason)
				}
			}
			if len(not) > 0 {
				x.Hint = "not used: " + strings.Join(not, "; ")
			}
			tell(x)
		}
	}
}

// examineBroker connects as the daemon would, without saying a word there.
func examineBroker(ctx context.Context, o mqtt.Options, tell func(finding)) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	what, err := mqtt.Try(ctx, o)
	x := finding{Part: "broker", OK: err == nil, What: what}
	if err != nil {
		x.What = oneLine(err)
		x.Hint = "is it running, and do the address, the user and the certificates in mqtt: fit it?"
	}
	tell(x)
}
