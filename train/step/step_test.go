package step

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"gleaner/train/dataset"
	"gleaner/train/engine/ref"
	"gleaner/train/net"
	"gleaner/train/recipe"
)

// points are n examples of three numbers with two questions: example i is of class i%3, and of class i%3/2 unless i%5 is
// 0, when the second is not known.
type points int

func (p points) Len() int          { return int(p) }
func (p points) Shape() []int      { return []int{3} }
func (p points) Name(i int) string { return strconv.Itoa(i) }
func (p points) Heads() []dataset.Head {
	return []dataset.Head{{Name: "three", Labels: []string{"a", "b", "c"}}, {Name: "two", Labels: []string{"x", "y"}}}
}

func (p points) Label(i, head int) int {
	switch {
	case head == 0:
		return i % 3
	case i%5 == 0:
		return -1
	}
	return i % 3 / 2
}

func (p points) Input(dst []float32, i int, _ *rand.Rand) error {
	clear(dst)
	dst[i%3] = 1 + float32(i)/100
	return nil
}

// trained is a network for points on a backend, with its first weights.
func trained(t *testing.T, set ...string) (*ref.Backend[float32], *net.Net, *recipe.Options, *Stepper) {
	t.Helper()
	o := recipe.DefaultOptions()
	for _, s := range append([]string{"net=head", "units=8", "drop=0.2", "batch=6", "average=0.5", "clip=1"}, set...) {
		if err := o.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	n, w, err := recipe.Network(&o, []int{3}, points(0).Heads())
	if err != nil {
		t.Fatal(err)
	}
	b := ref.New[float32]()
	s, err := New(b, n, &o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Load(b, w); err != nil {
		t.Fatal(err)
	}
	for name, d := range n.StartStates(w) {
		for _, v := range n.States() {
			if v.Name == name {
				if err := b.Write(v, d); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return b, n, &o, s
}

func TestScalars(t *testing.T) {
	_, _, o, s := trained(t)
	b := &dataset.Batch{X: make([]float32, 18), Y: [][]float32{make([]float32, 18), make([]float32, 12)}}
	for _, c := range []struct {
		step  int
		blend float64
	}{{0, 1 - 1.0/10}, {3, 1 - 4.0/13}, {100, 0.5}, {1<<24 + 5, 0.5}} {
		s.Fill(b, c.step, 0.25)
		for name, want := range map[string]float64{"rate": 0.25, "step": float64(c.step % (1 << 24)), "blend": c.blend,
			"corr1": 1 / (1 - math.Pow(o.Beta1, float64(c.step+1))), "corr2": 1 / (1 - math.Pow(o.Beta2, float64(c.step+1)))} {
			got := map[string][]float32{"rate": s.rate, "step": s.step, "blend": s.blend, "corr1": s.corr1, "corr2": s.corr2}[name]
			if len(got) != 1 || got[0] != float32(want) {
				t.Errorf("step %d: %s is %v, want %g", c.step, name, got, want)
			}
		}
	}
	if err := s.Program.CheckInputs(s.In); err != nil {
		t.Error(err)
	}
}

// TestLearns trains the two questions, and sees the answers become right in what both the steps and the judges say.
func TestLearns(t *testing.T) {
	b, n, o, s := trained(t, "rates=hidden:0.5", "lr=0.05", "drop=-1", "average=0.9")
	set := points(60)
	feed := dataset.NewFeed(set, dataset.FeedOptions{Batch: o.Batch, Shuffle: true, Whole: true, Epochs: 20})
	defer feed.Close()
	var first, last float64
	right, answers := 0, 0
	for step := range 200 {
		batch, err := feed.Next()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(batch, step, 0.05); err != nil {
			t.Fatal(err)
		}
		if last, err = s.Finish(); err != nil {
			t.Fatal(err)
		}
		if step == 0 {
			first = last
		}
		if step >= 190 {
			r, a := s.Right(batch)
			right, answers = right+r, answers+a
		}
		feed.Release(batch)
	}
	if last > first/2 || answers < 96 || answers > 114 || right < answers*9/10 {
		t.Errorf("loss %g to %g, %d of %d right", first, last, right, answers)
	}
	for _, average := range []bool{false, true} {
		j, err := NewJudge(b, n, set, o, average)
		if err != nil {
			t.Fatal(err)
		}
		loss, accuracy, err := j.Score()
		again, same, err2 := j.Score() // it goes round
		if err != nil || err2 != nil || accuracy < 0.9 || loss > 0.7 || loss != again || accuracy != same {
			t.Errorf("average %v: loss %g, then %g, %.2f right, %v", average, loss, again, accuracy, err)
		}
		j.Close()
	}
}

// TestScoreByHand compares with the definition of the cross-entropy.
func TestScoreByHand(t *testing.T) {
	b, n, o, _ := trained(t)
	set := points(7) // one batch and a part of one
	j, err := NewJudge(b, n, set, o, false)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	loss, _, err := j.Score()
	if err != nil {
		t.Fatal(err)
	}
	p, err := n.Evaluation(1, net.EvalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	run, err := b.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	want := 0.0
	for i := range set.Len() {
		x, out := make([]float32, 3), [][]float32{make([]float32, 3), make([]float32, 2)}
		_ = set.Input(x, i, nil)
		if err := run.Start([][]float32{x}); err != nil {
			t.Fatal(err)
		}
		if err := run.Finish(out); err != nil {
			t.Fatal(err)
		}
		for h := range 2 {
			if l := set.Label(i, h); l >= 0 {
				want -= math.Log(float64(out[h][l]))
			}
		}
	}
	if want /= 7; math.Abs(loss-want) > 1e-5 {
		t.Errorf("loss %g, by hand %g", loss, want)
	}
}

func TestScoreTellsOfNaN(t *testing.T) {
	b, n, o, _ := trained(t)
	v := n.Vars()[0]
	d := make([]float32, v.Shape.Size())
	d[0] = float32(math.NaN())
	if err := b.Write(v, d); err != nil {
		t.Fatal(err)
	}
	j, err := NewJudge(b, n, points(9), o, false)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if loss, _, err := j.Score(); err != nil || !math.IsNaN(loss) {
		t.Errorf("loss %g, %v", loss, err)
	}
}

// TestClassWeights: the loss of a step is that of each example times its class's weight.
func TestClassWeights(t *testing.T) {
	b, n, o, plain := trained(t, "drop=-1", "batch=3")
	set := points(3)
	feed := dataset.NewFeed(set, dataset.FeedOptions{Batch: 3, Epochs: 1})
	defer feed.Close()
	batch, err := feed.Next()
	if err != nil {
		t.Fatal(err)
	}
	weights := [][]float32{{1, 2, 5}, {3, 0.5}}
	weighted, err := New(b, n, o, weights)
	if err != nil {
		t.Fatal(err)
	}
	got := [2]float64{}
	for i, s := range []*Stepper{weighted, plain} {
		if err := s.Start(batch, 0, 0); err != nil { // at the rate 0 nothing is learnt
			t.Fatal(err)
		}
		if got[i], err = s.Finish(); err != nil {
			t.Fatal(err)
		}
	}
	want := [2]float64{}
	for h, probs := range plain.probs {
		for i, l := range batch.Label[h] {
			if l >= 0 {
				part := -math.Log(float64(probs[i*len(probs)/3+l])) / 3
				want[0], want[1] = want[0]+part*float64(weights[h][l]), want[1]+part
			}
		}
	}
	for i := range got {
		if math.Abs(got[i]-want[i]) > 1e-5 {
			t.Errorf("losses %v, by hand %v", got, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	o := recipe.DefaultOptions()
	o.Net, o.Rates = "head", []string{"nope:2"}
	n, _, err := recipe.Network(&o, []int{3}, points(0).Heads())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(ref.New[float32](), n, &o, nil); err == nil || !strings.Contains(err.Error(), "rates=nope:2: network head has no layer that begins so") {
		t.Errorf("got %v", err)
	}
}
