package runs

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteList writes runs as a table, a line each.
func WriteList(w io.Writer, all []*Run) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "no runs; gleaner train data=photos out=runs/first makes one")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "RUN\tSTATE\tNETWORK\tBEST EPOCH\tVALIDATION\tTEST\tCPU")
	for _, r := range all {
		state := "finished"
		switch {
		case r.Folds > 0 && !r.Finished:
			state = fmt.Sprintf("%d folds begun", r.Folds)
		case r.Folds > 0:
			state = fmt.Sprintf("%d folds", r.Folds)
		case !r.Finished:
			state = fmt.Sprintf("%d of %d epochs", r.Epochs, r.Options.Epochs)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Dir, state, r.Options.Net, epoch(r.Best), r.validated(), accuracy(r.Test), Span(r.CPU))
	}
	return t.Flush()
}

// WriteText writes the comparison for a terminal, a column for each run.
func (c *Comparison) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	row := func(name string, of func(r *Run) string) {
		cells := []string{name}
		for _, r := range c.Runs {
			cells = append(cells, of(r))
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	row("", func(r *Run) string { return r.Dir })
	for _, d := range c.Options {
		fmt.Fprintf(t, "%s=\t%s\n", d.Key, strings.Join(d.Values, "\t"))
	}
	row("epochs", func(r *Run) string { return fmt.Sprint(r.Epochs) })
	row("best epoch", func(r *Run) string { return epoch(r.Best) })
	row("validation loss, best", func(r *Run) string { return rowOf(r.Best, func(b *Row) float64 { return b.ValLoss }) })
	row("validation loss, last", func(r *Run) string { return rowOf(r.Last, func(b *Row) float64 { return b.ValLoss }) })
	row("training loss, last", func(r *Run) string { return rowOf(r.Last, func(b *Row) float64 { return b.TrainLoss }) })
	row("validation accuracy", (*Run).validated)
	row("test accuracy", func(r *Run) string { return accuracy(r.Test) })
	row("test macro F1", func(r *Run) string {
		if r.Test == nil {
			return "–"
		}
		return r.Test.MacroF1.String()
	})
	row("CPU time", func(r *Run) string { return Span(r.CPU) })
	if err := t.Flush(); err != nil {
		return err
	}
	if len(c.Options) == 0 {
		fmt.Fprintln(w, "all options are the same")
	}
	for _, p := range c.Pairs {
		on := "beside"
		if p.Paired != nil {
			on = fmt.Sprintf("on %d %s pictures beside", p.Paired.Pictures, p.On)
		}
		fmt.Fprintf(w, "%s %s %s: %s\n", p.New, on, p.Old, p.Verdict)
	}
	for _, n := range c.Notes {
		fmt.Fprintln(w, n)
	}
	return nil
}

// validated is the accuracy on validation pictures: of all answers where they are kept, else of the best epoch, without an interval.
func (r *Run) validated() string {
	if r.Validation == nil && r.Best != nil && r.Best.ValAcc > 0 {
		return fmt.Sprintf("%.1f %%", 100*r.Best.ValAcc)
	}
	return accuracy(r.Validation)
}

func accuracy(f *Figures) string {
	if f == nil {
		return "–"
	}
	return fmt.Sprintf("%v of %d", f.Accuracy, f.Pictures)
}

func epoch(r *Row) string {
	switch {
	case r == nil:
		return "–"
	case r.Epoch == 0:
		return "the start"
	}
	return fmt.Sprint(r.Epoch)
}

func rowOf(r *Row, value func(*Row) float64) string {
	if r == nil || r.Epoch == 0 {
		return "–"
	}
	return fmt.Sprintf("%.4g", value(r))
}

// Span is seconds as a person reads them; a dash for none.
func Span(seconds float64) string {
	switch {
	case !(seconds > 0):
		return "–"
	case seconds < 10:
		return fmt.Sprintf("%.2g s", seconds)
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Second).String()
}
