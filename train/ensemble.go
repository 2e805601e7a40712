package train

import (
	"fmt"
	"slices"

	"gleaner/model/bundle"
	"gleaner/train/dataset"
	"gleaner/train/engine"
	"gleaner/train/ensemble"
	"gleaner/train/eval"
	"gleaner/train/export"
	"gleaner/train/heads"
	"gleaner/train/net"
	"gleaner/train/runs"
	"gleaner/train/weights"
)

// candidate keeps the weights that were just validated, if they are among the best so far, for an ensemble to be made of. The
// state counts them, and the checkpoint after them; what the state counts no more goes only then, so that after a kill in between
// the older checkpoint still has all that it counts.
func (r *run) candidate(row runs.Row) error {
	if r.o.Ensemble < 2 || r.val == nil {
		return nil
	}
	kept := ensemble.Insert(r.state.Candidates, row, r.o.Ensemble)
	if !slices.Contains(kept, row) {
		return nil
	}
	w, err := r.bestNow(net.Weights{})
	if err != nil {
		return err
	}
	r.state.Candidates = kept
	return weights.Save(r.folder.Candidate(row.Epoch), r.net, r.data.Heads(), w, row)
}

// dropCandidates removes the weights that the state, as it was saved, does not count.
func (r *run) dropCandidates() error {
	if r.o.Ensemble < 2 {
		return nil
	}
	return r.folder.KeepCandidates(r.state.Candidates)
}

// elect decides whose answers the bundle gives: those of the best weights, or the mean of them and the probe, or of the candidates that
// are best together on the validation pictures. The backend has the best weights afterwards.
func (r *run) elect(result *Result, m *bundle.Manifest) error {
	weighed := []net.Weights{r.best}
	if r.o.JoinsProbe() && r.state.Best.Epoch > 0 {
		w, err := weights.Load(r.folder.Candidate(0), r.net, r.data.Heads())
		if err != nil {
			return err
		}
		weighed, result.Ensemble = append(weighed, w), []int{r.state.Best.Epoch, 0}
		m.Source = "the probe joined with what learnt on from it, " + m.Source
	}
	candidates := r.state.Candidates
	if len(candidates) > 0 {
		var all []net.Weights
		var answers [][]*eval.Answers
		for _, row := range candidates {
			w, err := weights.Load(r.folder.Candidate(row.Epoch), r.net, r.data.Heads())
			if err != nil {
				return err
			}
			if err := r.net.Load(r.backend, w); err != nil {
				return err
			}
			a, _, _, err := r.answersNow(r.data.Val)
			if err != nil {
				return fmt.Errorf("validation: %w", err)
			}
			all, answers = append(all, w), append(answers, a)
		}
		c := ensemble.Choose(answers)
		weighed = nil
		for _, i := range c.Members {
			weighed, result.Ensemble = append(weighed, all[i]), append(result.Ensemble, candidates[i].Epoch)
		}
		m.Accuracy, m.AccuracyOn = c.Accuracy, fmt.Sprintf("%d validation pictures, which chose the checkpoints", r.data.Val.Len())
		if n := len(c.Members); n > 1 {
			m.Source = fmt.Sprintf("an ensemble of %d checkpoints, of %s, %s", n, ensemble.Epochs(result.Ensemble), m.Source)
		}
		r.tell.note(c.Note(result.Ensemble, len(all)))
	}
	r.voters = ensemble.Voters(weighed, r.o.WithMirror)
	return r.net.Load(r.backend, r.best)
}

// answers are what the bundle will answer to the pictures of a set, all heads joined, and how good that is. The backend has the best weights
// afterwards.
func (r *run) answers(set dataset.Set) (all []*eval.Answers, loss, accuracy float64, err error) {
	var each [][]*eval.Answers
	for _, v := range r.voters {
		if err := r.net.Load(r.backend, v.Weights); err != nil {
			return nil, 0, 0, err
		}
		if all, loss, accuracy, err = r.answersNow(v.View(set)); err != nil {
			return nil, 0, 0, err
		}
		each = append(each, all)
	}
	if len(each) == 1 && r.data.Joint == nil {
		return all, loss, accuracy, r.net.Load(r.backend, r.best)
	}
	all = heads.Answers(r.data.Joint, ensemble.Mean(each))
	s := ensemble.Rate(all)
	return all, s.Loss, s.Accuracy, r.net.Load(r.backend, r.best)
}

// write makes the file: that of the only voter, or those of all of them in one. The backend has the last one's weights afterwards.
func (r *run) write(cpu engine.Backend, o export.Options) ([]byte, error) {
	p, err := r.net.Evaluation(1, net.EvalOptions{Quantise: r.o.Quantise})
	if err != nil {
		return nil, err
	}
	return ensemble.Write(r.voters, func(w net.Weights) ([]byte, error) {
		if err := r.net.Load(cpu, w); err != nil {
			return nil, err
		}
		file, err := export.Write(p, func(v *engine.Var) []float32 { return w[v.Name] }, o)
		if err != nil {
			return nil, err
		}
		return file.Bytes, nil
	})
}
