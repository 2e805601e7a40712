package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gleaner/daemon"
)

func newOnce() *cobra.Command {
	var f cameraFlags
	var text bool
	c := &cobra.Command{
		Use:   "once PICTURE|FOLDER...",
		Short: "Detect and classify in single pictures, one JSON object per picture",
		Long: `Detect and classify the objects in single pictures, one line of JSON per picture on standard output; of a folder
all pictures, in the order of their names. Without a configuration the whole picture is the object:
  gleaner once --classify garments shirt.png
  gleaner once --detect ssd-oidv4 street.jpg
A picture that cannot be read gives a line with its error, the others go on, and the exit code is 2.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if f.detect == "" && f.file == "" {
				f.detect = "frame"
			}
			cfg, spec, err := f.spec("")
			if err != nil {
				return err
			}
			all, bad, why := 0, 0, ""
			enc := json.NewEncoder(c.OutOrStdout())
			enc.SetEscapeHTML(false)
			err = daemon.Once(c.Context(), spec, cfg.Models, args, func(p daemon.Picture) error {
				all++
				if p.Error != "" {
					bad, why = bad+1, p.Error
				}
				if text {
					printPicture(c, p)
					return nil
				}
				return enc.Encode(p)
			})
			switch {
			case err != nil || bad == 0:
				return err
			case all == 1:
				return &badInput{errors.New(why)}
			}
			return &badInput{fmt.Errorf("%d of %d pictures could not be read; the last: %s", bad, all, why)}
		},
	}
	f.add(c)
	c.Flags().BoolVar(&text, "text", false, "plain lines in place of JSON")
	return c
}

func printPicture(c *cobra.Command, p daemon.Picture) {
	w := c.OutOrStdout()
	if p.Error != "" {
		fmt.Fprintf(w, "%s: %s\n", p.File, p.Error)
		return
	}
	fmt.Fprintf(w, "%s: %d×%d, %d objects\n", p.File, p.Width, p.Height, len(p.Objects))
	for _, o := range p.Objects {
		fmt.Fprintf(w, "  %d,%d – %d,%d", o.Box[0], o.Box[1], o.Box[2], o.Box[3])
		if o.Detected != "" {
			fmt.Fprintf(w, "  %s %.0f %%", o.Detected, 100*o.Score)
		}
		for _, t := range o.Top {
			fmt.Fprintf(w, "  %s %.1f %%", t.Class, 100*t.P)
		}
		if o.Unknown {
			fmt.Fprint(w, "  unknown: like nothing that the classifier was taught")
		}
		if o.Reason != "" {
			fmt.Fprintf(w, "  not classified: %s", o.Reason)
		}
		fmt.Fprintln(w)
	}
}
