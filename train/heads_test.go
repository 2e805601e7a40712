package train

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gleaner/model/bundle"
	"gleaner/model/flat"
	"gleaner/model/joint"
	"gleaner/model/tflite"
	"gleaner/train/dataset"
	"gleaner/train/dataset/pack"
	"gleaner/train/judge"
	"gleaner/train/recipe"
)

// soiled is a data set file of n pictures: can, glass and paper are red, green and blue, and half of each is dirty, which is a black
// stain. Of every seventh the label does not say.
func soiled(t testing.TB, n int, seed uint64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "soiled.set")
	f := pack.Format{Width: 12, Height: 12, Fit: "stretch"}
	w, err := pack.Create(path, f)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range n {
		class, dirty := i%3, i/3%2
		pix := make([]byte, f.Bytes())
		for p := range pix {
			pix[p] = byte(r.IntN(90))
			if p%3 == 2-class {
				pix[p] += 120
			}
		}
		x, y := r.IntN(6), r.IntN(6)
		for p := range 36 * dirty {
			at := 3 * ((y+p/6)*12 + x + p%6)
			clear(pix[at : at+3])
		}
		e := pack.Example{Box: [4]float64{0, 0, 12, 9}, Class: []string{"can", "glass", "paper"}[class], Attributes: map[string]string{"dirt": []string{"clean", "dirty"}[dirty]}}
		if i%7 == 6 {
			e.Attributes = nil
		}
		src := pack.Source{Path: fmt.Sprintf("%03d.png", i), Width: 12, Height: 12}
		src.SHA256[0], src.SHA256[1], src.SHA256[2] = byte(i), byte(i>>8), byte(seed)
		if err := w.Add(src, []pack.Crop{{Example: e, Pixels: pix}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	return path
}

func ruled(t testing.TB, data string, more ...string) recipe.Options {
	t.Helper()
	return options(t, data, append([]string{"net=cnn-small", "rule=dirt:dirty:general", "epochs=8", "lr=0.01", "shift=0"}, more...)...)
}

// TestTwoHeads: a network learns the material and the dirt, its bundle answers with what the rule makes of both, and `gleaner eval`
// judges it so, on pictures with the attribute and on such as were joined already.
func TestTwoHeads(t *testing.T) {
	for _, more := range [][]string{nil, {"ensemble=3", "keep=accuracy"}, {"export=int8"}} {
		t.Run(strings.Join(append(more, "end"), " "), func(t *testing.T) {
			test := soiled(t, 300, 2)
			r, notes, err := fit(t, ruled(t, soiled(t, 360, 1), append(more, "test="+test)...), false)
			if err != nil {
				t.Fatal(err, notes)
			}
			if !strings.Contains(notes, "fit=stretch in place of letterbox") || strings.Contains(notes, "WARNING: the crops") {
				t.Error(notes)
			}
			labels := []string{"can", "glass", "paper", "general"}
			if len(r.Answers) != 1 || !slices.Equal(r.Answers[0].Labels, labels) || len(r.Answers[0].P) != 300 || r.TestAcc < 0.7 {
				t.Fatalf("%d answers, %.3f right", len(r.Answers), r.TestAcc)
			}
			if r.Parity != nil && len(r.Parity.Heads) != 2 {
				t.Errorf("the gate looked at %+v", r.Parity.Heads)
			}
			b, err := bundle.Open(r.Bundle)
			if err != nil {
				t.Fatal(err)
			}
			if m := b.Manifest; m.Input.Fit != "stretch" || len(m.Heads) != 2 || m.Heads[1].Name != "dirt" || !slices.Equal(m.Rules, []joint.Rule{{Head: "dirt", Label: "dirty", Then: "general"}}) ||
				!slices.Equal(b.Labels, labels) || m.Accuracy != r.TestAcc {
				t.Errorf("the bundle is %+v with %v", m, b.Labels)
			}
			if m, err := flat.Read(read(t, r.Bundle, bundle.ModelFile)); err != nil || len(m.OutputTensors()) != 2 {
				t.Errorf("the file: %v", err)
			}
			if s := string(read(t, r.Bundle, "report.json")); !strings.Contains(s, `"label": "general"`) || !strings.Contains(s, `"learning"`) {
				t.Errorf("the report: %s; %s", s[:200], notes)
			}
			judged(t, r, test)
		})
	}
}

// judged holds `gleaner eval` of the bundle against the run's own answers.
func judged(t *testing.T, r *Result, test string) {
	t.Helper()
	if tflite.Version() == "none" {
		return
	}
	m, err := judge.OpenModel(r.Bundle, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, path := range []string{test, flattened(t, test)} {
		data, err := dataset.OpenStored(path)
		if err != nil {
			t.Fatal(err)
		}
		defer data.Close()
		report, err := judge.Judge(t.Context(), data, m, nil, judge.DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		if d := report.Accuracy.Value - r.TestAcc; d > 0.02 || d < -0.02 || report.Pictures != 300 { // the file's numbers are rounded
			t.Errorf("%s: %v of %d pictures; the run says %.3f", filepath.Base(path), report.Accuracy, report.Pictures, r.TestAcc)
		}
	}
}

// flattened is a set whose classes are joined by the rule, without attributes.
func flattened(t *testing.T, path string) string {
	t.Helper()
	s, err := pack.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	to := filepath.Join(t.TempDir(), "flat.set")
	w, err := pack.Create(to, s.Format)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range s.Examples {
		pix := make([]byte, s.Format.Bytes())
		if err := s.Pixels(i, pix); err != nil {
			t.Fatal(err)
		}
		if e.Attributes["dirt"] == "dirty" {
			e.Class = "general"
		}
		e.Attributes = nil
		if err := w.Add(e.Source, []pack.Crop{{Example: e, Pixels: pix}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestRulesRefused: what a rule names must be there.
func TestRulesRefused(t *testing.T) {
	set := soiled(t, 60, 3)
	for _, c := range []struct{ name, data, rule, want string }{
		{"form", set, "dirt:dirty", `rule="dirt:dirty" is not of the form attribute:label:class`},
		{"no such attribute", set, "dirtiness:dirty:general", `no picture has the attribute "dirtiness", but dirt`},
		{"no such label", set, "dirt:filthy:general", `dirt is one of clean, dirty, and never "filthy"`},
		{"the class itself", set, "class:can:general", "class is no attribute; classes are joined by gleaner data import --map"},
		{"twice", set, "dirt:dirty:general,dirt:dirty:can", "an earlier rule is for the same label"},
		{"every label", set, "dirt:dirty:general,dirt:clean:can", "at least one not"},
		{"no attributes", garments(t, 40), "dirt:dirty:general", "there are none at all; a data set file of gleaner data import keeps"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := fit(t, ruled(t, c.data, "rule="+c.rule), false)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}
