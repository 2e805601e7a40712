package net

import (
	"fmt"

	"gleaner/train/engine"
)

// resnetSmall is a residual network for pictures of 28 to 64 pixels, after the nine-layer one of Page (DAWNBench 2018): each
// stage halves the picture, doubles the channels, and adds Depth residual blocks, the last stage none. The first stage halves behind
// its convolution, which sees the weave of small pictures; the others before it, where work costs less. Width 1 is half of that
// network.
func resnetSmall(o Options) func(b *Builder, x *engine.Node) []*engine.Node {
	return func(b *Builder, x *engine.Node) []*engine.Node {
		x = b.Conv("stem", x, Filter{Out: channels(32, o.Width), Size: 3, Pad: 1}, None)
		x = b.Norm("stem/norm", x, Relu)
		for i, c := range []int{64, 128, 256} {
			stage := fmt.Sprintf("stage%d", i+1)
			f := Filter{Out: channels(c, o.Width), Size: 3, Pad: 1}
			half := engine.Square(2, 2, 0)
			if i == 0 {
				x = b.MaxPool(stage+"/pool", b.Conv(stage+"/conv", x, f, None), half)
				x = b.Norm(stage+"/norm", x, Relu)
			} else {
				x = b.ConvNorm(stage+"/conv", b.MaxPool(stage+"/pool", x, half), f, Relu)
			}
			if c == 256 {
				break
			}
			for k := range o.Depth {
				block := fmt.Sprintf("%s/block%d", stage, k+1)
				y := b.ConvNorm(block+"/conv1", x, f, Relu)
				y = b.ConvNorm(block+"/conv2", y, f, None)
				x = b.Join(block+"/add", x, y, Relu)
			}
		}
		return b.AllLogits(b.Drop("drop", b.GlobalAvgPool("gap", x), o.Drop))
	}
}

// resnet18 is the 18-layer network of He et al. 2016.
func resnet18(o Options) func(b *Builder, x *engine.Node) []*engine.Node {
	return resnet(o, []int{2, 2, 2, 2}, basicBlock)
}

// resnet50 is the 50-layer network of He et al. 2016, version 1.5: the 3×3 convolution has a stage's stride.
func resnet50(o Options) func(b *Builder, x *engine.Node) []*engine.Node {
	return resnet(o, []int{3, 4, 6, 3}, bottleneck)
}

// block is one residual block of c channels inside.
type block func(b *Builder, layer string, x *engine.Node, c, stride int) *engine.Node

func resnet(o Options, depths []int, add block) func(b *Builder, x *engine.Node) []*engine.Node {
	return func(b *Builder, x *engine.Node) []*engine.Node {
		x = b.ConvNorm("stem", x, Filter{Out: channels(64, o.Width), Size: 7, Stride: 2, Pad: 3}, Relu)
		x = b.MaxPool("pool", x, engine.Square(3, 2, 1))
		for i, depth := range depths {
			for k := range depth {
				stride := 1
				if i > 0 && k == 0 {
					stride = 2
				}
				x = add(b, fmt.Sprintf("stage%d/block%d", i+1, k+1), x, channels(64<<i, o.Width), stride)
			}
		}
		return b.AllLogits(b.Drop("drop", b.GlobalAvgPool("gap", x), o.Drop))
	}
}

func basicBlock(b *Builder, layer string, x *engine.Node, c, stride int) *engine.Node {
	y := b.ConvNorm(layer+"/conv1", x, Filter{Out: c, Size: 3, Stride: stride, Pad: 1}, Relu)
	y = b.ConvNorm(layer+"/conv2", y, Filter{Out: c, Size: 3, Pad: 1}, None)
	return b.Join(layer+"/add", shortcut(b, layer, x, c, stride), y, Relu)
}

func bottleneck(b *Builder, layer string, x *engine.Node, c, stride int) *engine.Node {
	y := b.ConvNorm(layer+"/conv1", x, Filter{Out: c, Size: 1}, Relu)
	y = b.ConvNorm(layer+"/conv2", y, Filter{Out: c, Size: 3, Stride: stride, Pad: 1}, Relu)
	y = b.ConvNorm(layer+"/conv3", y, Filter{Out: 4 * c, Size: 1}, None)
	return b.Join(layer+"/add", shortcut(b, layer, x, 4*c, stride), y, Relu)
}

// shortcut is x itself where the block keeps its shape, and a 1×1 convolution of it otherwise.
func shortcut(b *Builder, layer string, x *engine.Node, c, stride int) *engine.Node {
	if stride == 1 && engine.ShapeOf(x)[3] == c {
		return x
	}
	return b.ConvNorm(layer+"/shortcut", x, Filter{Out: c, Size: 1, Stride: stride}, None)
}

// mobileNetV2 is the network of Sandler et al. 2018, laid out and padded as Keras does; the last convolution keeps its 1280
// channels below width 1.
func mobileNetV2(o Options) func(b *Builder, x *engine.Node) []*engine.Node {
	stages := []struct{ expand, out, depth, stride int }{
		{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
	}
	return func(b *Builder, x *engine.Node) []*engine.Node {
		x = b.ConvNorm("stem", x, Filter{Out: channels(32, o.Width), Size: 3, Stride: 2, Pad: -1}, Relu6)
		n := 0
		for _, s := range stages {
			for k := range s.depth {
				stride := s.stride
				if k > 0 {
					stride = 1
				}
				x = inverted(b, fmt.Sprintf("block%d", n), x, s.expand, channels(s.out, o.Width), stride)
				n++
			}
		}
		x = b.ConvNorm("last", x, Filter{Out: channels(1280, max(1, o.Width)), Size: 1}, Relu6)
		return b.AllLogits(b.Drop("drop", b.GlobalAvgPool("gap", x), o.Drop))
	}
}

// inverted is a residual block whose middle is wide: expansion, depthwise convolution, projection.
func inverted(b *Builder, layer string, x *engine.Node, expand, out, stride int) *engine.Node {
	c := engine.ShapeOf(x)[3]
	y := x
	if expand != 1 {
		y = b.ConvNorm(layer+"/expand", y, Filter{Out: expand * c, Size: 1}, Relu6)
	}
	y = b.ConvNorm(layer+"/depthwise", y, Filter{Out: expand * c, Size: 3, Stride: stride, Pad: -1, Groups: -1}, Relu6)
	y = b.ConvNorm(layer+"/project", y, Filter{Out: out, Size: 1}, None)
	if stride != 1 || c != out {
		return y
	}
	return b.Join(layer+"/add", x, y, None)
}

// denseNet121 is the network of Huang et al. 2017 with growth 32: the norm comes before the convolution. Width multiplies the
// growth.
func denseNet121(o Options) func(b *Builder, x *engine.Node) []*engine.Node {
	growth := channels(32, o.Width)
	return func(b *Builder, x *engine.Node) []*engine.Node {
		x = b.ConvNorm("stem", x, Filter{Out: 2 * growth, Size: 7, Stride: 2, Pad: 3}, Relu)
		x = b.MaxPool("pool", x, engine.Square(3, 2, 1))
		for i, depth := range []int{6, 12, 24, 16} {
			if i > 0 {
				layer := fmt.Sprintf("transition%d", i)
				x = b.Norm(layer+"/norm", x, Relu)
				x = b.Conv(layer+"/conv", x, Filter{Out: engine.ShapeOf(x)[3] / 2, Size: 1}, None)
				x = b.AvgPool(layer+"/pool", x, engine.Square(2, 2, 0))
			}
			for k := range depth {
				layer := fmt.Sprintf("stage%d/layer%d", i+1, k+1)
				y := b.Norm(layer+"/norm", x, Relu)
				y = b.ConvNorm(layer+"/conv1", y, Filter{Out: 4 * growth, Size: 1}, Relu)
				y = b.Conv(layer+"/conv2", y, Filter{Out: growth, Size: 3, Pad: 1}, None)
				x = b.Concat(layer+"/concat", x, y)
			}
		}
		x = b.Norm("norm", x, Relu)
		return b.AllLogits(b.Drop("drop", b.GlobalAvgPool("gap", x), o.Drop))
	}
}
