package judge

import (
	"fmt"
	"math"

	"gleaner/train/chart"
	"gleaner/train/eval"
)

// Epoch is how a training run stood after an epoch. Losses are means over pictures, nats; accuracies 0 to 1.
type Epoch struct {
	Epoch     int      `json:"epoch"` // from 1
	TrainLoss float64  `json:"train_loss"`
	TrainAcc  float64  `json:"train_accuracy"`
	ValLoss   *float64 `json:"val_loss,omitempty"` // nil: there were no validation pictures
	ValAcc    *float64 `json:"val_accuracy,omitempty"`
	Best      bool     `json:"best,omitempty"` // the bundle has this epoch's weights
}

// Learning is how the accuracy of a linear classifier grows with the number of training pictures.
type Learning struct {
	Sizes []Size     `json:"sizes"` // from the least to the greatest
	Gain  eval.Share `json:"gain"`  // of accuracy for twice as many training pictures as there are, -1 to 1, bootstrap
	Text  string     `json:"text"`  // whether more pictures would help, and what that rests on
}

// Size is the accuracy with so many training pictures.
type Size struct {
	Pictures int        `json:"pictures"`
	Draws    int        `json:"draws"`    // so many sets of that size were drawn
	Accuracy eval.Share `json:"accuracy"` // their mean, bootstrap over pictures and draws
}

// Near is a training picture that resembles another.
type Near struct {
	Picture int     `json:"picture"` // its number among the training pictures, from 0
	Path    string  `json:"path"`
	Label   string  `json:"label"`
	Cosine  float64 `json:"cosine"` // of the angle between what the network's last layer is fed with for both, -1 to 1
}

// histories are the charts of a run: losses and accuracies by epoch.
func (r *Report) histories() []*chart.Chart {
	if len(r.History) < 2 {
		return nil
	}
	var x []float64
	at, mark := 0.0, ""
	series := map[string][]float64{}
	add := func(name string, v *float64) {
		if v != nil {
			series[name] = append(series[name], *v)
		}
	}
	for i := range r.History {
		e := &r.History[i]
		if x = append(x, float64(e.Epoch)); e.Best {
			at, mark = x[i], fmt.Sprintf("the bundle has the weights of epoch %d", e.Epoch)
		}
		add("loss", &e.TrainLoss)
		add("accuracy", &e.TrainAcc)
		add("val loss", e.ValLoss)
		add("val accuracy", e.ValAcc)
	}
	draw := func(name string, shares bool) *chart.Chart {
		lines := []chart.Line{{Class: "train", X: x, Y: series[name], At: at, Mark: mark}}
		if val := series["val "+name]; len(val) == len(x) {
			lines = append(lines, chart.Line{X: x, Y: val})
		}
		return chart.Curves(name, shares, lines)
	}
	return []*chart.Chart{draw("loss", false), draw("accuracy", true)}
}

// chart is the curve of accuracy against number, on a scale on which each doubling is as wide.
func (l *Learning) chart() *chart.Chart {
	first, last := l.Sizes[0], l.Sizes[len(l.Sizes)-1]
	least, most := 1.0, 0.0
	for _, s := range l.Sizes {
		least, most = min(least, s.Accuracy.Low), max(most, s.Accuracy.High)
	}
	a := chart.Axes{X0: math.Log2(float64(first.Pictures)) - 0.2, X1: math.Log2(float64(last.Pictures)) + 0.3,
		Y0: max(0, math.Floor(20*least)/20), Y1: min(1, math.Ceil(20*most)/20)}
	if a.Y1 <= a.Y0 {
		a.Y0, a.Y1 = 0, 1
	}
	c := chart.Bare(a)
	c.Title, c.XName, c.YName = "accuracy and training pictures", "training pictures", "right, %"
	for _, v := range chart.Steps(a.Y0, a.Y1, false) {
		c.Y = append(c.Y, chart.Tick{At: a.Y(v), Text: chart.Percent(v)})
	}
	var x, y []float64
	for _, s := range l.Sizes {
		at := math.Log2(float64(s.Pictures))
		x, y = append(x, at), append(y, s.Accuracy.Value)
		c.X = append(c.X, chart.Tick{At: a.X(at), Text: fmt.Sprint(s.Pictures)})
		c.Points = append(c.Points, chart.Point{X: a.X(at), Y: a.Y(s.Accuracy.Value), Low: a.Y(s.Accuracy.Low), High: a.Y(s.Accuracy.High), R: 4,
			Text: fmt.Sprintf("%d pictures: %v", s.Pictures, s.Accuracy)})
	}
	c.Lines = []chart.Trace{a.Trace("", x, y)}
	return c
}
