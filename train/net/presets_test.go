package net

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"testing"

	"gleaner/train/engine"
)

// params counts a network's learning numbers.
func params(n *Net) (total int) {
	for _, v := range n.Params() {
		total += v.Shape.Size()
	}
	return total
}

// TestPublishedParameterCounts holds the presets to the counts that their authors' implementations have with 1000 classes
// (torchvision's model table; for MobileNetV2 Keras' as well).
func TestPublishedParameterCounts(t *testing.T) {
	for name, want := range map[string]int{
		"vgg16": 138_357_544, "resnet18": 11_689_512, "resnet50": 25_557_032, "mobilenetv2": 3_504_872, "densenet121": 7_978_856,
	} {
		n, err := New(name, Options{Heads: []Head{{Name: "class", Classes: 1000}}})
		if err != nil {
			t.Fatal(err)
		}
		if got := params(n); got != want {
			t.Errorf("%s has %d parameters, and %d are published", name, got, want)
		}
	}
}

// small are the presets at sizes for tests.
var small = map[string]Options{
	"head":         {Input: engine.Shape{16}, Units: 8},
	"dense":        {Input: engine.Shape{6, 6, 1}, Units: 16},
	"cnn-small":    {Input: engine.Shape{8, 8, 1}, Width: 0.25, Units: 16},
	"cnn-deep":     {Input: engine.Shape{16, 16, 3}, Width: 0.25, Units: 16},
	"cnn-bn":       {Input: engine.Shape{16, 16, 3}, Width: 0.25},
	"vgg16":        {Input: engine.Shape{32, 32, 3}, Width: 0.125, Units: 16},
	"resnet-small": {Input: engine.Shape{16, 16, 1}, Width: 0.5},
	"resnet18":     {Input: engine.Shape{32, 32, 3}, Width: 0.125},
	"resnet50":     {Input: engine.Shape{32, 32, 3}, Width: 0.125},
	"mobilenetv2":  {Input: engine.Shape{32, 32, 3}, Width: 0.35},
	"densenet121":  {Input: engine.Shape{32, 32, 3}, Width: 0.25},
}

// TestSmallPresetsTrain builds every preset, small and with two heads, for evaluation and for training.
func TestSmallPresetsTrain(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			o := small[name]
			o.Heads = []Head{{Name: "material", Classes: 6}, {Name: "dirt", Classes: 2, Independent: true}}
			n, err := New(name, o)
			if err != nil {
				t.Fatal(err)
			}
			p, err := n.Training(2, TrainOptions{Optimiser: engine.Optimiser{Kind: "sgd", Momentum: 0.9}})
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Outputs) != 3 || !p.Outputs[1].Shape.Equal(engine.Shape{2, 6}) || !p.Outputs[2].Shape.Equal(engine.Shape{2, 2}) {
				t.Errorf("outputs are %v", p.Outputs)
			}
			if len(n.States()) != len(n.Params()) {
				t.Errorf("%d states for %d parameters", len(n.States()), len(n.Params()))
			}
		})
	}
}

// TestNamesAreStable holds variable names and shapes to their digest: checkpoints find weights by them.
func TestNamesAreStable(t *testing.T) {
	for name, want := range golden {
		n, err := New(name, small[name])
		if err != nil {
			t.Fatal(err)
		}
		if got := digest(n); got != want {
			t.Errorf("%q: %#x, the variables are not %#x any more: old checkpoints would not load", name, got, want)
		}
	}
	if len(golden) != len(presets) {
		t.Errorf("%d digests for %d presets", len(golden), len(presets))
	}
}

// digest is a sum of a network's variables: names, shapes and roles in their order.
func digest(n *Net) uint64 {
	h := fnv.New64a()
	for _, v := range n.Vars() {
		fmt.Fprintln(h, v.Name, v.Shape, v.Role)
	}
	return h.Sum64()
}

var golden = map[string]uint64{
	"cnn-bn":       0x6ef2ff8ce6556ceb,
	"cnn-deep":     0x14007e5b66019b36,
	"cnn-small":    0xab9cc60a1db5fd59,
	"dense":        0x33d29f1a0d48a75a,
	"densenet121":  0xde454cbb20322422,
	"head":         0xd2a5747833d43de,
	"mobilenetv2":  0xe8ca739417c48392,
	"resnet-small": 0x1c2855c9bcc3ddc5,
	"resnet18":     0xbe488dfd82aaabe9,
	"resnet50":     0x89cf27d73f0e151c,
	"vgg16":        0xcccb720dc32a8d3d,
}

func TestBadPresets(t *testing.T) {
	for _, c := range []struct {
		name, preset string
		o            Options
		want         string
	}{
		{"unknown", "resnet99", Options{}, "there are cnn-bn"},
		{"input of a head", "head", Options{Input: engine.Shape{2, 2, 8}}, "takes an input like [1280]"},
		{"width", "resnet18", Options{Width: -1}, "a width of -1"},
		{"dropout", "head", Options{Drop: 1}, "a dropout of 1"},
		{"heads of one name", "head", Options{Heads: []Head{{Name: "a", Classes: 2}, {Name: "a", Classes: 3}}}, "two heads"},
		{"one class", "head", Options{Heads: []Head{{Name: "a", Classes: 1}}}, "at least two"},
	} {
		if _, err := New(c.preset, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	_, err := New("vgg16", Options{Input: engine.Shape{16, 16, 3}})
	var le *engine.LayerError
	if !errors.As(err, &le) || le.Layer != "pool5" {
		t.Errorf("a picture too small: %v", err)
	}
}
