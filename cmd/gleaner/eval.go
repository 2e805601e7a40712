package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gleaner/train/dataset"
	"gleaner/train/judge"
)

// evalKeys are the keys of eval with what they mean, for --help and for who mistypes one.
const evalKeys = `  bundle=DIR        the bundle to judge; a run's is in its folder: runs/first/bundle
  data=PATH         labelled pictures: a data set file, a folder with a sub-folder per class, a list, an idx file
  old=DIR           another bundle, asked about the same pictures: is the first one better?
  out=PAGE          a page to write, .html, that needs nothing else
  purity=0.95,...   purities that thresholds are solved for, each 0.5 to below 1 (0.95,0.98,0.99)
  mix=CLASS:SHARE,...  how often each class comes where the bundle will work, such as can:0.5,glass:0.3,paper:0.2: what the
                    thresholds are solved for (as in the pictures)
  worst=N           how many of the worst errors are shown (24)
  workers=N         pictures at a time (as many as there are processors)`

func newEval() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "eval bundle=DIR data=PATH [out=PAGE] [key=value...]",
		Short: "Judge a bundle on labelled pictures, every figure with its interval",
		Long: `Judge a bundle on labelled pictures, as the daemon runs it: accuracy beside chance, precision, recall and F1 per class, what is
confused with what, whether the probabilities mean what they say, thresholds for a wanted purity, the worst errors.
  gleaner eval bundle=runs/first/bundle data=test/
  gleaner eval bundle=runs/second/bundle old=runs/first/bundle data=test.set out=report.html
The pictures must be none that the bundle was trained on. Intervals are of 95 %.

` + evalKeys,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			o, err := parseEval(args)
			if err != nil {
				return &badInput{err}
			}
			o.judge.Progress = progress(c.ErrOrStderr(), "pictures")
			return o.run(c, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object instead of text")
	return c
}

// evalOptions are what eval was asked.
type evalOptions struct {
	bundle, data, old, out string
	judge                  judge.Options
}

// parseEval reads key=value arguments.
func parseEval(args []string) (o evalOptions, err error) {
	o.judge = judge.DefaultOptions()
	for _, a := range args {
		key, value, ok := strings.Cut(a, "=")
		if !ok {
			return o, fmt.Errorf("%s: not of the form key=value", a)
		}
		switch key {
		case "bundle":
			o.bundle = value
		case "data":
			o.data = value
		case "old":
			o.old = value
		case "out":
			o.out = value
		case "worst":
			o.judge.Worst, err = strconv.Atoi(value)
		case "workers":
			o.judge.Workers, err = strconv.Atoi(value)
		case "purity":
			o.judge.Purity, err = numbers(value)
		case "mix":
			if o.judge.Mix, err = parts(value); err != nil {
				return o, err
			}
		default:
			keys := []string{"bundle", "data", "old", "out", "purity", "mix", "worst", "workers"}
			return o, fmt.Errorf("%s: unknown key%s gleaner eval --help lists the keys", key, meant("", key, keys))
		}
		if err != nil {
			return o, fmt.Errorf("%s: not a number", a)
		}
	}
	switch {
	case o.bundle == "":
		return o, errors.New("bundle=DIR is missing: which bundle is to be judged")
	case o.out != "" && !strings.EqualFold(filepath.Ext(o.out), ".html"):
		return o, fmt.Errorf("out=%s: a page is an .html file", o.out)
	case o.data == "":
		return o, errors.New("data=PATH is missing: on which labelled pictures the bundle is to be judged")
	}
	return o, o.judge.Check()
}

// numbers reads a list such as 0.95,0.98; an empty one is none.
func numbers(list string) (all []float64, err error) {
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		v, err := strconv.ParseFloat(part, 64)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// parts reads a mix of classes such as can:0.5,glass:0.5. A class may have colons in its name, the last one counts.
func parts(list string) (all []judge.Part, err error) {
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		at := strings.LastIndex(part, ":")
		if at < 1 {
			return nil, fmt.Errorf("mix=%s: %s is not of the form class:share", list, part)
		}
		share, err := strconv.ParseFloat(part[at+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("mix=%s: %s is not a number", list, part[at+1:])
		}
		all = append(all, judge.Part{Label: part[:at], Share: share})
	}
	return all, nil
}

// run judges and prints.
func (o *evalOptions) run(c *cobra.Command, asJSON bool) error {
	if o.out != "" {
		if err := mayWrite("out=", o.out); err != nil {
			return err
		}
	}
	data, err := dataset.OpenStored(o.data)
	if err != nil {
		return &badInput{err}
	}
	defer data.Close()
	m, err := judge.OpenModel(o.bundle, o.judge.Workers)
	if err != nil {
		return evalError(err)
	}
	defer m.Close()
	var old *judge.Model
	if o.old != "" {
		if old, err = judge.OpenModel(o.old, o.judge.Workers); err != nil {
			return evalError(err)
		}
		defer old.Close()
	}
	r, err := judge.Judge(c.Context(), data, m, old, o.judge)
	if o.judge.Progress != nil {
		fmt.Fprint(c.ErrOrStderr(), "\r\x1b[K")
	}
	if err != nil {
		return evalError(err)
	}
	if asJSON {
		err = json.NewEncoder(c.OutOrStdout()).Encode(r)
	} else {
		err = r.WriteText(c.OutOrStdout())
	}
	if err != nil || o.out == "" {
		return err
	}
	// The figures are out by now, whatever becomes of the page.
	if err := writeFile("out=", o.out, func(w io.Writer) error { return r.WriteHTML(w, data, nil) }); err != nil || asJSON {
		return evalError(err)
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "\nthe page: %s\n", o.out)
	return err
}

// evalError tells apart what the user gave from what went wrong.
func evalError(err error) error {
	var unfit *judge.UnfitError
	if errors.As(err, &unfit) || errors.Is(err, os.ErrNotExist) {
		return &badInput{err}
	}
	return err
}
