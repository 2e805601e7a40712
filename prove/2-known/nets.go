package main

import (
	"fmt"

	"gleaner/train/engine"
	"gleaner/train/net"
	"gleaner/train/schedule"
)

// The run of bench/known/known.py: steps, pictures in a batch, classes.
const (
	steps   = 50
	batch   = 16
	classes = 6
)

// recipe is a network and how it learns: a row of NETS in bench/known/known.py.
type recipe struct {
	name      string
	seed      int
	net       func() (*net.Net, error)
	loss      engine.Loss
	optimiser engine.Optimiser
	rate      schedule.Rate
	blend     float64 // share of the new weights in the moving average; 0: there is none
}

var recipes = []recipe{
	{
		name: "dense", net: preset("dense", net.Options{Input: engine.Shape{12, 12, 1}, Units: 48}),
		loss: engine.Loss{Smoothing: 0.1}, optimiser: engine.Optimiser{Kind: "adam"}, rate: constant(2e-3),
	},
	{
		name: "cnn-small", net: preset("cnn-small", net.Options{Input: engine.Shape{12, 12, 3}, Width: 0.5, Units: 32}),
		optimiser: engine.Optimiser{Kind: "sgd", Momentum: 0.9, Nesterov: true}, rate: constant(0.01),
	},
	{
		name: "cnn-bn", seed: 5, net: preset("cnn-bn", net.Options{Input: engine.Shape{16, 16, 3}, Width: 0.25, Drop: -1}),
		loss:      engine.Loss{Smoothing: 0.1},
		optimiser: engine.Optimiser{Kind: "adamw", Eps: 1e-3, Decay: 0.05, Average: true}, rate: constant(5e-4), blend: 0.1,
	},
	{
		name: "resnet18", seed: 4, net: preset("resnet18", net.Options{Input: engine.Shape{32, 32, 3}, Width: 0.125}),
		optimiser: engine.Optimiser{Kind: "sgd", Momentum: 0.9, Decay: 1e-3, Clip: 1},
		rate:      schedule.Rate{Kind: "cosine", Top: 5e-3, Total: steps},
	},
	{
		name: "mobilenet", seed: 1, net: mobilenet,
		loss:      engine.Loss{Weights: []float32{1, 2, 0.5, 1, 1.5, 0.25}, Gamma: 1.5},
		optimiser: engine.Optimiser{Kind: "adam", Eps: 1e-3}, rate: constant(5e-4),
	},
}

func constant(lr float64) schedule.Rate { return schedule.Rate{Kind: "constant", Top: lr} }

func preset(name string, o net.Options) func() (*net.Net, error) {
	o.Heads = heads
	return func() (*net.Net, error) { return net.New(name, o) }
}

var heads = []net.Head{{Name: "class", Classes: classes}}

// mobilenet is three inverted residual blocks: rounding decides the losses of the preset, which has 17.
func mobilenet() (*net.Net, error) {
	blocks := []struct{ expand, out, stride int }{{1, 8, 1}, {4, 16, 2}, {4, 16, 1}}
	return net.Describe("mobilenet", engine.Shape{12, 12, 3}, heads, func(b *net.Builder, x *engine.Node) []*engine.Node {
		x = b.ConvNorm("stem", x, net.Filter{Out: 8, Size: 3, Stride: 2, Pad: -1}, net.Relu6)
		for i, k := range blocks {
			layer, c, y := fmt.Sprintf("block%d", i), engine.ShapeOf(x)[3], x
			if k.expand > 1 {
				y = b.ConvNorm(layer+"/expand", x, net.Filter{Out: k.expand * c, Size: 1}, net.Relu6)
			}
			y = b.ConvNorm(layer+"/depthwise", y, net.Filter{Out: k.expand * c, Size: 3, Stride: k.stride, Pad: -1, Groups: -1}, net.Relu6)
			y = b.ConvNorm(layer+"/project", y, net.Filter{Out: k.out, Size: 1}, net.None)
			if k.stride == 1 && c == k.out {
				y = b.Join(layer+"/add", x, y, net.None)
			}
			x = y
		}
		x = b.ConvNorm("last", x, net.Filter{Out: 64, Size: 1}, net.Relu6)
		return b.AllLogits(b.GlobalAvgPool("gap", x))
	})
}
