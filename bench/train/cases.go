package main

import (
	"gleaner/train/engine"
	"gleaner/train/net"
)

// network is what the contestants train: layers and optimiser as in limit.cc and pytorch.py.
type network struct {
	name      string
	what      string // for the report
	batch     int
	classes   int
	optimiser engine.Optimiser
	make      func(heads []net.Head) (*net.Net, error)
	// rounds is how often each contestant takes its turn, steps how many steps of training make a round; PyTorch, whose figure
	// needs no second digit, does torchSteps.
	rounds, steps, torchSteps int
	// The bars: the bare loop's CPU time over ours (0: there is no loop for it), PyTorch's over ours.
	loop, torch float64
}

var adam, sgd = engine.Optimiser{Kind: "adam"}, engine.Optimiser{Kind: "sgd", Momentum: 0.9}

var networks = []network{
	{
		name: "cnn-small", what: "conv 3×3×32, pool, dense 128, dense 10 on 28×28, Adam",
		batch: 64, classes: 10, optimiser: adam, rounds: 25, steps: 60, torchSteps: 8,
		loop: 0.95, torch: 3,
		make: preset("cnn-small", engine.Shape{28, 28, 1}),
	},
	{
		name: "block", what: "ResNet's stem and three bottlenecks at 128×128, Adam",
		batch: 16, classes: 6, optimiser: adam, rounds: 11, steps: 4, torchSteps: 2,
		loop: 0.9, torch: 1.4, make: block,
	},
	{
		name: "resnet50", what: "ResNet-50 at 128×128, SGD",
		batch: 8, classes: 6, optimiser: sgd, rounds: 7, steps: 3, torchSteps: 2,
		torch: 1.2, make: preset("resnet50", engine.Shape{128, 128, 3}),
	},
	{
		name: "mobilenetv2", what: "MobileNetV2 at 160×160, SGD",
		batch: 16, classes: 6, optimiser: sgd, rounds: 7, steps: 4, torchSteps: 2,
		torch: 1.2, make: preset("mobilenetv2", engine.Shape{160, 160, 3}),
	},
	{
		name: "head", what: "head 1280→128→6 on 2,500 samples, 50 epochs, Adam",
		batch: 50, classes: 6, optimiser: adam, rounds: 7, steps: 50 * 50, torchSteps: 100,
		make: func(heads []net.Head) (*net.Net, error) {
			return net.New("head", net.Options{Input: engine.Shape{1280}, Units: 128, Drop: -1, Heads: heads})
		},
	},
}

func preset(name string, input engine.Shape) func(heads []net.Head) (*net.Net, error) {
	return func(heads []net.Head) (*net.Net, error) {
		return net.New(name, net.Options{Input: input, Heads: heads})
	}
}

// block is ResNet-50 without all but its first stage.
func block(heads []net.Head) (*net.Net, error) {
	return net.Describe("block", engine.Shape{128, 128, 3}, heads, func(b *net.Builder, x *engine.Node) []*engine.Node {
		x = b.ConvNorm("stem", x, net.Filter{Out: 64, Size: 7, Stride: 2, Pad: 3}, net.Relu)
		x = b.MaxPool("pool", x, engine.Square(3, 2, 1))
		for _, layer := range []string{"block1", "block2", "block3"} {
			y := b.ConvNorm(layer+"/conv1", x, net.Filter{Out: 64, Size: 1}, net.Relu)
			y = b.ConvNorm(layer+"/conv2", y, net.Filter{Out: 64, Size: 3, Pad: 1}, net.Relu)
			y = b.ConvNorm(layer+"/conv3", y, net.Filter{Out: 256, Size: 1}, net.None)
			if layer == "block1" {
				x = b.ConvNorm(layer+"/shortcut", x, net.Filter{Out: 256, Size: 1}, net.None)
			}
			x = b.Join(layer+"/add", x, y, net.Relu)
		}
		return b.AllLogits(b.GlobalAvgPool("gap", x))
	})
}
