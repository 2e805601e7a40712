package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"gleaner/train"
	"gleaner/train/dataset"
	"gleaner/train/engine"
	"gleaner/train/ensemble"
	"gleaner/train/recipe"
	"gleaner/train/runs"
)

func newTrain(restore func()) *cobra.Command {
	var resume, asJSON bool
	var folds int
	var crop []string
	c := &cobra.Command{
		Use:   "train data=PICTURES out=FOLDER [key=value...]",
		Short: "Train a classifier on labelled pictures, and leave a bundle that the daemon runs",
		Long: `Train a classifier on labelled pictures, from scratch:
  gleaner train data=photos/ out=runs/first
  gleaner train data=/usr/share/datasets/fashion-mnist net=resnet-small out=runs/clothing epochs=12
  gleaner once --classify runs/first/bundle picture.jpg

The run's folder gets the exact options, a row of the log per epoch, a checkpoint, the best weights and the bundle.
With a recipe, and from whole photos, out of which a detector cuts the objects first:
  gleaner train recipe=recycling data=waste.set out=runs/waste
  gleaner train recipe=watches data=photos out=runs/watches --crop detector=coco.tflite --crop labels=coco.txt --crop classes=clock

Whatever ends a run, the power included, --resume goes on as if nothing had happened:
  gleaner train out=runs/first --resume
Ctrl-C finishes the step, saves, and leaves a bundle of the best weights so far; a second Ctrl-C ends at once.

Keys, with what they are when not set:
` + trainKeys(),
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			o, err := trainOptions(args, resume)
			if err == nil {
				err = checkTrain(o, folds, resume)
			}
			if err != nil {
				return &badInput{err}
			}
			again := func(arg string) bool { return strings.HasPrefix(arg, "data=") } // else data= is that of the run: the crops
			if len(crop) > 0 && (!resume || slices.ContainsFunc(args, again)) {
				if err := cropFirst(c, &o, crop, resume, asJSON); err != nil {
					return err
				}
			}
			signal.Ignore(syscall.SIGXFSZ)                  // a limit on the size of files is an error of the write, not a crash
			defer context.AfterFunc(c.Context(), restore)() // a second signal ends at once
			show := newTrainShow(c.OutOrStdout(), c.ErrOrStderr(), asJSON)
			show.heads = len(o.Rule) > 0
			if folds > 0 {
				return crossValidate(c.Context(), o, folds, resume, show)
			}
			result, err := train.Fit(c.Context(), o, resume, show.reporter())
			show.close()
			if result != nil {
				show.result(result)
			}
			return err
		},
	}
	c.Flags().BoolVar(&resume, "resume", false, "go on with the run in out= where it stopped")
	c.Flags().IntVar(&folds, "folds", 0, "cross-validate: train so many times, each time measured on another part of the pictures")
	c.Flags().StringArrayVar(&crop, "crop", nil, "first cut the objects out of the pictures: detector=NAME, classes=A and the other keys of data crop (repeatable)")
	c.Flags().BoolVar(&asJSON, "json", false, "one line of JSON per epoch on standard output")
	c.AddCommand(newTrainSummary(), newTrainSweep(restore))
	return c
}

// checkTrain tells what is wrong with the flags of train.
func checkTrain(o recipe.Options, folds int, resume bool) error {
	switch {
	case folds < 0 || folds == 1:
		return fmt.Errorf("--folds=%d: a cross-validation has at least 2, and 0 is none", folds)
	case !resume || folds > 0 && runs.IsRun(o.Out):
		return runs.Apart(o.Out, folds)
	}
	return runs.Resumable(o, folds)
}

// trainKeys lists the options for --help.
func trainKeys() string {
	var b strings.Builder
	o := recipe.DefaultOptions()
	w := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	for _, k := range o.Keys() {
		fmt.Fprintf(w, "  %s=%s\t%s\n", k.Name, k.Value, k.Doc)
	}
	_ = w.Flush()
	return strings.TrimRight(b.String(), "\n")
}

// trainOptions reads key=value arguments; when a run goes on, on top of the options that it was begun with.
func trainOptions(args []string, resume bool) (recipe.Options, error) {
	o := recipe.DefaultOptions()
	if err := o.SetAll(args); err != nil {
		return o, err
	}
	netIn := func(o *recipe.Options) { o.NetIn(filepath.Join(nativeDir(), "models")) }
	netIn(&o)
	if !resume || o.Out == "" {
		return o, nil
	}
	stored, ok, err := runs.Stored(o.Out, args, netIn)
	if err != nil || ok {
		return stored, err
	}
	return o, nil
}

// trainShow shows how a run goes: a bar on a terminal, else plain lines; with JSON, lines of it on standard output.
type trainShow struct {
	out, err io.Writer
	json     bool
	heads    bool                     // several learn: what is right on validation pictures is their mean
	bar      *progressbar.ProgressBar // nil: not on a terminal, or not yet
	steps    int                      // that the bar has seen
}

func newTrainShow(out, err io.Writer, asJSON bool) *trainShow {
	return &trainShow{out: out, err: err, json: asJSON}
}

func (s *trainShow) reporter() train.Reporter {
	r := train.Reporter{Program: "gleaner " + version, Note: s.note, Epoch: s.epoch}
	if isTerminal(s.err) {
		r.Step, r.Decoded = s.step, func(done, total int) { s.line("%d of %d pictures", done, total) }
	}
	return r
}

// line writes over the line that the cursor is on.
func (s *trainShow) line(format string, a ...any) { fmt.Fprintf(s.err, "\r\x1b[K"+format, a...) }

// note says something without tearing the bar apart.
func (s *trainShow) note(text string) {
	if isTerminal(s.err) {
		s.line("%s\n", text)
		return
	}
	fmt.Fprintln(s.err, text)
}

// step moves the bar. It counts pictures, those of the steps that this process does.
func (s *trainShow) step(p train.Progress) {
	if s.bar == nil {
		s.steps = p.Step - 1
		s.bar = progressbar.NewOptions64(int64(p.Steps-s.steps)*int64(p.Batch), progressbar.OptionSetWriter(s.err), progressbar.OptionShowIts(),
			progressbar.OptionSetItsString("images"), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(true),
			progressbar.OptionFullWidth(), progressbar.OptionSetRenderBlankState(true))
	}
	s.bar.Describe(fmt.Sprintf("epoch %d/%d  loss %.4f  %.3g CPU-ms/image", p.Epoch, p.Epochs, p.Loss, p.CPU))
	_ = s.bar.Add64(int64(p.Step-s.steps) * int64(p.Batch)) // only drawing can fail
	s.steps = p.Step
}

func (s *trainShow) epoch(r runs.Row, t runs.Timing, best bool) {
	if s.json {
		_ = json.NewEncoder(s.out).Encode(struct { // a reader that left is no reason to stop training
			runs.Row
			runs.Timing
			Best bool `json:"best"`
		}{r, t, best})
		return
	}
	mark := ""
	if best {
		mark = "  best"
	}
	if isTerminal(s.err) {
		s.line("")
	}
	fmt.Fprintf(s.out, "epoch %3d  lr %-8.3g train loss %.4f %5.1f %%  validation loss %.4f %6.2f %%  %.0f images/s  %.3g CPU-ms/image%s\n",
		r.Epoch, r.LR, r.TrainLoss, 100*r.TrainAcc, r.ValLoss, 100*r.ValAcc, t.Rate, t.CPU, mark)
}

// close leaves the bar's line.
func (s *trainShow) close() {
	if s.bar != nil {
		_ = s.bar.Exit()
		s.line("")
	}
}

// result says what the run came to.
func (s *trainShow) result(r *train.Result) {
	if s.json {
		_ = json.NewEncoder(s.out).Encode(map[string]any{"result": r})
		return
	}
	if r.Early {
		fmt.Fprintf(s.out, "ended early: nothing has been better since epoch %d\n", r.Best.Epoch)
	}
	on := "right on validation pictures"
	if s.heads {
		on += " (the heads in the mean)"
	}
	what := "the weights as they are"
	switch {
	case len(r.Ensemble) > 1:
		what = fmt.Sprintf("an ensemble of %d checkpoints, of %s", len(r.Ensemble), ensemble.Epochs(r.Ensemble))
	case r.Best.Epoch == 0 && r.Best.ValAcc > 0:
		what = fmt.Sprintf("the heads on the network as it began: %.2f %% %s", 100*r.Best.ValAcc, on)
	case r.Best.Epoch > 0:
		what = fmt.Sprintf("the best weights, of epoch %d: %.2f %% %s", r.Best.Epoch, 100*r.Best.ValAcc, on)
	}
	if r.Tested {
		what += fmt.Sprintf(", %.2f %% on test pictures", 100*r.TestAcc)
	}
	fmt.Fprintf(s.out, "%s: %s\n", r.Bundle, what)
}

func newTrainSummary() *cobra.Command {
	var asJSON bool
	var classes int
	c := &cobra.Command{
		Use: "summary net=NETWORK [key=value...]", Short: "Print a network's layers, shapes, parameters and work",
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			o, err := trainOptions(args, false)
			if err == nil && (classes < 2 || classes > 1_000_000) {
				err = fmt.Errorf("--classes=%d: not in 2 to 1000000", classes)
			}
			if err != nil {
				return &badInput{err}
			}
			head := dataset.Head{Name: "class", Labels: make([]string, classes)}
			shape, err := o.Shape()
			if err != nil {
				return &badInput{err}
			}
			n, _, err := recipe.Network(&o, shape, []dataset.Head{head})
			if err != nil {
				return &badInput{err}
			}
			s, err := n.Summarise()
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(c.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(s)
			}
			return s.Write(c.OutOrStdout())
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	c.Flags().IntVar(&classes, "classes", 10, "how many classes the network tells apart")
	return c
}

// isTrainInput tells whether a training error is the fault of what was given.
func isTrainInput(err error) bool {
	var in *train.InputError
	var layer *engine.LayerError
	return errors.As(err, &in) || errors.As(err, &layer)
}
