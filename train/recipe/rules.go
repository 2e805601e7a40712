package recipe

import (
	"fmt"

	"gleaner/capture"
	"gleaner/model/joint"
	"gleaner/train/dataset"
	"gleaner/train/heads"
)

// Rules are what rule= says.
func (o *Options) Rules() (rules []joint.Rule, err error) {
	for _, text := range o.Rule {
		r, err := joint.ParseRule(text)
		if err != nil {
			return nil, fmt.Errorf("rule=%w", err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// labelled is pictures with all that the options may ask about them.
type labelled interface {
	dataset.Set
	Sum() string
	Group(i int) string
	Picture(i int) (capture.Image, error)
}

// asked are pictures with the heads that the rules need. settled are the heads where other pictures have settled them.
func (o *Options) asked(p *dataset.Pictures, settled []dataset.Head) (labelled, error) {
	rules, err := o.Rules()
	if err != nil || len(rules) == 0 {
		return p, err
	}
	return heads.Of(p, rules, settled)
}

// join works out how the heads become one.
func (d *Data) join(o *Options) error {
	rules, err := o.Rules()
	if err == nil {
		d.Joint, err = heads.Join(d.Heads(), rules)
	}
	if err != nil {
		return fmt.Errorf("data=%s: %w", o.Data, err)
	}
	return nil
}

// Labels are what a bundle of the network answers with.
func (d *Data) Labels() []string {
	if d.Joint != nil {
		return d.Joint.Labels()
	}
	return d.Heads()[0].Labels
}

// Joined is the data as the joined answer of several heads sees it; that of one head stays as it is.
func (d *Data) Joined() *Data {
	as := *d
	as.Train, as.Val, as.Test = heads.Joined(d.Train, d.Joint), heads.Joined(d.Val, d.Joint), heads.Joined(d.Test, d.Joint)
	return &as
}
