package classify_test

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"gleaner/capture"
	"gleaner/classify"
	"gleaner/classify/classifytest"
	"gleaner/model"
	"gleaner/model/bundle"
	"gleaner/model/modeltest"
)

// telling is a classifier of a and b whose second output is the familiarity, with a threshold of 0.5.
func telling(t testing.TB, familiarity float32, second model.Tensor) (classify.Classifier, error) {
	p, err := model.NewPool(func() (model.Runner, error) {
		probs := modeltest.NewTensor("probs", model.Float32, modeltest.Shape{1, 2})
		second := second
		second.Data = slices.Clone(second.Data)
		return &modeltest.Fake{In: []model.Tensor{modeltest.NewTensor("in", model.Float32, modeltest.Shape{1, 6, 8, 3})},
			Out: []model.Tensor{probs, second}, Compute: func(_, out []model.Tensor) error {
				if _, err := binary.Encode(out[0].Data, binary.NativeEndian, []float32{0.75, 0.25}); err != nil {
					return err
				}
				_, err := binary.Encode(out[1].Data, binary.NativeEndian, familiarity)
				return err
			}}, nil
	}, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	b := made("probs", []string{"a", "b"}, false)
	b.Manifest.Unknown = &bundle.Unknown{Output: 1, Threshold: 0.5}
	return classify.NewModel(b, p)
}

var scalar = modeltest.NewTensor("familiarity", model.Float32, modeltest.Shape{1, 1})

func TestFamiliar(t *testing.T) {
	plain := open(t, "probs", []string{"a", "b"}, false, lend(t, modeltest.NewTensor("out", model.Float32, modeltest.Shape{1, 2}), says([]float32{0.5, 0.5})))
	if _, ok := plain.(classify.Familiar); ok {
		t.Error("a bundle without the score tells how familiar crops look")
	}
	known, err := telling(t, 0.875, scalar)
	if err != nil {
		t.Fatal(err)
	}
	strange, err := telling(t, 0.125, scalar)
	if err != nil {
		t.Fatal(err)
	}
	together := func(m ...classify.Classifier) classify.Classifier {
		e, err := classify.NewEnsemble(m)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	for _, c := range []struct {
		name string
		c    classify.Classifier
		want float32
	}{
		{"without the score", plain, 0}, {"familiar", known, 0.375}, {"strange", strange, -0.375},
		{"the mean", together(known, strange), 0}, {"of those that can tell", together(plain, strange, strange), -0.375},
		{"nobody can tell", together(plain, plain), 0},
	} {
		p, familiar, err := classify.Look(t.Context(), c.c, capture.NewImage(20, 20), nil)
		if err != nil || len(p) != 2 || math.Abs(float64(familiar-c.want)) > 1e-6 {
			t.Errorf("%s: %v, %g, %v; wanted %g", c.name, p, familiar, err, c.want)
		}
	}
	t.Run("conformance", func(t *testing.T) {
		classifytest.Run(t, func(t testing.TB) classify.Classifier {
			c, err := telling(t, 0.75, scalar)
			if err != nil {
				t.Fatal(err)
			}
			return c
		})
	})
}

func TestFamiliarRefuses(t *testing.T) {
	if _, err := telling(t, 0.5, modeltest.NewTensor("two", model.Float32, modeltest.Shape{1, 2})); err == nil || !strings.Contains(err.Error(), `"two"`) {
		t.Errorf("an output of two numbers: %v", err)
	}
	c, err := telling(t, float32(math.NaN()), scalar)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := classify.Look(t.Context(), c, capture.NewImage(4, 4), nil); err == nil {
		t.Error("a familiarity of NaN goes through")
	}
	b := made("probs", []string{"a"}, false)
	b.Manifest.Unknown = &bundle.Unknown{Output: 1, Threshold: 0.5}
	if _, err := classify.NewModel(b, lend(t, modeltest.NewTensor("out", model.Float32, modeltest.Shape{1, 1}), says([]float32{1}))); err == nil || !strings.Contains(err.Error(), "output 1") {
		t.Errorf("a network without the output: %v", err)
	}
}
