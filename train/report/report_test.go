package report

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gleaner/train/dataset"
	"gleaner/train/eval"
	"gleaner/train/judge"
	"gleaner/train/recipe"
	"gleaner/train/runs"
)

// cloud is examples of two classes whose only number lies around -1 and 1: errors of a good classifier do not grow fewer with more of
// them.
type cloud struct {
	n int
}

func (c cloud) Len() int     { return c.n }
func (c cloud) Shape() []int { return []int{1, 1, 1} }
func (c cloud) Heads() []dataset.Head {
	return []dataset.Head{{Name: "class", Labels: []string{"low", "high"}}}
}
func (c cloud) Label(i, _ int) int                             { return i % 2 }
func (c cloud) Input(dst []float32, i int, _ *rand.Rand) error { return nil }
func (c cloud) Name(i int) string                              { return fmt.Sprintf("/srv/pictures/photos/%d.jpg", i) }

// seen are features: the number that tells the classes apart, among noise numbers that do not. stream keeps sets apart.
func seen(noise int) func(context.Context, dataset.Set, bool) ([][]float32, error) {
	return func(_ context.Context, set dataset.Set, _ bool) (x [][]float32, err error) {
		for i := range set.Len() {
			var seed uint64
			for _, c := range set.Name(i) {
				seed = seed*31 + uint64(c)
			}
			r := rand.New(rand.NewPCG(seed, uint64(set.Label(i, 0))))
			v := []float32{float32(2*set.Label(i, 0)-1) + float32(r.NormFloat64())}
			for range noise {
				v = append(v, float32(r.NormFloat64()))
			}
			x = append(x, v)
		}
		return x, nil
	}
}

// other is the same cloud under other names, so that its features are others.
type other struct{ cloud }

func (o other) Name(i int) string { return strings.ReplaceAll(o.cloud.Name(i), "photos", "others") }

func input(n, noise int) Input {
	o := recipe.DefaultOptions()
	o.Data, o.Out = "/srv/pictures/photos", "/srv/pictures/runs/first"
	o.Ground, o.Recipe = "/srv/pictures/belt.png", "/srv/pictures/own.recipe"
	return Input{Options: &o, Data: &recipe.Data{Train: cloud{n}, Test: other{cloud{600}}, Sum: "0"}, Bundle: "first 1", MACs: 1000, Temperature: 1, Seen: seen(noise), Learnt: true}
}

// TestLearning sees that more pictures help where few of them drown in noise, and hardly where one number says it all.
func TestLearning(t *testing.T) {
	for _, c := range []struct {
		n, noise int
		want     string
	}{{160, 100, "More pictures would help: about +"}, {4000, 0, "More pictures would hardly help: about "}} {
		in := input(c.n, c.noise)
		l, err := in.learn(t.Context(), in.Data.Test)
		if err != nil {
			t.Fatal(err)
		}
		last := l.Sizes[3]
		if !strings.HasPrefix(l.Text, c.want) || last.Pictures != c.n || !(last.Accuracy.Low < last.Accuracy.Value && last.Accuracy.Value < last.Accuracy.High) {
			t.Errorf("%d pictures: %s %+v", c.n, l.Text, l.Sizes)
		}
		if best := 0.8413; c.noise == 0 && math.Abs(last.Accuracy.Value-best) > 0.05 { // Φ(1)
			t.Errorf("accuracy %v, the best is %g", last.Accuracy, best)
		}
	}
	in := input(20, 0)
	if _, err := in.learn(t.Context(), in.Data.Test); err == nil {
		t.Error("20 pictures are parted")
	}
	in = input(4000, 0)
	in.Unsure = true
	if _, err := in.learn(t.Context(), in.Data.Test); err == nil || !strings.Contains(err.Error(), "start=") {
		t.Errorf("weights that may have learnt from these pictures: %v", err)
	}
}

// answers are given to a set by its features: some are wrong.
func answers(set dataset.Set) *eval.Answers {
	a := &eval.Answers{Labels: set.Heads()[0].Labels}
	x, _ := seen(0)(context.Background(), set, false)
	for i, v := range x {
		p := float32(1 / (1 + math.Exp(-2*float64(v[0]))))
		a.P, a.Truth = append(a.P, []float32{1 - p, p}), append(a.Truth, set.Label(i, 0))
	}
	return a
}

// TestMake makes every file, twice the same, with thresholds that the validation pictures chose, and tells of no machine. Examples that
// are no pictures cost the page, and nothing else.
func TestMake(t *testing.T) {
	in := input(400, 3)
	in.Data.Val = other{cloud{300}}
	in.Test, in.Val = answers(in.Data.Test), answers(in.Data.Val)
	in.History, in.Best = []runs.Row{{Epoch: 1, TrainLoss: 1}, {Epoch: 2, TrainLoss: 0.5, ValAcc: 0.8}}, 2
	r := &judge.Report{Notes: []string{}}
	c, err := in.calibrate()
	if err != nil || c.from != in.Val {
		t.Fatalf("%v: %+v", err, c)
	}
	if err := in.figures(t.Context(), r, in.Data.Test, in.Test, c); err != nil {
		t.Fatal(err)
	}
	if r.Carried == nil || len(r.Carried.Purity) != 3 || !r.History[1].Best || len(r.Worst) == 0 || len(r.Worst[0].Nearest) != 3 || r.Learning == nil {
		t.Errorf("%+v", r)
	}
	if strings.Contains(fmt.Sprintf("%+v", r.Worst), "/srv") {
		t.Errorf("a machine's path: %+v", r.Worst[0])
	}
	files, notes := Make(t.Context(), in)
	if len(notes) != 1 || !strings.Contains(notes[0], "no report: picture of an error: the examples are no pictures") {
		t.Errorf("notes %q", notes)
	}
	if names := slices.Sorted(maps.Keys(files)); !slices.Equal(names, []string{ProvenanceFile}) {
		t.Errorf("files %q", names)
	}
	in.Seen = func(context.Context, dataset.Set, bool) ([][]float32, error) {
		return nil, errors.New("it has no features")
	}
	for i := range in.Test.P { // nothing wrong, and no picture to show
		in.Test.P[i] = []float32{1 - float32(in.Test.Truth[i]), float32(in.Test.Truth[i])}
	}
	files, notes = Make(t.Context(), in)
	again, _ := Make(t.Context(), in)
	if len(notes) > 0 || len(files) != 4 || !maps.EqualFunc(files, again, bytes.Equal) {
		t.Errorf("%d files, notes %q", len(files), notes)
	}
	for name, text := range files {
		if bytes.Contains(text, []byte("/srv")) || bytes.Contains(text, []byte("runs/first")) {
			t.Errorf("%s tells of a machine: %s", name, text)
		}
	}
	if !bytes.Contains(files[FiguresFile], []byte("Whether more pictures would help is not known: it has no features.")) {
		t.Error("the missing curve is not told of")
	}
}

func TestSome(t *testing.T) {
	set := cloud{1000}
	part := some(set, 101, 1).(*dataset.Subset)
	if n := dataset.Counts(part, 0); n[0] < 50 || n[0] > 51 || n[1] < 50 || n[1] > 51 || !slices.IsSorted(part.Index) {
		t.Errorf("%v of each class", n)
	}
	if some(set, 1000, 1) != dataset.Set(set) {
		t.Error("all of a set is a part of it")
	}
}

func TestName(t *testing.T) {
	o := recipe.DefaultOptions()
	o.Data, o.Test = "/srv/pictures/photos/list.csv", "../others"
	in := Input{Options: &o}
	for path, want := range map[string]string{"/srv/pictures/photos/can/1.jpg": "can/1.jpg", "../others/a/b.jpg": "a/b.jpg", "/data/x/y/z.jpg": "y/z.jpg",
		"../../x/y/z.jpg": "y/z.jpg", "can/1.jpg": "can/1.jpg", "/z.jpg": "z.jpg"} {
		if got := in.name(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
