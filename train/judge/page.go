package judge

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image/jpeg"
	"io"
	"slices"

	"gleaner/capture"
	"gleaner/classify/prep"
	"gleaner/model"
	"gleaner/model/bundle"
	"gleaner/train/chart"
	"gleaner/train/eval"
)

//go:embed page.html
var pageHTML string

var page = template.Must(chart.Parts().New("page").Parse(pageHTML))

// Bounds of the page.
const (
	mostHeat     = 40  // classes of the confusion matrix
	mostConfused = 12  // pairs of classes that are listed
	thumbnail    = 160 // the longer side of a picture, pixels
)

// view is a report as the page shows it.
type view struct {
	*Report
	Shown    []eval.Class // that have pictures or were answered
	Heat     []heatRow    // nil: too many classes
	Confused []confused
	Charts   []*chart.Chart
	Run      []*chart.Chart // of the training run
	Grown    *chart.Chart   // accuracy against the number of training pictures; nil: not known
	Limits   []limits
	Errors   []mistake
}

// heatRow is what was answered to the pictures of a class.
type heatRow struct {
	Label string
	Cells []heatCell
}

// heatCell is a count. Depth is how much of the colour shows, 0 to 1: it grows with the share of the row.
type heatCell struct {
	Pictures int
	Depth    float64
	Right    bool
}

// confused is how often one class was taken for another.
type confused struct {
	Truth, Answer string
	Pictures      int
	Share         eval.Share // of the pictures of the truth
}

// limits are the thresholds of one class, a text for each purity.
type limits struct {
	Label string
	At    []string
}

// mistake is an error with its picture.
type mistake struct {
	Wrong
	Source template.URL
	Like   []like
}

// like is a training picture beside an error.
type like struct {
	Near
	Source template.URL
}

// WriteHTML writes the report as one page that needs nothing else. data is what the report was made of: the worst errors' pictures
// are read from it. training are the pictures that Wrong.Nearest numbers; nil where there are none.
func (r *Report) WriteHTML(w io.Writer, data, training Pictures) error {
	v := view{Report: r, Confused: r.confusions()}
	in := r.involved()
	for _, k := range in {
		v.Shown = append(v.Shown, r.Classes[k])
		l := limits{Label: r.Classes[k].Label}
		for _, p := range r.Purity {
			l.At = append(l.At, threshold(p.Classes[k]))
		}
		v.Limits = append(v.Limits, l)
	}
	if len(in) <= mostHeat {
		v.Heat = r.heat(in)
	}
	v.Charts = append(v.Charts, reliability("probabilities as they are", r.Calibration))
	if t := r.Temperature; t != nil {
		v.Charts = append(v.Charts, reliability(fmt.Sprintf("after temperature scaling, %.2f", t.All), t.Scaled))
	}
	v.Charts = append(v.Charts, coverage(r.Coverage, r.Purity))
	for _, e := range r.Worst {
		source, err := thumb(data, e.Picture)
		if err != nil {
			return fmt.Errorf("picture of an error: %w", err)
		}
		m := mistake{Wrong: e, Source: source}
		for _, n := range e.Nearest {
			if source, err = thumb(training, n.Picture); err != nil {
				return fmt.Errorf("training picture beside an error: %w", err)
			}
			m.Like = append(m.Like, like{n, source})
		}
		v.Errors = append(v.Errors, m)
	}
	v.Run = r.histories()
	if r.Learning != nil {
		v.Grown = r.Learning.chart()
	}
	return page.Execute(w, v)
}

// heat is the confusion matrix of some classes.
func (r *Report) heat(in []int) (rows []heatRow) {
	for _, t := range in {
		row := heatRow{Label: r.Classes[t].Label}
		for _, k := range in {
			c := heatCell{Pictures: r.Confusion[t][k], Right: t == k}
			if c.Pictures > 0 {
				c.Depth = 0.1 + 0.9*float64(c.Pictures)/float64(r.Classes[t].Pictures)
			}
			row.Cells = append(row.Cells, c)
		}
		rows = append(rows, row)
	}
	return rows
}

// confusions are the pairs of classes that are confused most often.
func (r *Report) confusions() (all []confused) {
	for t, row := range r.Confusion {
		for k, n := range row {
			if t != k && n > 0 {
				all = append(all, confused{r.Classes[t].Label, r.Classes[k].Label, n, eval.Wilson(n, r.Classes[t].Pictures)})
			}
		}
	}
	slices.SortStableFunc(all, func(x, y confused) int { return cmp.Compare(y.Pictures, x.Pictures) })
	return all[:min(len(all), mostConfused)]
}

// thumb is picture i, made small, as a data URI.
func thumb(data Pictures, i int) (template.URL, error) {
	im, err := data.Picture(i)
	if err != nil {
		return "", err
	}
	if longer := max(im.W, im.H); longer > thumbnail {
		small := capture.NewImage(max(1, im.W*thumbnail/longer), max(1, im.H*thumbnail/longer))
		in := bundle.Input{Prep: prep.Linear, Width: small.W, Height: small.H, Colour: "bgr", Mean: []float32{0}, Std: []float32{1}, Fit: "stretch"}
		p, err := prep.New(in, model.Tensor{Name: "picture", Type: model.UInt8, Shape: []int{1, small.H, small.W, 3}})
		if err != nil {
			return "", err
		}
		p.Fill(small.Pix, im)
		im = small
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, im.ToGo(), &jpeg.Options{Quality: 80}); err != nil {
		return "", err
	}
	return template.URL("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), nil
}
