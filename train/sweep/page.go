package sweep

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/google/renameio/v2"

	"gleaner/train/chart"
	"gleaner/train/runs"
)

//go:embed page.html
var pageHTML string

var page = template.Must(chart.Parts().New("sweep").Parse(pageHTML))

// Keys are what was tried, in the order of the plan.
func (s *Sweep) Keys() (keys []string) {
	for _, t := range s.Try {
		key, _, _ := strings.Cut(t, "=")
		keys = append(keys, key)
	}
	return keys
}

// Values are those of the keys that were tried, in their order.
func (r *Run) Values() (values []string) {
	for _, a := range r.Set {
		_, v, _ := strings.Cut(a, "=")
		values = append(values, v)
	}
	return values
}

// CPUText is the processor time of the epochs; a dash where there were none.
func (r *Run) CPUText() string { return runs.Span(r.CPU) }

// Notes are what a reader must know before any figure, a sentence each.
func (s *Sweep) Notes() (notes []string) {
	finished, alike := 0, 0
	for _, r := range s.Runs {
		if r.Figures != nil {
			finished++
			if strings.HasPrefix(r.Verdict, "cannot tell") {
				alike++
			}
		}
	}
	if finished > 1 {
		notes = append(notes, fmt.Sprintf("The best of %d runs was chosen on these pictures, and its figure is a little too good: only pictures that chose nothing tell how good it is.", finished))
	}
	if alike > 0 {
		notes = append(notes, fmt.Sprintf("%d of the others cannot be told from the best on these pictures.", alike))
	}
	if failed := len(s.Runs) - finished; failed > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d runs failed; the table says why.", failed, len(s.Runs)))
	}
	return notes
}

// Charts are the validation curves of all runs; none for cross-validations.
func (s *Sweep) Charts() (all []*chart.Chart) {
	var accuracy, loss []chart.Line
	sorted := s.Sorted()
	for i := len(sorted) - 1; i >= 0; i-- { // the best is drawn over the others
		r := sorted[i]
		if r.read == nil {
			continue
		}
		l := chart.Line{Class: "faint", Text: r.Dir + " " + strings.Join(r.Set, " ")}
		if r.Number == s.Best {
			l.Class = ""
		}
		x, y := l, l
		for _, h := range r.read.History {
			x.X, x.Y = append(x.X, float64(h.Epoch)), append(x.Y, h.ValAcc)
			y.X, y.Y = append(y.X, float64(h.Epoch)), append(y.Y, h.ValLoss)
		}
		accuracy, loss = append(accuracy, x), append(loss, y)
	}
	for _, c := range []*chart.Chart{chart.Curves("accuracy on validation pictures", true, accuracy), chart.Curves("loss on validation pictures", false, loss)} {
		if c != nil {
			all = append(all, c)
		}
	}
	return all
}

// writePage replaces sweep.html.
func (s *Sweep) writePage() error {
	var b bytes.Buffer
	err := page.Execute(&b, s)
	if err == nil {
		err = renameio.WriteFile(s.Page(), b.Bytes(), 0o644, renameio.WithTempDir(s.dir))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", PageFile, err)
	}
	return nil
}

// Page is the path of the page.
func (s *Sweep) Page() string { return filepath.Join(s.dir, PageFile) }

// WriteText writes the table, the best first, and the command of the best.
func (s *Sweep) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%d runs, judged on %s\n", len(s.Runs), s.On)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	head := append([]string{"run"}, s.Keys()...)
	head = append(head, "accuracy", "macro F1")
	if s.Tested {
		head = append(head, "on test pictures")
	}
	fmt.Fprintln(t, strings.Join(append(head, "epoch", "CPU", "beside the best"), "\t"))
	for _, r := range s.Sorted() {
		cells := append([]string{r.Dir}, r.Values()...)
		if r.Figures == nil {
			fmt.Fprintf(t, "%s\t%s: %s\n", strings.Join(cells, "\t"), r.State, r.Reason)
			continue
		}
		cells = append(cells, r.Accuracy.String(), r.MacroF1.String())
		if s.Tested {
			cells = append(cells, testText(r.Test))
		}
		verdict, _, _ := strings.Cut(r.Verdict, ":")
		if r.Number == s.Best {
			verdict = "the best"
		}
		fmt.Fprintln(t, strings.Join(append(cells, fmt.Sprint(r.Epoch), r.CPUText(), verdict), "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, n := range s.Notes() {
		fmt.Fprintln(w, n)
	}
	_, err := fmt.Fprintf(w, "the best, once more, with a report: %s\nthe page: %s\n", s.Command, s.Page())
	return err
}

func testText(f *runs.Figures) string {
	if f == nil {
		return "–"
	}
	return f.Accuracy.String()
}

// command trains a run's options once more, in a folder of its own, with the report and the test pictures that the sweep left out.
func (s *Sweep) command(r *Run) string {
	parts := []string{"gleaner train"}
	for _, a := range s.Args {
		if !strings.HasPrefix(a, "out=") {
			parts = append(parts, quote(a))
		}
	}
	for _, a := range r.Set {
		parts = append(parts, quote(a))
	}
	return strings.Join(append(parts, quote("out="+filepath.Clean(s.dir)+"-best")), " ")
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// quote is a word as a shell takes it.
func quote(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
