// Package ensemble is soft voting among a run's checkpoints: which of them are kept, which of those vote, what they answer on
// average, and their files joined into one. When a checkpoint is kept, and how the weights come and go, is in train.
package ensemble

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gleaner/model/flat"
	"gleaner/train/eval"
	"gleaner/train/runs"
)

// Insert is the n best of the candidates and one more, the best first: those that are more often right on validation pictures, of
// equals those with the lower loss, and of equals in that the earlier ones. The probe that a run began with, epoch 0, stays even if it
// is not among the best: it errs on other pictures than what learnt on from it, which err much alike. The candidates are in that
// order, and n is at least 2; they stay as they are.
func Insert(candidates []runs.Row, row runs.Row, n int) []runs.Row {
	at := 0
	for at < len(candidates) && !beats(row, candidates[at]) {
		at++
	}
	all := slices.Insert(slices.Clone(candidates), at, row)
	if last := len(all) - 1; last == n && all[last].Epoch == 0 {
		return slices.Delete(all, last-1, last)
	}
	return all[:min(n, len(all))]
}

func beats(a, b runs.Row) bool {
	return a.ValAcc > b.ValAcc || a.ValAcc == b.ValAcc && a.ValLoss < b.ValLoss
}

// Chosen is what was chosen of the candidates.
type Chosen struct {
	Members []int // the candidates that vote, by number, in the order in which they were chosen
	Alone   Score // of the best candidate by itself, which is Members[0]
	Score         // of all members together
}

// Score is how good answers are.
type Score struct {
	Accuracy float64 // share of the right ones, 0 to 1, over all heads
	Loss     float64 // sum over the heads of the cross-entropy, per picture, in nats
}

func (s Score) better(than Score) bool {
	return s.Accuracy > than.Accuracy || s.Accuracy == than.Accuracy && s.Loss < than.Loss
}

// Choose finds out which candidates answer best together: greedy forward selection without replacement (Caruana et al., "Ensemble
// Selection from Libraries of Models", 2004). It begins with the one that is right most often, of equals the one with the lowest loss,
// and adds the one with which the mean of the probabilities has the lowest loss, as long as the mean is right more often, or the loss
// falls and it is right no less often than the first alone: on some hundreds of pictures the loss tells what the count of right answers
// is too coarse for. All answers are to the same pictures, by candidate and head; of equally good candidates the first is taken. There is
// at least one candidate.
func Choose(answers [][]*eval.Answers) Chosen {
	var c Chosen
	for i := range answers {
		if s := Rate(answers[i]); i == 0 || s.better(c.Alone) {
			c.Members, c.Alone, c.Score = []int{i}, s, s
		}
	}
	for {
		best, score := -1, Score{}
		for i := range answers {
			if slices.Contains(c.Members, i) {
				continue
			}
			var together [][]*eval.Answers
			for _, k := range append(slices.Clone(c.Members), i) {
				together = append(together, answers[k])
			}
			s := Rate(Mean(together))
			gains := s.Accuracy > c.Accuracy || s.Accuracy >= c.Alone.Accuracy && s.Loss < c.Loss
			if gains && (best < 0 || s.Loss < score.Loss) {
				best, score = i, s
			}
		}
		if best < 0 {
			return c
		}
		c.Members, c.Score = append(c.Members, best), score
	}
}

// Note says what was chosen of n candidates, and what that gains; epochs are those of the members.
func (c Chosen) Note(epochs []int, n int) string {
	alone := fmt.Sprintf("%.2f %% right on validation pictures, loss %.4f", 100*c.Alone.Accuracy, c.Alone.Loss)
	if len(c.Members) == 1 {
		return fmt.Sprintf("the ensemble: none of the %d other checkpoints makes that of %s better: it is the bundle by itself, %s",
			n-1, Epochs(epochs), alone)
	}
	return fmt.Sprintf("the ensemble: %d of %d checkpoints, of %s, the mean of whose probabilities is %.2f %% right on validation pictures, loss %.4f; the best alone, of epoch %d: %s",
		len(c.Members), n, Epochs(epochs), 100*c.Accuracy, c.Loss, epochs[0], alone)
}

// Mean is the mean of the probabilities that several give to the same pictures, by head. One alone is given back as it is.
func Mean(answers [][]*eval.Answers) []*eval.Answers {
	if len(answers) == 1 {
		return answers[0]
	}
	var mean []*eval.Answers
	for h, first := range answers[0] {
		m := &eval.Answers{Labels: first.Labels, Truth: first.Truth}
		for i := range first.P {
			var each [][]float32
			for _, a := range answers {
				each = append(each, a[h].P[i])
			}
			p := make([]float32, len(first.P[i]))
			average(p, each)
			m.P = append(m.P, p)
		}
		mean = append(mean, m)
	}
	return mean
}

// average puts the mean of lists of the same length into dst.
func average(dst []float32, lists [][]float32) {
	for k := range dst {
		sum := 0.0
		for _, l := range lists {
			sum += float64(l[k])
		}
		dst[k] = float32(sum / float64(len(lists)))
	}
}

// least is what a probability counts as in the loss at least, so that one that float32 cannot tell from 0 leaves it finite.
const least = 1e-12

// Rate works out the score of answers, by head. Those whose truth is not known, -1, do not count.
func Rate(answers []*eval.Answers) Score {
	var s Score
	right, all, pictures := 0, 0, 0
	for _, a := range answers {
		for i, p := range a.P {
			if a.Truth[i] < 0 {
				continue
			}
			all++
			if eval.Best(p) == a.Truth[i] {
				right++
			}
			s.Loss -= math.Log(max(float64(p[a.Truth[i]]), least))
		}
		pictures = max(pictures, len(a.P))
	}
	s.Accuracy, s.Loss = float64(right)/float64(max(1, all)), s.Loss/float64(max(1, pictures))
	return s
}

// Vote makes one function of the answers of n networks: load makes network i, 0 to n-1, the one that answer asks, and the result
// is the mean over all of them, by head, valid until the next call. A single network is asked as it stands.
func Vote(n int, load func(i int) error, answer func(pictures []float32) ([][]float32, error)) func(pictures []float32) ([][]float32, error) {
	if n == 1 {
		return answer
	}
	return func(pictures []float32) ([][]float32, error) {
		var each [][][]float32 // by head and network
		for i := range n {
			if err := load(i); err != nil {
				return nil, err
			}
			out, err := answer(pictures)
			if err != nil {
				return nil, err
			}
			if each == nil {
				each = make([][][]float32, len(out))
			}
			for h, p := range out {
				each[h] = append(each[h], slices.Clone(p))
			}
		}
		mean := make([][]float32, len(each))
		for h, lists := range each {
			mean[h] = make([]float32, len(lists[0]))
			average(mean[h], lists)
		}
		return mean, nil
	}
}

// Join makes one .tflite file of several; one alone is given back as it is.
func Join(files [][]byte) ([]byte, error) {
	if len(files) == 1 {
		return files[0], nil
	}
	var models []*flat.Model
	for i, f := range files {
		m, err := flat.Read(f)
		if err != nil {
			return nil, fmt.Errorf("join the checkpoints: file %d: %w", i+1, err)
		}
		models = append(models, m)
	}
	m, err := flat.Join(models...)
	if err != nil {
		return nil, err
	}
	return m.Bytes()
}

// Epochs names the epochs of candidates: "epochs 2, 5 and 9", "epoch 7". Epoch 0 is the linear probe that a run began with.
func Epochs(epochs []int) string {
	var names []string
	for _, e := range slices.Sorted(slices.Values(epochs)) {
		names = append(names, fmt.Sprint(e))
	}
	n := len(names) - 1
	if n < 1 {
		return "epoch " + strings.Join(names, "")
	}
	return "epochs " + strings.Join(names[:n], ", ") + " and " + names[n]
}
