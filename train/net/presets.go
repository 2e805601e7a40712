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
	Heads []Head       // one of 10 classes named "class" where empty
	Width float64      // multiplies the channels, where the preset has it; 1
	Depth int          // residual blocks per stage of "resnet-small"; 1
	Drop  float64      // dropout rate before the head; the preset's own where 0, none where negative
	Units int          // of the hidden layer, where the preset has one; negative: "head" has none
}

// preset is one network by name. make gets options whose defaults are filled in.
type preset struct {
	input engine.Shape
	drop  float64
	units int
	make  func(o Options) func(b *Builder, x *engine.Node) []*engine.Node
}

var presets = map[string]preset{
	"head":         {engine.Shape{1280}, 0.2, 256, head},
	"dense":        {engine.Shape{28, 28, 1}, 0, 256, dense},
	"cnn-small":    {engine.Shape{28, 28, 1}, 0, 128, cnnSmall},
	"cnn-deep":     {engine.Shape{128, 128, 3}, 0, 128, cnnDeep},
	"cnn-bn":       {engine.Shape{128, 128, 3}, 0.3, 0, cnnBN},
	"vgg16":        {engine.Shape{224, 224, 3}, 0.5, 4096, vgg16},
	"resnet-small": {engine.Shape{28, 28, 1}, 0, 0, resnetSmall},
	"resnet18":     {engine.Shape{224, 224, 3}, 0, 0, resnet18},
	"resnet50":     {engine.Shape{224, 224, 3}, 0, 0, resnet50},
	"mobilenetv2":  {engine.Shape{224, 224, 3}, 0.2, 0, mobileNetV2},
	"densenet121":  {engine.Shape{224, 224, 3}, 0, 0, denseNet121},
}

// Names are the presets' names, sorted.
func Names() []string { return slices.Sorted(maps.Keys(presets)) }

// New is the preset of that name. An unknown name, or a picture too small for the network, is an error.
//
// Layer names are part of every checkpoint: they do not change.
func New(name string, o Options) (*Net, error) {
	p, ok := presets[name]
	if !ok {
		return nil, fmt.Errorf("no network is called %q: there are %s", name, strings.Join(Names(), ", "))
	}
	if o.Input == nil {
		o.Input = p.input
	}
	if want := len(p.input); len(o.Input) != want && name != "dense" {
		return nil, fmt.Errorf("network %s takes an input like %v, not %v", name, p.input, o.Input)
	}
	if len(o.Heads) == 0 {
		o.Heads = []Head{{Name: "class", Classes: 10}}
	}
	if o.Width == 0 {
		o.Width = 1
	}
	if o.Depth == 0 {
		o.Depth = 1
	}
	if o.Units == 0 {
		o.Units = p.units
	}
	if o.Drop == 0 {
		o.Drop = p.drop
	}
	o.Drop = max(o.Drop, 0)
	if o.Width < 0 || o.Depth < 0 || o.Drop >= 1 || o.Units < 0 && name != "head" {
		return nil, fmt.Errorf("network %s: a width of %g, a depth of %d, %d units and a dropout of %g are not possible",
			name, o.Width, o.Depth, o.Units, o.Drop)
	}
	return Describe(name, o.Input, o.Heads, p.make(o))
}

// head is a classifier on features: one hidden layer.
func head(o Options) func(b *Builder, x *engine.Node) []*engine.Node {
	return func(b *Builder, x *engine.Node) []*engine.Node {
		if o.Units > 0 {
			x = b.Dense("hidden", x, o.Units, Relu)
		}
		return b.AllLogits(b.Drop("drop", x, o.Drop))
	}
}

// dense is the network of the first Fashion-MNIST tutorials: two hidden layers, 256 and 128.
func dense(o Options) func(b *Builder, x *engine.Node) []*engine.Node {
	return func(b *Builder, x *engine.Node) []*engine.Node {
		h := b.Dense("dense1", x, o.Units, Relu)
		h = b.Dense("dense2", h, max(1, o.Units/2), Relu)
		return b.AllLogits(b.Drop("drop", h, o.Drop))
	}
}

// cnnSmall is the simple convolutional network of the first MNIST tutorials: 3×3×32, pooling, dense 128.
func cnnSmall(o Options) func(b *Builder, x *engine.Node) []*engine.Node {
	return func(b *Builder, x *engine.Node) []*engine.Node {
		h := b.Conv("conv", x, Filter{Out: channels(32, o.Width), Size: 3, Pad: 1, Bias: true}, Relu)
		h = b.MaxPool("pool", h, engine.Square(2, 2, 0))
		h = b.Dense("dense", h, o.Units, Relu)
		return b.AllLogits(b.Drop("drop", h, o.Drop))
	}
}

// cnnDeep is four convolutions, each with a pooling, and a dense layer.
func cnnDeep(o Options) func(b *Builder, x *engine.Node) []*engine.Node {
	return func(b *Builder, x *engine.Node) []*engine.Node {
		for i, c := range []int{32, 64, 128, 128} {
			x = b.Conv(fmt.Sprintf("conv%d", i+1), x, Filter{Out: channels(c, o.Width), Size: 3, Pad: 1, Bias: true}, Relu)
			x = b.MaxPool(fmt.Sprintf("pool%d", i+1), x, engine.Square(2, 2, 0))
		}
		h := b.Dense("dense", x, o.Units, Relu)
		return b.AllLogits(b.Drop("drop", h, o.Drop))
	}
}

// cnnBN is four pairs of convolutions with batch norms, and a global average instead of a dense layer.
func cnnBN(o Options) func(b *Builder, x *engine.Node) []*engine.Node {
	return func(b *Builder, x *engine.Node) []*engine.Node {
		for i, c := range []int{32, 64, 128, 256} {
			if i > 0 {
				x = b.MaxPool(fmt.Sprintf("pool%d", i), x, engine.Square(2, 2, 0))
			}
			f := Filter{Out: channels(c, o.Width), Size: 3, Pad: 1}
			x = b.ConvNorm(fmt.Sprintf("conv%da", i+1), x, f, Relu)
			x = b.ConvNorm(fmt.Sprintf("conv%db", i+1), x, f, Relu)
		}
		return b.AllLogits(b.Drop("drop", b.GlobalAvgPool("gap", x), o.Drop))
	}
}

// vgg16 is configuration D of Simonyan and Zisserman 2015: 13 convolutions, two dense layers with dropout. A smaller picture
// makes the first dense layer smaller.
func vgg16(o Options) func(b *Builder, x *engine.Node) []*engine.Node {
	return func(b *Builder, x *engine.Node) []*engine.Node {
		for i, stage := range [][]int{{64, 64}, {128, 128}, {256, 256, 256}, {512, 512, 512}, {512, 512, 512}} {
			for k, c := range stage {
				f := Filter{Out: channels(c, o.Width), Size: 3, Pad: 1, Bias: true}
				x = b.Conv(fmt.Sprintf("conv%d_%d", i+1, k+1), x, f, Relu)
			}
			x = b.MaxPool(fmt.Sprintf("pool%d", i+1), x, engine.Square(2, 2, 0))
		}
		x = b.Drop("drop1", b.Dense("fc1", x, o.Units, Relu), o.Drop)
		x = b.Drop("drop2", b.Dense("fc2", x, o.Units, Relu), o.Drop)
		return b.AllLogits(x)
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
