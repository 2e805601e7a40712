package heads

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gleaner/model/bundle"
	"gleaner/model/joint"
	"gleaner/train/dataset"
	"gleaner/train/dataset/pack"
	"gleaner/train/eval"
)

// set is a data set file of one pixel each: of a class, and with the dirt that follows a colon, if any does.
func set(t *testing.T, of ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.set")
	w, err := pack.Create(path, pack.Format{Width: 1, Height: 1, Fit: "stretch"})
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range of {
		class, dirt, with := strings.Cut(text, ":")
		e := pack.Example{Class: class}
		if with {
			e.Attributes = map[string]string{"dirt": dirt, "camera": "left"}
		}
		src := pack.Source{Path: string(rune('a' + i)), Width: 1, Height: 1}
		src.SHA256[0] = byte(i)
		if err := w.Add(src, []pack.Crop{{Example: e, Pixels: []byte{1, 2, byte(i)}}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, path string) *dataset.Pictures {
	t.Helper()
	p, err := dataset.Open(t.Context(), path, dataset.Options{Input: bundle.Input{Prep: "linear/1", Width: 1, Height: 1, Colour: "rgb",
		Mean: []float32{0}, Std: []float32{1}, Fit: "stretch"}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var rules = []joint.Rule{{Head: "dirt", Label: "dirty", Then: "general"}}

// TestJoined: what is asked, what is right under the rule, and what parts of a set say of it.
func TestJoined(t *testing.T) {
	p := open(t, set(t, "can:clean", "can:dirty", "glass:clean", "glass", "glass:dirty"))
	s, err := Of(p, rules, nil)
	if err != nil {
		t.Fatal(err)
	}
	if h := s.Heads(); len(h) != 2 || h[1].Name != "dirt" || !slices.Equal(h[1].Labels, []string{"clean", "dirty"}) || s.Sum() == p.Sum() {
		t.Fatalf("heads %+v", h)
	}
	j, err := Join(s.Heads(), rules)
	if err != nil {
		t.Fatal(err)
	}
	all := Joined(&dataset.Subset{Set: s, Index: []int{4, 3, 2, 1, 0}}, j)
	var got []string
	for i := range all.Len() {
		got = append(got, all.Name(i)+all.Heads()[0].Labels[all.Label(i, 0)])
	}
	if want := []string{"egeneral", "dglass", "cglass", "bgeneral", "acan"}; !slices.Equal(got, want) || len(all.Heads()) != 1 {
		t.Errorf("the truth is %v, want %v", got, want)
	}
	if Joined(nil, j) != nil || Joined(s, nil) != dataset.Set(s) {
		t.Error("a set without heads to join does not stay as it is")
	}
	a := Answers(j, []*eval.Answers{{Labels: s.Heads()[0].Labels, Truth: []int{0, 1}, P: [][]float32{{0.75, 0.25}, {0, 1}}},
		{Labels: s.Heads()[1].Labels, Truth: []int{1, -1}, P: [][]float32{{0.5, 0.5}, {1, 0}}}})
	if len(a) != 1 || !slices.Equal(a[0].Truth, []int{2, 1}) || !slices.Equal(a[0].P[0], []float32{0.375, 0.125, 0.5}) || !slices.Equal(a[0].P[1], []float32{0, 1, 0}) {
		t.Errorf("joined answers %+v", a[0])
	}
	if j, err := Join(s.Heads(), nil); j != nil || err != nil {
		t.Errorf("without rules: %v, %v", j, err)
	}
}

// TestSettled: other pictures must have no other attributes than those that are trained; they may have fewer.
func TestSettled(t *testing.T) {
	trained := []dataset.Head{{Name: "class", Labels: []string{"can", "glass"}}, {Name: "dirt", Labels: []string{"clean", "dirty"}}}
	s, err := Of(open(t, set(t, "can:dirty", "glass:dirty")), rules, trained)
	if err != nil || s.Label(0, 1) != 1 || s.Label(1, 0) != 1 {
		t.Errorf("%v", err)
	}
	if _, err := Of(open(t, set(t, "can:foul", "glass:dirty")), rules, trained); err == nil || err.Error() != `its dirt "foul" is not one that is trained: clean, dirty` {
		t.Errorf("error %v", err)
	}
	if _, err := Of(open(t, set(t, "can:dirty", "glass:dirty")), rules, nil); err == nil || !strings.Contains(err.Error(), "the dirt of all pictures is dirty") {
		t.Errorf("error %v", err)
	}
}

// TestTruth: stored pictures are judged by class and attribute, joined ones by class, and strange attributes are told.
func TestTruth(t *testing.T) {
	j, err := joint.New([]joint.Head{{Name: "class", Labels: []string{"can", "glass"}}, {Name: "dirt", Output: 1, Labels: []string{"clean", "dirty"}}}, rules)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		of     []string
		j      *joint.Joint
		labels []string
		truth  []int
		want   string
	}{
		{[]string{"can:dirty", "glass:clean", "can:dirty"}, j, []string{"general", "glass"}, []int{0, 1, 0}, ""},
		{[]string{"can", "general", "glass"}, j, []string{"can", "general", "glass"}, []int{0, 1, 2}, ""},
		{[]string{"can:dirty", "glass:clean"}, nil, []string{"can", "glass"}, []int{0, 1}, ""},
		{[]string{"can:foul"}, j, nil, nil, `a: dirt is "foul" in the pictures, and the bundle's head tells clean, dirty apart`},
	} {
		data, err := dataset.OpenStored(set(t, c.of...))
		if err != nil {
			t.Fatal(err)
		}
		labels, truth, err := Truth(data, c.j)
		if !slices.Equal(labels, c.labels) || !slices.Equal(truth, c.truth) || (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
			t.Errorf("%v: %v %v, %v", c.of, labels, truth, err)
		}
		if err := data.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
