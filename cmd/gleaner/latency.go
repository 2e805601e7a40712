package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"gleaner/capture"
	"gleaner/capture/cv"
	"gleaner/capture/latency"
)

func newLatency() *cobra.Command {
	f := cameraFlags{}
	o := latency.DefaultOptions()
	c := &cobra.Command{
		Use:   "latency",
		Short: "Measure a camera's latency by flashing the terminal that it looks at",
		Long: `Point the camera at this terminal's window, as large as it goes, and keep still. The window flashes white some
times at random moments; from flash to the brighter frame is the camera's latency, the screen's own delay (10 to 30 ms as
a rule) included. The last line goes into the camera's section of the configuration: with it, a frame's time is when it
was exposed. No daemon may hold the camera meanwhile. People who react to flashing light had better look away.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.Flashes < latency.MinFlashes || o.Flashes > 1000 {
				return &badInput{fmt.Errorf("--flashes %d: is not between %d and 1000", o.Flashes, latency.MinFlashes)}
			}
			_, spec, err := f.spec("")
			if err != nil {
				return err
			}
			if spec.Source == noSource {
				return &badInput{errors.New("no camera is configured: name a file with -c, or --set cameras[0].source=v4l2:0")}
			}
			out := c.OutOrStdout()
			if !isTerminal(out) {
				return &badInput{errors.New("standard output is no terminal: there is nothing to flash")}
			}
			r, err := measureLatency(c.Context(), spec.Options, out, o)
			return tellLatency(out, spec.Name, r, err)
		},
	}
	f.configFlags.add(c)
	c.Flags().StringVar(&f.camera, "camera", "", "which camera of the configuration (the first)")
	c.Flags().IntVar(&o.Flashes, "flashes", o.Flashes, fmt.Sprintf("how many flashes, at least %d", latency.MinFlashes))
	return c
}

// The terminal's control sequences (ECMA-48; the alternate screen and the cursor as xterm has them).
const (
	screenBegin = "\x1b[?1049h\x1b[?25l"
	screenEnd   = "\x1b[0m\x1b[?25h\x1b[?1049l"
	screenWhite = "\x1b[107m\x1b[2J\x1b[H"
	screenBlack = "\x1b[40m\x1b[2J\x1b[H"
)

// measureLatency opens the camera, flashes the terminal, and leaves it as it was.
func measureLatency(ctx context.Context, o capture.Options, out io.Writer, lo latency.Options) (latency.Result, error) {
	dev, err := cv.NewDevice(o)
	if err != nil {
		return latency.Result{}, &badInput{err}
	}
	src, err := dev.Open(ctx)
	if err != nil {
		return latency.Result{}, fmt.Errorf("open %s: %w", dev, err)
	}
	defer src.Close()
	buf := dev.NewBuffer()
	defer buf.Close()
	if _, err := io.WriteString(out, screenBegin); err != nil {
		return latency.Result{}, fmt.Errorf("flash the terminal: %w", err)
	}
	defer io.WriteString(out, screenEnd) //nolint:errcheck // a terminal that is gone needs no rest
	return latency.Measure(ctx, src, buf, func(white bool) error {
		s := screenBlack
		if white {
			s = screenWhite
		}
		if _, err := io.WriteString(out, s); err != nil {
			return fmt.Errorf("flash the terminal: %w", err)
		}
		return nil
	}, lo)
}

// tellLatency prints the answer, or makes an error that says what to do.
func tellLatency(out io.Writer, cam string, r latency.Result, err error) error {
	switch {
	case errors.Is(err, latency.ErrBlind):
		return fmt.Errorf("camera %s: %w: bring the window nearer, make it larger and brighter, and darken the room", cam, err)
	case errors.Is(err, latency.ErrUnsteady):
		return fmt.Errorf("camera %s: %w: lock the exposure (controls.exposure), keep the scene still, or the latency is beyond 1.8s", cam, err)
	case errors.Is(err, latency.ErrOwnClock):
		return fmt.Errorf("camera %s: %w: latency is for live cameras", cam, err)
	case err != nil:
		return fmt.Errorf("camera %s: %w", cam, err)
	}
	fmt.Fprintf(out, "camera %s: %d of %d flashes seen, %.0f grey levels brighter; median %v, quartiles %v apart, a frame every %v\n",
		cam, r.Seen, r.Of, r.Step, r.Latency.Round(time.Millisecond), r.Spread.Round(time.Millisecond), r.Frame.Round(100*time.Microsecond))
	fmt.Fprintf(out, "latency: %v\n", r.Latency.Round(time.Millisecond))
	return nil
}
