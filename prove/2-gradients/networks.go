package main

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"gleaner/train/engine"
	"gleaner/train/engine/enginetest"
	"gleaner/train/net"
)

// network is a preset with options.
type network struct {
	name    string
	options net.Options
	batch   int
}

// networks are all presets at a size that float64 can walk around in: every layer is there, with few channels.
var networks = []network{
	{"head", net.Options{Input: engine.Shape{40}, Units: 16, Heads: twoHeads}, 6},
	{"dense", net.Options{Input: engine.Shape{10, 10, 1}, Units: 24, Drop: 0.2}, 4},
	{"cnn-small", net.Options{Input: engine.Shape{12, 12, 1}, Units: 16}, 4},
	{"cnn-deep", net.Options{Input: engine.Shape{32, 32, 3}, Width: 0.25, Units: 16}, 3},
	{"cnn-bn", net.Options{Input: engine.Shape{16, 16, 3}, Width: 0.25}, 4},
	{"vgg16", net.Options{Input: engine.Shape{32, 32, 3}, Width: 0.125, Units: 16}, 3},
	{"resnet-small", net.Options{Input: engine.Shape{16, 16, 1}, Width: 0.5, Heads: twoHeads}, 4},
	{"resnet18", net.Options{Input: engine.Shape{64, 64, 3}, Width: 0.125}, 4},
	{"resnet50", net.Options{Input: engine.Shape{64, 64, 3}, Width: 0.125}, 4},
	{"mobilenetv2", net.Options{Input: engine.Shape{64, 64, 3}, Width: 0.25}, 4},
	{"densenet121", net.Options{Input: engine.Shape{64, 64, 3}, Width: 0.25}, 4},
}

var twoHeads = []net.Head{{Name: "material", Classes: 5}, {Name: "contamination", Classes: 3, Independent: true}}

// net is the network's training program, with numbers from a seed.
func (c network) net() (*enginetest.Net, error) {
	n, err := net.New(c.name, c.options)
	if err != nil {
		return nil, err
	}
	p, err := n.Training(c.batch, net.TrainOptions{Optimiser: engine.Optimiser{Kind: "sgd"}, Seed: 3})
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
	return enginetest.FromTraining(fmt.Sprintf("%s %v", c.name, n.Input), p, w, func(v *engine.Value) []float32 {
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
