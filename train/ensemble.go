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
	"gleaner/train/step"
	"gleaner/train/weights"
)

// voter is weights that answer in the bundle, and whether they are shown a picture's mirror image.
type voter struct {
	weights  net.Weights
	mirrored bool
}

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
	r.voters = nil
	if r.o.JoinsProbe() && r.state.Best.Epoch > 0 {
		w, err := weights.Load(r.folder.Candidate(0), r.net, r.data.Heads())
		if err != nil {
			return err
		}
		weighed, result.Ensemble = append(weighed, w), []int{r.state.Best.Epoch, 0}
		m.Source = "the probe joined with what learnt on from it, " + m.Source
		m.Accuracy, m.AccuracyOn = 0, "" // that was the best alone
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
	for _, w := range weighed {
		r.voters = append(r.voters, voter{w, false})
		if r.o.WithMirror {
			r.voters = append(r.voters, voter{w, true})
		}
	}
	return r.net.Load(r.backend, r.best)
}

// answers are what the bundle will answer to the pictures of a set, all heads joined, and how good that is. The backend has the best weights
// afterwards.
func (r *run) answers(set dataset.Set) (all []*eval.Answers, loss, accuracy float64, err error) {
	var each [][]*eval.Answers
	for _, v := range r.voters {
		if err := r.net.Load(r.backend, v.weights); err != nil {
			return nil, 0, 0, err
		}
		seen := set
		if v.mirrored {
			seen = step.View(set, step.Mirror, 0)
		}
		if all, loss, accuracy, err = r.answersNow(seen); err != nil {
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
	var files [][]byte
	for _, voter := range r.voters {
		if voter.mirrored { // it comes after the same weights on the picture as it is
			file, err := ensemble.Mirrored(files[len(files)-1])
			if err != nil {
				return nil, err
			}
			files = append(files, file)
			continue
		}
		if err := r.net.Load(cpu, voter.weights); err != nil {
			return nil, err
		}
		file, err := export.Write(p, func(v *engine.Var) []float32 { return voter.weights[v.Name] }, o)
		if err != nil {
			return nil, err
		}
		files = append(files, file.Bytes)
	}
	return ensemble.Join(files)
}

// ask makes of a function that asks a network, whose weights are in the backend, one that asks all voters and gives their mean.
func (r *run) ask(cpu engine.Backend, answer func(pictures []float32) ([][]float32, error)) func(pictures []float32) ([][]float32, error) {
	var now voter
	load := func(i int) error {
		now = r.voters[i]
		return r.net.Load(cpu, now.weights)
	}
	return ensemble.Vote(len(r.voters), load, func(pictures []float32) ([][]float32, error) {
		if now.mirrored {
			pictures = slices.Clone(pictures)
			step.FlipRows(pictures, r.net.Input)
		}
		return answer(pictures)
	})
}
