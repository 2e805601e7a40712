package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gleaner/model/bundle"
)

func newModelsAdd(f *configFlags) *cobra.Command {
	var a bundle.Answers
	var mean, std []float64
	var threshold float64
	var use bool
	c := &cobra.Command{Use: "add MODEL.tflite [LABELS.txt]", Short: "Wrap a foreign model into a bundle",
		Long: `Wrap a foreign .tflite model and its labels (one a line; those in the model's metadata when none are given) into a
bundle. What the file does not say is asked for on a terminal, and otherwise has to be given by flags: nothing is
guessed. A channel value v of 0 to 255 becomes (v-mean)/std: 127.5 and 127.5 give -1 to 1, 0 and 255 give 0 to 1.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := f.store()
			if err != nil {
				return err
			}
			a.Mean, a.Std, a.Threshold = narrow(mean), narrow(std), float32(threshold)
			labels := ""
			if len(args) == 2 {
				labels = args[1]
			}
			added, err := bundle.Add(s, args[0], labels, a)
			for err == nil && len(added.Open) > 0 {
				if err = answer(c, &a, added.Open[0]); err == nil {
					added, err = bundle.Add(s, args[0], labels, a)
				}
			}
			if err != nil {
				return &badInput{err}
			}
			fmt.Fprintln(c.OutOrStdout(), added.ID)
			if added.EdgeTPU {
				fmt.Fprintln(c.ErrOrStderr(), "this model runs on an EdgeTPU alone: set models.delegates to [{library: libedgetpu.so.1}]")
			}
			if use {
				_, err = s.Use(added.ID)
			}
			return err
		}}
	fl := c.Flags()
	fl.StringVar(&a.Name, "name", "", "name of the bundle (made from the file's name)")
	fl.StringVar(&a.Version, "version", "", "version of the model, free text")
	fl.StringVar(&a.Head, "head", "", "what the outputs are: "+strings.Join(bundle.Heads(), ", "))
	fl.StringVar(&a.Colour, "colour", "", "order of the colours: rgb, bgr or gray")
	fl.Float64SliceVar(&mean, "mean", nil, "mean of the input, one number or one per channel")
	fl.Float64SliceVar(&std, "std", nil, "scale of the input, one number or one per channel")
	fl.StringVar(&a.Fit, "fit", "", "stretch, letterbox or crop")
	fl.StringVar(&a.Background, "background", "", "yes or no: label 0 means nothing is there")
	fl.Float64Var(&threshold, "threshold", 0, "score from which an answer counts, 0 to 1")
	fl.StringVar(&a.Licence, "licence", "", "licence of the model")
	fl.StringVar(&a.Source, "source", "", "where the model is from")
	fl.BoolVar(&use, "use", false, "make it the current bundle")
	return c
}

func narrow(v []float64) []float32 {
	var out []float32
	for _, x := range v {
		out = append(out, float32(x))
	}
	return out
}

// answer asks on the terminal for what is open, or says which flag to give when there is nobody to ask.
func answer(c *cobra.Command, a *bundle.Answers, q bundle.Question) error {
	flag := map[string]string{"head": "--head", "colour": "--colour", "scale": "--mean and --std", "labels": "a labels file"}[q.Field]
	in, ok := c.InOrStdin().(*os.File)
	if !ok || !isTerminal(in) || q.Field == "labels" {
		return fmt.Errorf("%w: %s; give %s", errOpenQuestions, q.Ask, flag)
	}
	text, err := ask(in, c.ErrOrStderr(), q)
	if err != nil {
		return err
	}
	switch q.Field {
	case "head":
		a.Head = text
	case "colour":
		a.Colour = text
	case "scale":
		var v []float32
		for _, s := range strings.Fields(text) {
			x, err := strconv.ParseFloat(s, 32)
			if err != nil {
				return fmt.Errorf("%q is not a number", s)
			}
			v = append(v, float32(x))
		}
		if len(v) != 2 {
			return fmt.Errorf("%q is not a mean and a std, such as 127.5 127.5", text)
		}
		a.Mean, a.Std = v[:1], v[1:]
	}
	return nil
}
