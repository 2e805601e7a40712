// Package report writes what a training run's bundle says of itself, as files of that bundle: report.html and report.json (the figures
// of train/judge, the curves of the run, whether more pictures would help, training pictures beside the errors), calibration.json (a
// temperature and thresholds) and provenance.json (what it was made of). It trains nothing and reads no clock: the same run gives
// the same bytes. No path of the machine gets into them.
package report

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"gleaner/train/dataset"
	"gleaner/train/eval"
	"gleaner/train/judge"
	"gleaner/train/recipe"
	"gleaner/train/runs"
)

// The files that Make gives.
const (
	PageFile        = "report.html"
	FiguresFile     = "report.json"
	CalibrationFile = "calibration.json"
	ProvenanceFile  = "provenance.json"
)

// Input is a run as the report sees it.
type Input struct {
	Options     *recipe.Options
	Data        *recipe.Data
	Bundle      string // name and version
	Program     string // name and version of the program; empty: not stated
	Network     string // its name
	MACs        int64  // multiply-accumulates for one picture
	History     []runs.Row
	Best        int     // epoch whose weights the bundle has; 0: none was finished
	About       string  // how the bundle's file answers beside the network, a sentence
	Members     []int   // epochs whose weights answer together; empty: those of Best alone
	Temperature float64 // of the bundle; 1: none
	// Test and Val are what the bundle answers to those pictures, at its temperature, one answer per picture in their order; nil where there
	// are none.
	Test, Val *eval.Answers
	// Seen gives what the network's last layer is fed with for the examples of a set: with the bundle's weights, or with those that
	// the run began with. An error is only noted.
	Seen func(ctx context.Context, set dataset.Set, began bool) ([][]float32, error)
	// Learnt says that the run began with weights that were learnt before, from other pictures; Unsure that they may have been learnt
	// from these.
	Learnt, Unsure bool
}

// Make works out the report's files, by name. What cannot be worked out is left out, and notes says so, a sentence each: a bundle
// is never held up by its report.
func Make(ctx context.Context, in Input) (files map[string][]byte, notes []string) {
	files = map[string][]byte{}
	write := func(name string, v any) {
		b, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			notes = append(notes, fmt.Sprintf("%s is left out: %v.", name, err))
			return
		}
		files[name] = append(b, '\n')
	}
	write(ProvenanceFile, in.provenance())
	set, answers, kind := in.Data.Test, in.Test, "test"
	if answers == nil {
		set, answers, kind = in.Data.Val, in.Val, "validation"
	}
	if answers == nil {
		return files, append(notes, "There are neither test nor validation pictures: the bundle has no report.")
	}
	r := &judge.Report{Bundle: in.Bundle, About: in.About, Notes: []string{}, Data: fmt.Sprintf("the %s pictures of %s", kind, source(in.Options, kind))}
	if kind == "validation" {
		r.Notes = append(r.Notes, "There were no test pictures: these are the validation pictures, which chose the weights, and the figures are a little too good.")
	}
	c, err := in.calibrate()
	if err == nil {
		err = in.figures(ctx, r, set, answers, c)
	}
	var page bytes.Buffer
	if err == nil {
		err = r.WriteHTML(&page, in.shown(set), in.shown(in.Data.Train))
	}
	if err != nil {
		return files, append(notes, fmt.Sprintf("The bundle has no report: %v.", err))
	}
	if c != nil {
		write(CalibrationFile, c)
	}
	write(FiguresFile, r)
	files[PageFile] = page.Bytes()
	return files, notes
}

// figures fills the report.
func (in *Input) figures(ctx context.Context, r *judge.Report, set dataset.Set, answers *eval.Answers, c *Calibration) error {
	if set.Len() != len(answers.P) {
		return fmt.Errorf("%d answers to %d pictures", len(answers.P), set.Len())
	}
	for _, s := range in.Data.Skipped {
		path := in.name(s.Path)
		r.LeftOut = append(r.LeftOut, judge.LeftOut{Path: path, Reason: strings.ReplaceAll(s.Reason, s.Path, path)})
	}
	if err := r.Answered(in.shown(set), answers, judge.DefaultOptions()); err != nil {
		return err
	}
	if c != nil && c.from != answers {
		r.Carried = judge.Carry(c.On, c.Temperature, c.solved, answers)
	}
	for _, h := range in.History {
		e := judge.Epoch{Epoch: h.Epoch, TrainLoss: h.TrainLoss, TrainAcc: h.TrainAcc, Best: h.Epoch == in.Best}
		if in.Data.Val != nil {
			e.ValLoss, e.ValAcc = &h.ValLoss, &h.ValAcc
		}
		r.History = append(r.History, e)
	}
	var err error
	if r.Learning, err = in.learn(ctx, set); err != nil {
		r.Notes = append(r.Notes, fmt.Sprintf("Whether more pictures would help is not known: %v.", err))
	}
	if err := in.nearest(ctx, r, set); err != nil {
		r.Notes = append(r.Notes, fmt.Sprintf("There are no training pictures beside the worst errors: %v.", err))
	}
	return nil
}

// see is Seen, with a word of its own for a run that is to end.
func (in *Input) see(ctx context.Context, set dataset.Set, began bool) ([][]float32, error) {
	if ctx.Err() != nil {
		return nil, errEnding
	}
	x, err := in.Seen(ctx, set, began)
	if ctx.Err() != nil {
		return nil, errEnding
	}
	return x, err
}

var errEnding = errors.New("the run was interrupted")

// source names where pictures of a kind come from.
func source(o *recipe.Options, kind string) string {
	if kind == "test" && o.Test != "" {
		return filepath.Base(o.Test)
	}
	if _, ofAll := o.ValShare(); kind == "validation" && !ofAll {
		return filepath.Base(o.Val)
	}
	return filepath.Base(o.Data)
}
