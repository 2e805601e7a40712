package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"

	"gleaner/train/engine"
	"gleaner/train/engine/enginetest"
	"gleaner/train/net"
)

// network is a preset with options, and how it is trained.
type network struct {
	name    string
	options net.Options
	batch   int
	how     string // what is special about its training, for messages
	train   net.TrainOptions
	freeze  []string
	deep    bool // with so many activations that one is always near a kink: see enginetest.CompareSteps
}

// networks are all presets at a size that float64 can walk around in: every layer is there, with few channels. Behind them are
// some again, with what else train/net puts into a training program.
var networks = []network{
	{name: "head", options: net.Options{Input: engine.Shape{40}, Units: 16, Heads: twoHeads}, batch: 6},
	{name: "dense", options: net.Options{Input: engine.Shape{10, 10, 1}, Units: 24, Drop: 0.2}, batch: 4},
	{name: "cnn-small", options: net.Options{Input: engine.Shape{12, 12, 1}, Units: 16}, batch: 4},
	{name: "cnn-deep", options: net.Options{Input: engine.Shape{32, 32, 3}, Width: 0.25, Units: 16}, batch: 3},
	{name: "cnn-bn", options: net.Options{Input: engine.Shape{16, 16, 3}, Width: 0.25}, batch: 4},
	{name: "vgg16", options: net.Options{Input: engine.Shape{32, 32, 3}, Width: 0.125, Units: 16}, batch: 3},
	{name: "resnet-small", options: net.Options{Input: engine.Shape{16, 16, 1}, Width: 0.5, Heads: twoHeads}, batch: 4},
	{name: "resnet18", options: net.Options{Input: engine.Shape{64, 64, 3}, Width: 0.125}, batch: 4, deep: true},
	{name: "resnet50", options: net.Options{Input: engine.Shape{64, 64, 3}, Width: 0.125}, batch: 4, deep: true},
	{name: "mobilenetv2", options: net.Options{Input: engine.Shape{64, 64, 3}, Width: 0.25}, batch: 4, deep: true},
	{name: "densenet121", options: net.Options{Input: engine.Shape{64, 64, 3}, Width: 0.25}, batch: 3, deep: true},
	{name: "resnet-small", options: net.Options{Input: engine.Shape{16, 16, 1}, Width: 0.5, Heads: twoHeads}, batch: 4,
		how: ", half of it frozen, focal loss, L2 towards the start", freeze: []string{"stem", "stage1"}, train: net.TrainOptions{
			Losses: []engine.Loss{{Gamma: 2, Smoothing: 0.1}, {Weights: []float32{1, 2, 0.5}}}, Share: []float64{1, 0.3}, ToStart: 0.01}},
	{name: "cnn-bn", options: net.Options{Input: engine.Shape{16, 16, 3}, Width: 0.25}, batch: 4,
		how: ", folded, rounded to 48 bits", train: net.TrainOptions{Quantise: 48}},
}

var twoHeads = []net.Head{{Name: "material", Classes: 5}, {Name: "contamination", Classes: 3, Independent: true}}

// net is the network's training program, with numbers from a seed.
func (c network) net() (*enginetest.Net, error) {
	n, err := net.New(c.name, c.options)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(5, uint64(len(c.name))))
	w := n.First(11)
	for _, v := range n.Vars() {
		if strings.HasSuffix(v.Name, "/gamma") || strings.HasSuffix(v.Name, "/beta") {
			for i := range w[v.Name] { // away from 1 and 0, where a wrong factor could hide
				w[v.Name][i] += 0.4*r.Float32() - 0.2
			}
		}
	}
	if c.train.Quantise > 0 {
		if n, w, err = n.Fold(w); err != nil {
			return nil, err
		}
	}
	if err := n.Freeze(c.freeze...); err != nil {
		return nil, err
	}
	c.train.Optimiser, c.train.Seed = engine.Optimiser{Kind: "sgd"}, 3
	p, err := n.Training(c.batch, c.train)
	if err != nil {
		return nil, err
	}
	maps.Copy(w, n.StartStates(w))
	for _, v := range p.Vars() {
		switch {
		case strings.HasSuffix(v.Name, "/range"):
			w[v.Name] = []float32{-50, 60} // wide: a range's ends are kinks
		case strings.HasSuffix(v.Name, ":start"):
			for i := range w[v.Name] {
				w[v.Name][i] += r.Float32() - 0.5
			}
		}
	}
	return enginetest.FromTraining(fmt.Sprintf("%s %v%s", c.name, n.Input, c.how), p, w, func(v *engine.Value) []float32 {
		d := make([]float32, v.Shape.Size())
		for i := range d {
			d[i] = 2*r.Float32() - 1
		}
		if v.Input != net.PictureInput {
			label(r, d, v.Shape[1], v.Input == net.LabelInput("contamination"))
		}
		return d
	})
}

// label makes rows of k wanted shares: one class of each row, or each class by itself.
func label(r *rand.Rand, d []float32, k int, independent bool) {
	for i := range d {
		d[i] = 0
		if independent && r.IntN(2) == 1 {
			d[i] = 1
		}
	}
	for i := 0; i < len(d) && !independent; i += k {
		d[i+r.IntN(k)] = 1
	}
}
