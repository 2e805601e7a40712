package classify_test

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"gleaner/classify"
	"gleaner/classify/classifytest"
	"gleaner/model"
	"gleaner/model/joint"
	"gleaner/model/modeltest"
)

// two are the outputs of a classifier of three materials, the second one, and of dirt, which is quantised and the first.
func two(materials []float32, dirt []uint8) (model.Lender, func(t testing.TB)) {
	q := modeltest.NewTensor("dirt", model.UInt8, modeltest.Shape{1, 2})
	q.Scale = 1.0 / 256
	p, err := model.NewPool(func() (model.Runner, error) {
		outs := []model.Tensor{q, modeltest.NewTensor("material", model.Float32, modeltest.Shape{1, 3})}
		outs[0].Data = slices.Clone(q.Data)
		return &modeltest.Fake{In: []model.Tensor{modeltest.NewTensor("in", model.Float32, modeltest.Shape{1, 6, 8, 3})}, Out: outs,
			Compute: func(_, out []model.Tensor) error {
				copy(out[0].Data, dirt)
				_, err := binary.Encode(out[1].Data, binary.NativeEndian, materials)
				return err
			}}, nil
	}, 2)
	return p, func(t testing.TB) {
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Close() })
	}
}

func soiled(materials []float32, dirt []uint8, spoil func(h []joint.Head)) func(t testing.TB) (classify.Classifier, error) {
	return func(t testing.TB) (classify.Classifier, error) {
		l, check := two(materials, dirt)
		check(t)
		b := made("probs", []string{"can", "glass", "paper", "general"}, false)
		b.Manifest.Heads = []joint.Head{{Name: "class", Output: 1, Labels: b.Labels[:3]}, {Name: "dirt", Output: 0, Labels: []string{"clean", "dirty"}}}
		b.Manifest.Rules = []joint.Rule{{Head: "dirt", Label: "dirty", Then: "general"}}
		if spoil != nil {
			spoil(b.Manifest.Heads)
		}
		return classify.NewModel(b, l)
	}
}

// TestJoint: the heads are found by their stated output, and answer as one.
func TestJoint(t *testing.T) {
	c, err := soiled([]float32{0.5, 0.3, 0.2}, []uint8{64, 192}, nil)(t)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Classify(t.Context(), classifytest.Picture(9, 9, 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{0.125, 0.075, 0.05, 0.75} {
		if math.Abs(float64(p[i])-want) > 1e-6 {
			t.Fatalf("%v of %v", p, c.Labels())
		}
	}
	classifytest.Run(t, func(t testing.TB) classify.Classifier {
		c, err := soiled([]float32{0.5, 0.3, 0.2}, []uint8{64, 192}, nil)(t)
		if err != nil {
			t.Fatal(err)
		}
		return c
	})
}

func TestJointRefuses(t *testing.T) {
	for _, c := range []struct {
		name, want string
		spoil      func(h []joint.Head)
	}{
		{"output", "bundle fake: head dirt is output 2, and the model has 2", func(h []joint.Head) { h[1].Output = 2 }},
		{"exchanged", "bundle fake: head class: 3 labels, but the model's output \"dirt\" has 2 values", func(h []joint.Head) { h[0].Output, h[1].Output = 0, 1 }},
		{"rule", `bundle fake: rules: dirt:dirty:general: dirt is one of clean, soiled, and never "dirty"`, func(h []joint.Head) { h[1].Labels = []string{"clean", "soiled"} }},
		{"label", "bundle fake: 4 labels, and the heads and rules give 3", func(h []joint.Head) { h[0].Labels = []string{"can", "glass", "general"} }},
	} {
		if _, err := soiled(nil, nil, c.spoil)(t); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	bad, err := soiled([]float32{0.5, float32(math.NaN()), 0.2}, []uint8{64, 192}, nil)(t)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := bad.Classify(t.Context(), classifytest.Picture(9, 9, 1), nil); err == nil {
		t.Errorf("not a number is %v", p)
	}
}
