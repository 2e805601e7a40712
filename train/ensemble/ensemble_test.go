package ensemble

import (
	"errors"
	"math"
	"slices"
	"testing"

	"gleaner/train/eval"
	"gleaner/train/runs"
)

func TestInsert(t *testing.T) {
	type figures struct{ acc, loss float64 }
	rows := []figures{{0.5, 1}, {0.7, 1}, {0.5, 0.9}, {0.7, 1}, {0.6, 2}, {0.1, 0.1}}
	for _, c := range []struct {
		first int // epoch of the first row
		want  []int
	}{{1, []int{2, 4, 5, 3}}, {0, []int{1, 3, 4, 0}}} { // with a probe, that stays
		var kept []runs.Row
		for i, r := range rows {
			before := slices.Clone(kept)
			next := Insert(kept, runs.Row{Epoch: c.first + i, ValAcc: r.acc, ValLoss: r.loss}, 4)
			if !slices.Equal(kept, before) {
				t.Error("the candidates were changed")
			}
			kept = next
		}
		var epochs []int
		for _, r := range kept {
			epochs = append(epochs, r.Epoch)
		}
		if !slices.Equal(epochs, c.want) {
			t.Errorf("kept are %v, not %v", epochs, c.want)
		}
	}
}

// answered are answers to as many pictures as there are shares, all of the first of two classes, with that share for it.
func answered(shares ...float32) []*eval.Answers {
	a := &eval.Answers{Labels: []string{"a", "b"}}
	for _, p := range shares {
		a.P, a.Truth = append(a.P, []float32{p, 1 - p}), append(a.Truth, 0)
	}
	return []*eval.Answers{a}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		name            string
		answers         [][]*eval.Answers
		members         []int
		alone, together float64
	}{
		{"one alone", [][]*eval.Answers{answered(0.9, 0.1)}, []int{0}, 0.5, 0.5},
		{"two that make up for each other", [][]*eval.Answers{answered(0.9, 0.9, 0.4), answered(0.4, 0.3, 0.9)}, []int{0, 1}, 2. / 3, 1},
		{"the best is not the first", [][]*eval.Answers{answered(0.05, 0.05, 0.9), answered(0.9, 0.9, 0.3)}, []int{1}, 2. / 3, 2. / 3},
		{"copies add nothing", [][]*eval.Answers{answered(0.9, 0.2), answered(0.9, 0.2)}, []int{0}, 0.5, 0.5},
		{"as many are right, and the loss is lower", [][]*eval.Answers{answered(0.97, 0.9, 0.2), answered(0.6, 0.8, 0.4)}, []int{1, 0}, 2. / 3, 2. / 3},
		{"a lower loss, and fewer are right", [][]*eval.Answers{answered(0.51, 0.51, 0.04), answered(0.4, 0.4, 0.3)}, []int{0}, 2. / 3, 2. / 3},
		{"of equals the one with the lower loss", [][]*eval.Answers{answered(0.9, 0.9, 0.4), answered(0.4, 0.4, 0.7), answered(0.6, 0.4, 0.9)}, []int{0, 2}, 2. / 3, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Choose(c.answers)
			if !slices.Equal(got.Members, c.members) || got.Alone.Accuracy != c.alone || got.Accuracy != c.together {
				t.Errorf("got %+v, want %v, %v alone and %v together", got, c.members, c.alone, c.together)
			}
		})
	}
}

func TestRate(t *testing.T) {
	s := Rate(append(answered(0.8, 0.4), answered(0.5, 0)...))
	if want := -(math.Log(0.8) + math.Log(0.4) + math.Log(0.5) + math.Log(least)) / 2; s.Accuracy != 0.5 || math.Abs(s.Loss-want) > 1e-6 {
		t.Errorf("%+v, want loss %v", s, want)
	}
}

func TestVote(t *testing.T) {
	at := 0
	out := [][]float32{{0, 0}}
	vote := Vote(2, func(i int) error { at = i; return nil }, func([]float32) ([][]float32, error) {
		out[0][0], out[0][1] = float32(at), 1-float32(at)/2
		return out, nil
	})
	if p, err := vote(nil); err != nil || !slices.Equal(p[0], []float32{0.5, 0.75}) {
		t.Errorf("%v, %v", p, err)
	}
	broken := errors.New("broken")
	if _, err := Vote(2, func(int) error { return broken }, nil)(nil); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestJoin(t *testing.T) {
	if b, err := Join([][]byte{{1}}); err != nil || !slices.Equal(b, []byte{1}) {
		t.Errorf("one alone: %v, %v", b, err)
	}
	if _, err := Join([][]byte{{1}, {2}}); err == nil {
		t.Error("two that are no files are joined")
	}
}

func TestEpochs(t *testing.T) {
	for want, epochs := range map[string][]int{"epoch 7": {7}, "epochs 0 and 3": {3, 0}, "epochs 2, 5 and 11": {5, 11, 2}} {
		if got := Epochs(epochs); got != want {
			t.Errorf("%v: %q", epochs, got)
		}
	}
}
