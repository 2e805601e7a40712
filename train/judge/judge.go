// Package judge says how good a bundle is on labelled pictures: it asks the bundle as the daemon does, and gathers the figures of
// train/eval, each with its interval, into one report, as text, as JSON, and as a page that works offline. It trains nothing and
// changes no bundle.
package judge

import (
	"context"
	"fmt"

	"gleaner/capture"
	"gleaner/train/dataset"
	"gleaner/train/eval"
	"gleaner/train/heads"
)

// Options say what a report holds.
type Options struct {
	Purity  []float64 // targets that thresholds are solved for, each 0.5 to below 1
	Mix     []Part    // how often each class comes where the bundle will work; nil: as in the pictures
	Worst   int       // how many of the worst errors are listed, 0 or more
	Workers int       // pictures at a time; 0 means as many as there are processors
	// Progress, if not nil, is told how many pictures of how many are answered, one call at a time.
	Progress func(done, total int)
}

// DefaultOptions are the purities 95, 98 and 99 % and 24 errors.
func DefaultOptions() Options {
	return Options{Purity: []float64{0.95, 0.98, 0.99}, Worst: 24}
}

// Check tells what is wrong with the options.
func (o *Options) Check() error {
	for _, p := range o.Purity {
		if !(p >= 0.5 && p < 1) {
			return fmt.Errorf("a purity of %g: from 0.5 to below 1 can be asked for", p)
		}
	}
	if o.Worst < 0 {
		return fmt.Errorf("%d of the worst errors: 0 or more can be listed", o.Worst)
	}
	if o.Workers < 0 || o.Workers > mostWorkers {
		return fmt.Errorf("workers=%d: not in 0 to %d", o.Workers, mostWorkers)
	}
	return checkMix(o.Mix)
}

// mostWorkers is how many pictures are looked at at a time, at most: each has an interpreter of its own.
const mostWorkers = 256

// Report is what a bundle is worth on some pictures. Shares are 0 to 1, with intervals of 95 %.
type Report struct {
	Bundle   string   `json:"bundle"`       // name and version
	ID       string   `json:"id,omitempty"` // "sha256:…" of the bundle; empty in a report that is a file of it
	Data     string   `json:"data"`         // where the pictures are
	Pictures int      `json:"pictures"`
	About    string   `json:"about,omitempty"` // how the answers came about, sentences; empty: there is nothing to say
	Notes    []string `json:"notes"`           // what a reader must know before any figure, a sentence each
	// Chance is the share of the most frequent class, Commonest: who always says that is right so often.
	Chance     float64       `json:"chance"`
	Commonest  string        `json:"commonest"`
	NearChance bool          `json:"near_chance"` // the accuracy is not clearly above it
	Accuracy   eval.Share    `json:"accuracy"`    // Wilson
	Averages   eval.Averages `json:"averages"`
	Classes    []eval.Class  `json:"classes"`   // every class that the bundle answers
	Confusion  [][]int       `json:"confusion"` // [truth][answer] pictures, in the order of Classes
	// Calibration is that of the bundle's probabilities, Scaled that after temperature scaling.
	Calibration *Calibration    `json:"calibration"`
	Temperature *Temperature    `json:"temperature,omitempty"` // nil: too few pictures to fit one
	Mix         []Part          `json:"mix,omitempty"`         // that Purity holds for; nil: as in the pictures
	Purity      []Purity        `json:"purity"`
	Carried     *Carried        `json:"carried,omitempty"` // what the bundle carries, tried on these pictures
	Coverage    []eval.Coverage `json:"coverage"`          // the precision-coverage curve
	Unknown     *eval.Share     `json:"unknown,omitempty"` // share of the pictures that are taken for unknown objects, Wilson; nil: no such score
	Groups      []Group         `json:"groups"`
	Worst       []Wrong         `json:"worst"`
	LeftOut     []LeftOut       `json:"left_out"` // files that could not be read
	Old         *Old            `json:"old,omitempty"`
	// History and Learning are there where the report is that of a training run.
	History  []Epoch   `json:"history,omitempty"`
	Learning *Learning `json:"learning,omitempty"`
}

// Calibration is whether probabilities mean what they say, with the interval of the log loss.
type Calibration struct {
	*eval.Calibration
	NLLLow  float64 `json:"nll_low"` // 95 %, normal, of the mean log loss, nats
	NLLHigh float64 `json:"nll_high"`
}

// Temperature is what dividing the logits by one number does (Guo et al. 2017). The pictures are dealt into two halves, class by
// class, groups whole where there are enough of them; what is said of a picture's scaled probabilities uses the temperature of the half that it is not in.
type Temperature struct {
	All    float64      `json:"all"`    // fitted on all pictures: the one to use
	Halves [2]float64   `json:"halves"` // fitted on each half
	Scaled *Calibration `json:"scaled"`
}

// Purity is thresholds for a target and what they cost, at Report.Mix. Thresholds are solved on all pictures.
// HeldOut and RejectedOut are counted on each fifth of the pictures, dealt as for Temperature, at the thresholds that were solved
// on the other four.
type Purity struct {
	*eval.Purity
	HeldOut     *eval.Share `json:"held_out_purity,omitempty"`   // of what is accepted, Wilson; nil: too few pictures to deal
	RejectedOut *eval.Share `json:"held_out_rejected,omitempty"` // share of the pictures without an answer, Wilson
}

// Group is the accuracy on the pictures that have one source, camera or other attribute.
type Group struct {
	By       string     `json:"by"` // "group", or the attribute's name
	Name     string     `json:"name"`
	Pictures int        `json:"pictures"`
	Accuracy eval.Share `json:"accuracy"` // Wilson
	MacroF1  eval.Share `json:"macro_f1"` // over the classes that the group has; bootstrap
}

// Wrong is an error.
type Wrong struct {
	Picture int     `json:"picture"` // its number in the data, from 0
	Path    string  `json:"path"`
	Truth   string  `json:"truth"`
	Answer  string  `json:"answer"`
	P       float64 `json:"p"`       // of the answer
	PTruth  float64 `json:"p_truth"` // of the truth
	// Nearest are the training pictures that the network sees as most like this one, the most like first.
	Nearest []Near `json:"nearest,omitempty"`
}

// LeftOut is a file that could not be read.
type LeftOut struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// Old is another bundle on the same pictures.
type Old struct {
	Bundle   string          `json:"bundle"`
	ID       string          `json:"id"`
	Accuracy eval.Share      `json:"accuracy"` // Wilson
	MacroF1  eval.Share      `json:"macro_f1"` // bootstrap
	Paired   eval.Comparison `json:"paired"`
	Verdict  string          `json:"verdict"` // better, worse, or cannot tell, as a sentence
}

// Judge asks m, and old unless it is nil, about every picture and works out the report. Where one of them joins several heads by rules,
// m's rules before old's say what is right for a picture that has the attributes. Errors are or wrap an *UnfitError where
// the pictures are not such as a bundle can be judged on.
func Judge(ctx context.Context, data *dataset.Stored, m, old *Model, o Options) (*Report, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	models, rules := []*Model{m}, m.joint
	if old != nil {
		models = append(models, old)
		if rules == nil {
			rules = old.joint // both are held against one truth
		}
	}
	classes, truth, err := heads.Truth(data, rules)
	if err != nil {
		return nil, &UnfitError{err.Error()}
	}
	var of []classesOf
	for _, by := range models {
		labels, place, err := by.classes(classes)
		if err != nil {
			return nil, err
		}
		of = append(of, classesOf{labels, place})
	}
	said, err := ask(ctx, data, models, &o)
	if err != nil {
		return nil, err
	}
	r := &Report{Bundle: m.Name, ID: m.ID, Data: data.Source(), Notes: []string{}}
	if w := data.Misfit(m.fit); w != "" {
		r.Notes = append(r.Notes, w+".")
	}
	index := r.leaveOut(data, said.broken)
	if len(index) == 0 {
		return nil, &UnfitError{fmt.Sprintf("%s: none of %d pictures can be read, such as %s: %s", r.Data, data.Len(), r.LeftOut[0].Path, r.LeftOut[0].Reason)}
	}
	a := of[0].answers(truth, said.p[0], index)
	if err := r.fill(data, a, index, &o); err != nil {
		return nil, err
	}
	r.refuse(m, said.familiar, index)
	if old != nil {
		if err := r.beside(old, a, of[1].answers(truth, said.p[1], index)); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Pictures are what answers were given to. Name is the picture's file; Group and Attributes are as in dataset.Pictures.
type Pictures interface {
	Name(i int) string
	Group(i int) string
	Attributes(i int) map[string]string
	Picture(i int) (capture.Image, error)
}

// Answered fills r in with what answers that are there already come to. a.P[i] is the answer to picture i of data. Bundle, Data and
// LeftOut are the caller's to state before; the notes come after those that r has. Errors are about the answers or the options.
func (r *Report) Answered(data Pictures, a *eval.Answers, o Options) error {
	if err := o.Check(); err != nil {
		return err
	}
	if r.LeftOut == nil {
		r.LeftOut = []LeftOut{}
	}
	index := make([]int, len(a.P))
	for i := range index {
		index[i] = i
	}
	return r.fill(data, a, index, &o)
}

// fill works out everything that one bundle's answers to the pictures of index come to.
func (r *Report) fill(data Pictures, a *eval.Answers, index []int, o *Options) error {
	group, name := make([]string, len(index)), make([]string, len(index))
	for at, i := range index {
		group[at], name[at] = data.Group(i), data.Name(i)
	}
	units, grouped := unitsOf(group, name)
	if err := r.figures(a, units, o); err != nil {
		return err
	}
	r.groups(data, a, index)
	r.worst(data, a, index, o.Worst)
	r.note(a, group, grouped)
	return nil
}

// classesOf are a model's labels, and the place of each class of the data among them.
type classesOf struct {
	labels []string
	place  []int
}

// answers are a model's answers to the pictures of index. truth has the class of each picture of the data.
func (c classesOf) answers(truth []int, p [][]float32, index []int) *eval.Answers {
	a := &eval.Answers{Labels: c.labels}
	for _, i := range index {
		a.Truth = append(a.Truth, c.place[truth[i]])
		a.P = append(a.P, p[i])
	}
	return a
}

// leaveOut lists the files that could not be read, and gives the numbers of the pictures that could.
func (r *Report) leaveOut(data *dataset.Stored, broken []error) (index []int) {
	r.LeftOut = []LeftOut{}
	for _, s := range data.Skipped() {
		r.LeftOut = append(r.LeftOut, LeftOut{s.Path, s.Reason})
	}
	for i, err := range broken {
		if err != nil {
			r.LeftOut = append(r.LeftOut, LeftOut{data.Name(i), err.Error()})
			continue
		}
		index = append(index, i)
	}
	return index
}
