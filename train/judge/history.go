package judge

import (
	"fmt"
	"math"

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
func (r *Report) histories() []*Chart {
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
	draw := func(name string, shares bool) *Chart {
		lines := []Line{{Class: "train", X: x, Y: series[name], At: at, Mark: mark}}
		if val := series["val "+name]; len(val) == len(x) {
			lines = append(lines, Line{X: x, Y: val})
		}
		return Curves(name, shares, lines)
	}
	return []*Chart{draw("loss", false), draw("accuracy", true)}
}

// steps are round numbers from lo to hi, some five of them: multiples of 1, 2 or 5 times a power of ten; whole ones where whole is
// set.
func steps(lo, hi float64, whole bool) (all []float64) {
	rough := (hi - lo) / 5
	unit := math.Pow(10, math.Floor(math.Log10(rough)))
	for _, k := range []float64{1, 2, 5, 10} {
		if unit*k >= rough*0.999 {
			unit *= k
			break
		}
	}
	if whole {
		unit = max(1, math.Round(unit))
	}
	for k := math.Ceil(lo/unit - 1e-9); k*unit <= hi+1e-9*unit; k++ {
		all = append(all, math.Round(k*unit*1e9)/1e9+0) // + 0: no -0
	}
	return all
}

// chart is the curve of accuracy against number, on a scale on which each doubling is as wide.
func (l *Learning) chart() *Chart {
	first, last := l.Sizes[0], l.Sizes[len(l.Sizes)-1]
	least, most := 1.0, 0.0
	for _, s := range l.Sizes {
		least, most = min(least, s.Accuracy.Low), max(most, s.Accuracy.High)
	}
	a := axes{math.Log2(float64(first.Pictures)) - 0.2, math.Log2(float64(last.Pictures)) + 0.3, max(0, math.Floor(20*least)/20), min(1, math.Ceil(20*most)/20)}
	if a.y1 <= a.y0 {
		a.y0, a.y1 = 0, 1
	}
	c := bare(a)
	c.Title, c.XName, c.YName = "accuracy and training pictures", "training pictures", "right, %"
	for _, v := range steps(a.y0, a.y1, false) {
		c.Y = append(c.Y, tick{a.y(v), percent(v)})
	}
	var x, y []float64
	for _, s := range l.Sizes {
		at := math.Log2(float64(s.Pictures))
		x, y = append(x, at), append(y, s.Accuracy.Value)
		c.X = append(c.X, tick{a.x(at), fmt.Sprint(s.Pictures)})
		c.Points = append(c.Points, point{X: a.x(at), Y: a.y(s.Accuracy.Value), Low: a.y(s.Accuracy.Low), High: a.y(s.Accuracy.High), R: 4,
			Text: fmt.Sprintf("%d pictures: %v", s.Pictures, s.Accuracy)})
	}
	c.Lines = []curve{a.trace("", x, y)}
	return c
}
