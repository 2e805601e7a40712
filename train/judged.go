package train

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gleaner/model/bundle"
	"gleaner/train/dataset"
	"gleaner/train/eval"
	"gleaner/train/export/parity"
	"gleaner/train/recipe"
	"gleaner/train/report"
	"gleaner/train/runs"
	"gleaner/train/unknown"
)

// report is the files that say what the bundle is worth and what it was made of. The backend has the best weights before and after.
func (r *run) report(ctx context.Context, result *Result, file *parity.Report, u *bundle.Unknown) map[string][]byte {
	in := report.Input{Options: &r.o, Data: r.data.Joined(), Bundle: r.o.BundleName() + " 1", Program: r.tell.Program, Network: r.net.Name,
		History: r.state.History, Best: r.state.Best.Epoch, Seen: r.seen, Learnt: strings.HasSuffix(strings.ToLower(r.o.Net), ".tflite"), Unsure: r.o.Start != ""}
	if s, err := r.net.Summarise(); err == nil {
		in.MACs = s.MACs * int64(len(r.voters))
	}
	if len(result.Ensemble) > 1 {
		in.Members = result.Ensemble
	}
	if file != nil {
		in.About = "The figures are those of the network that was trained; the bundle’s file was compared with it: " + strings.ReplaceAll(file.String(), "\n", "; ") + "."
	}
	in.About = strings.TrimSpace(in.About + " " + unknown.About(u))
	in.Temperature, in.Val, in.Test = result.Temperature, result.at(result.Validated), result.at(result.Answers)
	files, notes := report.Make(ctx, in)
	for _, n := range notes {
		r.tell.note(n)
	}
	return files
}

// unknown puts the score of unknown objects into the file, if it is wanted, also where the run is to end: a bundle without it would answer
// to all objects. The backend has the best weights before and after.
func (r *run) unknown(ctx context.Context, file []byte) ([]byte, *bundle.Unknown) {
	return unknown.Into(context.WithoutCancel(ctx), file, unknown.From{Share: r.o.Unknown, Train: r.data.Train, Val: r.data.Val, Dir: r.folder.Dir, Try: runs.TryFile, Note: r.tell.note,
		Seen: func(ctx context.Context, set dataset.Set) ([][]float32, error) {
			if err := r.net.Load(r.backend, r.voters[0].Weights); err != nil { // the score is of what the first voter's head is fed with
				return nil, err
			}
			x, err := r.seen(ctx, set, false)
			return x, errors.Join(err, r.net.Load(r.backend, r.best))
		}})
}

// seen is what the heads are fed with for the examples of a set: with the best weights, or with those that the run began with, which
// are made anew, since a run that goes on has them no more.
func (r *run) seen(ctx context.Context, set dataset.Set, began bool) ([][]float32, error) {
	if !began && (r.o.Epochs > 0 || r.o.Probe == 0) {
		return r.look(ctx, set)
	}
	defer func() { _ = r.net.Load(r.backend, r.best) }()
	if r.first == nil {
		var err error
		if _, r.first, err = recipe.Network(&r.o, r.data.Train.Shape(), r.data.Heads()); err != nil {
			return nil, err
		}
		if err := r.prepare(); err != nil {
			return nil, fmt.Errorf("the weights that the run began with: %w", err)
		}
	}
	if r.o.Probe > 0 {
		return r.features(ctx, set, 0)
	}
	if err := r.net.Load(r.backend, r.first); err != nil {
		return nil, err
	}
	return r.look(ctx, set)
}

// keep writes down what the run came to, for it to be compared with others.
func (r *run) keep(result *Result) error {
	sets := map[string]dataset.Set{runs.Validation: r.data.Val, runs.Test: r.data.Test}
	return r.folder.End(result, result.at(result.Validated), result.at(result.Answers), func(kind string, i int) string { return sets[kind].Name(i) })
}

// at is what the bundle answers, all heads joined, at its temperature; nil where there is nothing.
func (r *Result) at(all []*eval.Answers) *eval.Answers {
	a := first(all)
	if a == nil || r.Temperature == 1 {
		return a
	}
	return a.AtTemperature(r.Temperature)
}

func first(all []*eval.Answers) *eval.Answers {
	if len(all) == 0 {
		return nil
	}
	return all[0]
}
