package net

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gleaner/train/engine"
)

// Options are what presets take. The zero value of a field means the preset's default.
type Options struct {
	Input engine.Shape // [H W C], or [C] for "head"
	Heads []Head
	Width float64 // multiplies the channels, where the preset has it; 1
	Drop  float64 // dropout rate before the head; the preset's own where 0, none where negative
	Units int     // of the hidden layer, where the preset has one
}

// preset is one network by name.
type preset struct {
	input engine.Shape
	make  func(o Options) func(b *Builder, x *engine.Node) []*engine.Node
}

var presets = map[string]preset{
	"cnn-small": {engine.Shape{28, 28, 1}, cnnSmall},
}

// Names are the presets' names, sorted.
func Names() []string { return slices.Sorted(maps.Keys(presets)) }

// New is the preset of that name. An unknown name, or a picture too small for the network, is an error.
func New(name string, o Options) (*Net, error) {
	p, ok := presets[name]
	if !ok {
		return nil, fmt.Errorf("no network is called %q: there are %s", name, strings.Join(Names(), ", "))
	}
	if o.Input == nil {
		o.Input = p.input
	}
	if len(o.Heads) == 0 {
		o.Heads = []Head{{Name: "class", Classes: 10}}
	}
	if o.Width == 0 {
		o.Width = 1
	}
	return Describe(name, o.Input, o.Heads, p.make(o))
}

// cnnSmall is the simple convolutional network of the first MNIST tutorials: 3×3×32, pooling, dense 128.
func cnnSmall(o Options) func(b *Builder, x *engine.Node) []*engine.Node {
	return func(b *Builder, x *engine.Node) []*engine.Node {
		h := b.Conv("conv", x, Filter{Out: channels(32, o.Width), Size: 3, Pad: 1, Bias: true}, Relu)
		h = b.MaxPool("pool", h, engine.Square(2, 2, 0))
		h = b.Dense("dense", h, max(o.Units, 128), Relu)
		return b.AllLogits(b.Drop("drop", h, o.Drop))
	}
}

// channels is a width-multiplied number of channels, in eights as MobileNet rounds it.
func channels(n int, width float64) int {
	if width == 1 {
		return n
	}
	c := max(8, int(float64(n)*width+4)/8*8)
	if float64(c) < 0.9*float64(n)*width {
		c += 8
	}
	return c
}
