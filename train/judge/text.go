package judge

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"gleaner/train/chart"
	"gleaner/train/eval"
)

// confusionsInText is the most classes whose confusion matrix fits a terminal.
const confusionsInText = 16

// WriteText writes the report for a terminal.
func (r *Report) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	p := func(format string, args ...any) { fmt.Fprintf(t, format, args...) }
	p("%s on %s: %d pictures, %d classes\n", line(r.Bundle), line(r.Data), r.Pictures, len(r.Classes))
	for _, n := range r.Notes {
		p("%s\n", line(n))
	}
	p("\nchance\t%.1f %%\talways %s\n", 100*r.Chance, line(r.Commonest))
	p("accuracy\t%v\n", r.Accuracy)
	if r.Unknown != nil {
		p("taken for unknown objects\t%v\n", *r.Unknown)
	}
	a := r.Averages
	p("\n\tprecision\trecall\tF1\n")
	p("macro\t%v\t%v\t%v\n", a.MacroPrecision, a.MacroRecall, a.MacroF1)
	p("weighted\t%v\t%v\t%v\n", a.WeightedPrecision, a.WeightedRecall, a.WeightedF1)
	p("\nclass\tpictures\tprecision\trecall\tF1\n")
	for _, k := range r.involved() {
		c := r.Classes[k]
		p("%s\t%d\t%v\t%v\t%v\n", line(c.Label), c.Pictures, c.Precision, c.Recall, c.F1)
	}
	r.textConfusion(p)
	p("\n\tlog loss\tcalibration error\n")
	p("as it is\t%s\t%s\n", r.Calibration.LogLoss(), r.Calibration.Calibration)
	if s := r.Temperature; s != nil {
		p("temperature %.2f\t%s\t%s\n", s.All, s.Scaled.LogLoss(), s.Scaled.Calibration)
		p("(each half of the pictures at the temperature that was fitted on the other: %.2f and %.2f)\n", s.Halves[0], s.Halves[1])
	}
	r.textPurity(p)
	r.textRest(p)
	return t.Flush()
}

// LogLoss is the log loss with its interval, nats.
func (c *Calibration) LogLoss() string {
	return fmt.Sprintf("%.3f (%.3f to %.3f)", c.NLL, c.NLLLow, c.NLLHigh)
}

// textConfusion writes the confusion matrix, where it is not too wide.
func (r *Report) textConfusion(p func(string, ...any)) {
	in := r.involved()
	if len(in) > confusionsInText {
		p("\nthe confusion matrix of %d classes is in the page and the JSON\n", len(in))
		return
	}
	p("\ntruth, and what was answered")
	for _, k := range in {
		p("\t%s", line(r.Classes[k].Label))
	}
	p("\n")
	for _, t := range in {
		p("%s", line(r.Classes[t].Label))
		for _, k := range in {
			p("\t%d", r.Confusion[t][k])
		}
		p("\n")
	}
}

func (r *Report) textPurity(p func(string, ...any)) {
	if len(r.Purity) == 0 {
		return
	}
	p("\nat %s:", line(r.MixText()))
	p("\npurity wanted\treached on other pictures\trejected\n")
	for _, u := range r.Purity {
		held, rejected := "–", fmt.Sprintf("%.1f %%", 100*u.Rejected)
		if u.HeldOut != nil {
			held, rejected = u.HeldOut.String(), u.RejectedOut.String()
		}
		p("%s %%\t%s\t%s\n", chart.Percent(u.Target), held, rejected)
	}
	if r.Temperature != nil {
		p("(each fifth of the pictures at thresholds that were solved on the others; those below are solved on all)\n")
	}
	p("\nthreshold for")
	for _, u := range r.Purity {
		p("\t%s %%", chart.Percent(u.Target))
	}
	p("\n")
	for _, k := range r.involved() {
		p("%s", line(r.Classes[k].Label))
		for _, u := range r.Purity {
			p("\t%s", threshold(u.Classes[k]))
		}
		p("\n")
	}
}

// threshold is one as text.
func threshold(t eval.Threshold) string {
	if t.Threshold > 1 {
		return "none"
	}
	return fmt.Sprintf("%.3f", t.Threshold)
}

// textRest writes groups, errors and the comparison.
func (r *Report) textRest(p func(string, ...any)) {
	if len(r.Groups) > 0 {
		p("\n\t\tpictures\taccuracy\tmacro F1\n")
		for _, g := range r.Groups {
			p("%s\t%s\t%d\t%v\t%v\n", line(g.By), line(g.Name), g.Pictures, g.Accuracy, g.MacroF1)
		}
	}
	if len(r.Worst) > 0 {
		p("\nworst errors\ttruth\tanswer\n")
		for _, e := range r.Worst {
			p("%s\t%s %.1f %%\t%s %.1f %%\n", line(e.Path), line(e.Truth), 100*e.PTruth, line(e.Answer), 100*e.P)
		}
	}
	if o := r.Old; o != nil {
		p("\nthe old bundle, %s, on the same pictures: accuracy %v, macro F1 %v\n", line(o.Bundle), o.Accuracy, o.MacroF1)
		p("the new one beside it: %s\n", o.Verdict)
	}
}

// involved are the classes that have pictures or were answered.
func (r *Report) involved() (in []int) {
	for k, c := range r.Classes {
		if c.Pictures+c.Answered > 0 {
			in = append(in, k)
		}
	}
	return in
}

// line is a name without what would break a line or steer a terminal.
func line(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || c == '\u2028' || c == '\u2029' {
			return '�'
		}
		return c
	}, s)
}
