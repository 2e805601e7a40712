package report

import (
	"fmt"
	"strconv"

	"gleaner/train/eval"
	"gleaner/train/judge"
)

// fewest is how many pictures a temperature and thresholds are solved on, at least.
const fewest = 40

// Calibration is calibration.json: from which probability on an answer counts, and at which temperature the bundle gives it.
type Calibration struct {
	On string `json:"on"` // the pictures that it was solved on
	// Temperature is that of the bundle's manifest, 0.05 to 20: the bundle's answers are at it, and the thresholds are for them.
	Temperature float64  `json:"temperature"`
	Purity      []Purity `json:"purity"`

	from   *eval.Answers
	solved []*eval.Purity
}

// Purity is thresholds for a wanted purity, at the mix of classes of the pictures that they were solved on.
type Purity struct {
	Target   float64     `json:"target"`   // 0.5 to below 1
	Rejected float64     `json:"rejected"` // share of those pictures that get no answer
	Classes  []Threshold `json:"classes"`
}

// Threshold is from which probability on an answer of a class counts, 0 to 1; above 1: never.
type Threshold struct {
	Label     string  `json:"label"`
	Threshold float64 `json:"threshold"`
}

// Temperature is what the logits of a network are to be divided by (eval.Temperature), solved on what it answers to the validation
// pictures, so that the test pictures choose nothing; on those to the test pictures where there are too few others; 1 where there are
// too few of both. Either may be nil. It has four digits.
func Temperature(validation, test *eval.Answers) (float64, error) {
	for _, a := range []*eval.Answers{validation, test} {
		if a != nil && len(a.P) >= fewest {
			t, err := eval.Temperature(a)
			if err != nil {
				return 1, err
			}
			return strconv.ParseFloat(strconv.FormatFloat(t, 'g', 4, 64), 64)
		}
	}
	return 1, nil
}

// calibrate solves on the validation pictures, so that the test pictures choose nothing; on the test pictures where there are too
// few others; nil where there are too few of both.
func (in *Input) calibrate() (*Calibration, error) {
	c := &Calibration{Temperature: in.Temperature}
	switch {
	case in.Val != nil && len(in.Val.P) >= fewest:
		c.from, c.On = in.Val, fmt.Sprintf("%d validation pictures, which chose the weights", len(in.Val.P))
	case in.Test != nil && len(in.Test.P) >= fewest:
		c.from, c.On = in.Test, fmt.Sprintf("%d test pictures", len(in.Test.P))
	default:
		return nil, nil
	}
	for _, target := range judge.DefaultOptions().Purity {
		p, err := eval.SolvePurity(c.from, target, nil)
		if err != nil {
			return nil, err
		}
		c.solved = append(c.solved, p)
		as := Purity{Target: target, Rejected: p.Rejected}
		for _, t := range p.Classes {
			as.Classes = append(as.Classes, Threshold{t.Label, t.Threshold})
		}
		c.Purity = append(c.Purity, as)
	}
	return c, nil
}
