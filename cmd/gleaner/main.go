// Command gleaner gleans labelled objects out of camera frames and publishes one verdict per object. This package is
// the verbs and nothing else: each reads its flags, calls the part that does the work, and prints.
//
// Long because it is one verb after the other, a file each, and they have nothing to hide from each other.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gleaner/config"
	"gleaner/model/tflite"
	"gleaner/train/engine/onednn"
	"gleaner/train/engine/xla"
	"gleaner/train/recipe"
)

// version is set by the linker.
var version = "devel"

// The exit codes.
const (
	exitOK       = 0
	exitFailed   = 1 // something went wrong while working
	exitBadInput = 2 // what was given cannot be used: a flag, the configuration, a model, a picture
)

func main() {
	if tflite.ProbeChild() {
		return
	}
	xla.ProbeChild()
	if len(os.Args) > 1 && os.Args[1] == "train" {
		recipe.HoldMemory()
		if err := onednn.Passive(); err != nil { // it is slower then, and no less right
			fmt.Fprintf(os.Stderr, "WARNING: %v\n", err)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, stop, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes one command line and returns the exit code. Errors are one line on stderr.
func run(ctx context.Context, restore func(), args []string, stdout, stderr io.Writer) int {
	root := newRoot(restore)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(stderr, "gleaner: %s\n", oneLine(err))
	var bad *badInput
	var cfg *config.Error
	if errors.As(err, &bad) || errors.As(err, &cfg) || isBadInput(err) {
		return exitBadInput
	}
	return exitFailed
}

// badInput marks an error as the fault of what was given.
type badInput struct{ err error }

func (b *badInput) Error() string { return b.err.Error() }
func (b *badInput) Unwrap() error { return b.err }

func newRoot(restore func()) *cobra.Command {
	root := &cobra.Command{
		Use:   "gleaner",
		Short: "Sort what a camera sees: detect, track, classify, one verdict per object over MQTT",
		Long: `gleaner takes camera frames, detects, tracks, crops and classifies the objects in them,
and publishes one verdict per object over MQTT.

See it work:    gleaner run --demo
Your own line:  gleaner run -c gleaner.yaml
Try a clip:     gleaner replay clip.mp4
What is wrong?  gleaner doctor -c gleaner.yaml
A new model:    gleaner train data=photos/ out=runs/first`,
		SilenceUsage: true, SilenceErrors: true, Version: version,
		Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		given, _ := strings.CutPrefix(err.Error(), "unknown flag: --")
		return &badInput{fmt.Errorf("%w%s see %s --help", err, meant("--", given, names), c.CommandPath())}
	})
	root.AddCommand(newRun(restore), newReplay(), newOnce(), newCheck(), newDoctor(), newLatency(), newBench(), newModels(), newData(), newEval(), newTrain(restore), newRuns(), newVersion())
	markArgs(root)
	return root
}

// markArgs makes wrong arguments bad input, in every verb.
func markArgs(c *cobra.Command) {
	for _, sub := range c.Commands() {
		markArgs(sub)
	}
	check := c.Args
	if check == nil {
		return
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			if !c.HasSubCommands() { // what is missing has a name
				err = fmt.Errorf("%w: %s", err, strings.TrimSuffix(c.UseLine(), " [flags]"))
			}
			var names []string
			for _, sub := range c.Commands() {
				names = append(names, sub.Name())
			}
			return &badInput{fmt.Errorf("%w%s see %s --help", err, meant("", strings.Join(args[:min(1, len(args))], ""), names), c.CommandPath())}
		}
		return nil
	}
}

// configFlags are what every verb that reads a configuration takes.
type configFlags struct {
	file string
	sets []string
}

func (f *configFlags) add(c *cobra.Command) {
	c.Flags().StringVarP(&f.file, "config", "c", os.Getenv("GLEANER_CONFIG"), "configuration file (YAML, TOML or JSON)")
	c.Flags().StringArrayVar(&f.sets, "set", nil, "set one key, such as cameras[0].stall=5s (repeatable)")
}

// load reads the configuration; more are sets that come before those of the command line.
func (f *configFlags) load(more ...string) (*config.Config, error) {
	return config.Load(config.Origin{File: f.file, Env: os.Environ(), Sets: append(more, f.sets...)})
}

// newLog is the program's own log on w.
func newLog(w io.Writer, l config.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.Level)) // checked when the configuration was
	o := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
