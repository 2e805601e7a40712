package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gleaner/train/imprint"
)

func newModelsImprint(f *configFlags) *cobra.Command {
	o := imprint.DefaultMakeOptions()
	var use bool
	var out string
	var run imprint.RunOptions
	c := &cobra.Command{Use: "imprint PICTURES", Short: "Make a classifier out of labelled pictures, in minutes, without training",
		Long: `Make a classifier bundle out of labelled pictures: a folder with a sub-folder per class, or a list file. The
backbone that setup fetched computes features, and the class means of them become the classifier (weight imprinting).
A part of the pictures only measures the result. It is a start: what it reaches stands beside it.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if run.Run != "" {
				run.NativeDir, run.Name, run.Out = nativeDir(), o.Name, out
				return imprintRun(c.Context(), run, c.OutOrStdout())
			}
			if len(args) == 0 {
				return &badInput{fmt.Errorf("names no pictures: give a folder with a sub-folder per class")}
			}
			o.Pictures, o.NativeDir = args[0], nativeDir()
			if o.Name == "" {
				o.Name = bundleName(args[0])
			}
			o.Progress = progress(c.ErrOrStderr(), "pictures")
			made, err := imprint.Make(c.Context(), o)
			if err != nil {
				return &badInput{err}
			}
			s, err := f.store()
			if err != nil {
				return err
			}
			id, err := s.Put(made.Manifest, made.Files)
			if err != nil {
				return err
			}
			if use {
				if _, err := s.Use(id); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %.1f %% right on %d pictures that it was not made of (%d made it, %d could not be read)\n",
				id, 100*made.Manifest.Accuracy, made.Test, made.Train, made.Skipped)
			return err
		}}
	fl := c.Flags()
	fl.StringVar(&o.Name, "name", "", "name of the bundle (the folder's name)")
	fl.IntVar(&o.Size, "size", o.Size, "side of the model's input in pixels")
	fl.Float64Var(&o.Test, "test", o.Test, "share of the pictures that only measure, 0 to 0.5")
	fl.BoolVar(&use, "use", false, "make it the current bundle")
	runFlags(fl, &run)
	fl.StringVar(&out, "out", "model/bundle/catalogue/own", "with --run: folder for the weights and the entry")
	return c
}

// runFlags are those of a network that comes out of a run.
func runFlags(fl *pflag.FlagSet, run *imprint.RunOptions) {
	fl.StringVar(&run.Run, "run", "", "put the network of a run of gleaner train, or the head that it fitted on the frozen backbone (epochs=0), into the catalogue, under --name")
	fl.StringVar(&run.About, "about", "", "with --run: what it is, in a sentence")
	fl.StringVar(&run.Licence, "licence", "", "with --run: of backbone and pictures")
	fl.Float64Var(&run.Accuracy, "accuracy", 0, "with --run: as cross-validation measured it, 0 to 1")
	fl.StringVar(&run.On, "on", "", "with --run: on what it was measured")
}

var notName = regexp.MustCompile(`[^a-z0-9._-]+`)

// bundleName makes a bundle's name out of a path.
func bundleName(path string) string {
	s := notName.ReplaceAllString(strings.ToLower(filepath.Base(filepath.Clean(path))), "-")
	if s = strings.Trim(s, "-."); s == "" {
		return "pictures"
	}
	return s[:min(len(s), 64)]
}

// progress counts on a terminal, in place; elsewhere it is silent.
func progress(w io.Writer, what string) func(done, total int) {
	if !isTerminal(w) {
		return nil
	}
	return func(done, total int) { fmt.Fprintf(w, "\r%d of %d %s\x1b[K", done, total, what) }
}

func imprintRun(ctx context.Context, o imprint.RunOptions, stdout io.Writer) error {
	if o.Name == "" || o.About == "" || o.Licence == "" || o.Accuracy <= 0 || o.On == "" {
		return &badInput{errors.New("--run needs --name, --about, --licence, --accuracy and --on, which the catalogue states")}
	}
	size, err := imprint.FromRun(ctx, o)
	if err != nil {
		return &badInput{err}
	}
	_, err = fmt.Fprintf(stdout, "%s: its weights are %d bytes\n", filepath.Join(o.Out, o.Name+".json"), size)
	return err
}
