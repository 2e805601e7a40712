package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"gleaner/train/recipe"
	"gleaner/train/sweep"
)

func newTrainSweep(restore func()) *cobra.Command {
	var p sweep.Plan
	var resume, asJSON bool
	c := &cobra.Command{
		Use:   "sweep data=PICTURES out=FOLDER [key=value...] --try KEY=VALUE,VALUE... [--try ...]",
		Short: "Train with every combination of some options, and say which is the best",
		Long: `Train with every combination of some options, each in a folder of its own, and say which is the best on validation pictures:
  gleaner train sweep recipe=recycling data=waste.set out=sweeps/a --try lr=0.1,0.05,0.01 --try mixup=0,0.2
  gleaner train sweep data=photos out=sweeps/b --try lr=0.0001..0.01 --try drop=0..0.5 --random 20
  gleaner train sweep data=photos out=sweeps/c --try 'freeze=conv1|conv1,conv2' --folds 5

Values have commas between them, or bars where a value has commas itself (mean, std, cut, freeze and rates always). A range is drawn
from with --random: log-uniform, or uniform where it begins at 0. Test pictures are not looked at, unless --tested; they never choose.
A run that fails is listed with its reason, and the others go on. Whatever ends a sweep, --resume goes on: gleaner train sweep out=sweeps/a --resume`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			p.Args = args
			s, err := sweep.Open(p, resume, func(o *recipe.Options) { o.NetIn(filepath.Join(nativeDir(), "models")) })
			if err != nil {
				return &badInput{err}
			}
			signal.Ignore(syscall.SIGXFSZ)                  // a limit on the size of files is an error of the write, not a crash
			defer context.AfterFunc(c.Context(), restore)() // a second signal ends at once
			if err := s.Run(c.Context(), sweepTeller(c, asJSON)); err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(map[string]any{"sweep": s})
			}
			return s.WriteText(c.OutOrStdout())
		},
	}
	c.Flags().StringArrayVar(&p.Try, "try", nil, "a key with the values to try, or a range to draw from (repeatable)")
	c.Flags().IntVar(&p.Random, "random", 0, "draw so many combinations in place of trying all")
	c.Flags().Uint64Var(&p.Seed, "seed", 1, "of the draw")
	c.Flags().IntVar(&p.Folds, "folds", 0, "cross-validate each run, with so many folds")
	c.Flags().BoolVar(&p.Tested, "tested", false, "measure each run on test pictures as well")
	c.Flags().BoolVar(&resume, "resume", false, "go on with the sweep in out= where it stopped")
	c.Flags().BoolVar(&asJSON, "json", false, "one line of JSON per run on standard output, and one for the sweep")
	return c
}

// sweepTeller shows the epochs on standard error, and the runs on standard output.
func sweepTeller(c *cobra.Command, asJSON bool) sweep.Teller {
	out, errs := c.OutOrStdout(), c.ErrOrStderr()
	show := newTrainShow(errs, errs, false)
	return sweep.Teller{
		Run: show.reporter(),
		Begin: func(r *sweep.Run, of int) {
			show.note(fmt.Sprintf("run %d of %d: %s", r.Number, of, strings.Join(r.Set, " ")))
		},
		End: func(p sweep.Progress) {
			show.close()
			show.bar = nil
			if asJSON {
				_ = json.NewEncoder(out).Encode(map[string]any{"run": p.Run, "done": p.Done, "of": p.Of, "seconds_left": p.Left.Seconds()})
				return
			}
			text := "failed: " + p.Run.Reason
			if p.Run.Figures != nil {
				text = "accuracy " + p.Run.Accuracy.String()
			}
			best := "none is finished"
			if p.Best != nil {
				best = fmt.Sprintf("the best so far is run %d with %.1f %%", p.Best.Number, 100*p.Best.Accuracy.Value)
			}
			left := ""
			if p.Left > 0 {
				left = fmt.Sprintf("; about %v left", p.Left)
			}
			fmt.Fprintf(out, "run %d of %d (%s): %s; %s%s\n", p.Run.Number, p.Of, strings.Join(p.Run.Set, " "), text, best, left)
		},
	}
}
