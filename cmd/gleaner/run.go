package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gleaner/config"
	"gleaner/daemon"
)

func newRun(restore func()) *cobra.Command {
	var f configFlags
	var demo, source string
	var length time.Duration
	c := &cobra.Command{
		Use:   "run",
		Short: "Be the daemon: cameras in, verdicts out",
		Long: `Open every camera of the configuration, sort what they see and publish the verdicts, until a signal comes.
With --demo, a drawn belt with real garments is sorted, and the program says how to watch; --demo=masks and
--demo=recycling look at the first camera, or at what --source names: an address, a clip or a folder of pictures.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var sets []string
			var kind demoKind
			if demo != "" {
				var err error
				if kind, sets, err = findDemo(demo, source); err != nil {
					return err
				}
			} else if source != "" {
				return &badInput{errors.New("--source is of --demo; a configuration names its cameras' sources itself")}
			}
			cfg, err := f.load(sets...)
			if err != nil {
				return err
			}
			if len(cfg.Cameras) == 0 {
				return &badInput{fmt.Errorf("no camera is configured: name a file with -c, or try gleaner run --demo")}
			}
			ctx, cancel := context.WithCancel(c.Context())
			defer cancel()
			if length > 0 {
				ctx, cancel = context.WithTimeout(ctx, length)
				defer cancel()
			}
			// From the first signal on, a second one ends the process at once.
			stopWatching := context.AfterFunc(c.Context(), restore)
			defer stopWatching()
			if demo != "" {
				return runDemo(ctx, cfg, kind.about, c.OutOrStdout(), c.ErrOrStderr())
			}
			return runDaemon(ctx, cfg, c.ErrOrStderr())
		},
	}
	f.add(c)
	c.Flags().StringVar(&demo, "demo", "", "show the program at work: "+strings.Join(demoNames(), ", "))
	c.Flags().Lookup("demo").NoOptDefVal = demoKinds[0].name
	c.Flags().StringVar(&source, "source", "", "with --demo: a camera's address, a clip or a folder of pictures")
	c.Flags().DurationVar(&length, "for", 0, "stop after this time, such as 30s (0: never)")
	return c
}

func runDaemon(ctx context.Context, cfg *config.Config, stderr io.Writer) error {
	log := newLog(stderr, cfg.Log)
	return daemon.Run(ctx, cfg.Options, daemon.RunOptions{Log: log, Version: version, OnReady: func(a daemon.Addresses) {
		log.Info("ready", "version", version, "cameras", len(cfg.Cameras), "broker", a.Broker, "topics", a.Topics, "page", a.Web)
	}})
}
