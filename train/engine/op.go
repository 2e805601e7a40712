package engine

import (
	"errors"
	"fmt"
	"hash"
	"hash/fnv"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Kind names what an operator computes. The comment beside each gives its inputs in their order and its results: the main
// one first, further ones (read through Pick) after a semicolon.
type Kind string

// Layers and their gradients. x is a layer's input, y its output, dx, dy, dw the gradients of the loss by x, y, w.
// N is the batch, K the number of classes or output channels, C of input channels.
const (
	Conv2D   Kind = "conv2d"    // x[N H W C], w[K KH KW C/groups], optional b[K] → y[N OH OW K]; attribute Conv
	Conv2DDX Kind = "conv2d_dx" // dy, w → dx; Conv
	Conv2DDW Kind = "conv2d_dw" // x, dy → dw; db (with bias); Conv

	Dense   Kind = "dense"    // x[N C], w[K C], optional b[K] → y[N K]; attribute Lin
	DenseDX Kind = "dense_dx" // dy, w → dx; Lin
	DenseDW Kind = "dense_dw" // x, dy → dw; db (with bias); Lin

	// Batch norm, Ioffe and Szegedy 2015: y = γ(x-μ)/sqrt(σ²+ε)+β per channel, the last axis of x.
	BatchNorm   Kind = "batchnorm"    // x, γ[C], β[C] → y; μ[C], σ²[C] (biased, of this batch); attribute Norm
	BatchNormDX Kind = "batchnorm_dx" // x, γ, μ, σ², dy, and y if Norm.Act → dx; dγ, dβ; Norm
	NormInfer   Kind = "norm_infer"   // x, γ, β, running μ, running σ² → y; Norm
	NormInferDX Kind = "norm_infer_dx"
	// dy, γ, running σ² → dx; Norm
	NormInferDP Kind = "norm_infer_dp" // x, dy, running μ, running σ² → dγ; dβ; Norm

	Relu     Kind = "relu"      // x → max(x, 0)
	ReluDX   Kind = "relu_dx"   // y, dy → dx: dy where y > 0
	Relu6    Kind = "relu6"     // x → min(max(x, 0), 6)
	Relu6DX  Kind = "relu6_dx"  // y, dy → dx: dy where 0 < y < 6
	HSwish   Kind = "hswish"    // x → x·relu6(x+3)/6 (Howard et al. 2019)
	HSwishDX Kind = "hswish_dx" // x, dy → dx: 0 for x ≤ -3, dy for x ≥ 3, dy·(2x+3)/6 between

	MaxPool         Kind = "maxpool"    // x → y; attribute Pooling. Padding never wins.
	MaxPoolDX       Kind = "maxpool_dx" // x, y, dy → dx: the sum of what each window gives to its first greatest, row by row; Pooling
	AvgPool         Kind = "avgpool"    // x → y; Pooling. Padding is not counted, as in TFLite.
	AvgPoolDX       Kind = "avgpool_dx" // dy → dx; Pooling
	GlobalAvgPool   Kind = "gap"        // x[N H W C] → y[N C]
	GlobalAvgPoolDX Kind = "gap_dx"     // dy[N C] → dx[N H W C]

	Add     Kind = "add"     // a, b of one shape → a+b; attribute Sum
	Concat  Kind = "concat"  // a, b, … → joined along the last axis
	Slice   Kind = "slice"   // x → a part of the last axis; attribute Part. It is Concat's gradient.
	Reshape Kind = "reshape" // x → the same elements, another shape; a view, no step at run time
	Scale   Kind = "scale"   // x → x·Factor; attribute Factor
	Dropout Kind = "dropout" // x, step → y; attribute Drop. Its gradient is itself, on dy.

	Softmax Kind = "softmax" // z[N K] → p[N K]
	Sigmoid Kind = "sigmoid" // z → 1/(1+exp(-z))

	// Losses. z[N K] are logits, y[N K] the wanted shares of each class (a row sums to 1, or independent for BCE).
	SoftmaxLoss   Kind = "softmax_loss"    // z, y → loss, a scalar; p[N K]; attribute Loss
	SoftmaxLossDZ Kind = "softmax_loss_dz" // p, y, dloss → dz; Loss
	BCELoss       Kind = "bce_loss"        // z, y → loss; p[N K]; Loss
	BCELossDZ     Kind = "bce_loss_dz"     // p, y, dloss → dz; Loss
	L2            Kind = "l2"              // w, optional w0 → Factor/2·Σ(w-w0)², a scalar; attribute Factor
	L2DW          Kind = "l2_dw"           // dloss, w, optional w0 → Factor·(w-w0)·dloss; Factor

	// Fake quantisation (Jacob et al. 2018): the value after a trip through int8; gradients pass straight through. All
	// rounding is to the nearest integer, halves to the even one. Activations have a range [lo hi] that is widened to hold 0,
	// 0 to 1 if it then has no width; with top = 2^bits-1, scale = (hi-lo)/top and zero = round(-lo/scale), so that 0 has an
	// integer of its own,
	//	y = (min(max(round(x/scale) + zero, 0), top) - zero)·scale
	// and a gradient passes where -zero·scale ≤ x ≤ (top-zero)·scale. Weights are symmetric, per output channel: scale =
	// max|w|/(2^(bits-1)-1) and w' = round(w/scale)·scale; a channel of zeros stays.
	FakeQuant   Kind = "fake_quant"    // x, range[2] → y; attribute Quant
	FakeQuantDX Kind = "fake_quant_dx" // x, range[2], dy → dx; Quant
	FakeQuantW  Kind = "fake_quant_w"  // w[K …] → w'; Quant
	Range       Kind = "range"         // x → [min max], a pair

	// Pick is result number Index of the operator that made its input; lowering resolves it, so that no step remains.
	Pick Kind = "pick"

	// The update phase. A result that has a variable (Value.Var) replaces the variable's value. g is scaled by clip before the
	// decay is added; lr is the input times UpdateRule.Rate, also where AdamW's decay uses it.
	GradNorm Kind = "grad_norm" // g1, g2, … → min(1, max/‖g‖), a scalar; ‖g‖; attribute Factor, the max; 0: never less than 1
	SGD      Kind = "sgd"       // w, g, velocity, lr, optional clip → w; velocity; attribute UpdateRule
	Adam     Kind = "adam"      // w, g, m, v, lr, 1/(1-β1^t), 1/(1-β2^t), optional clip → w; m; v; attribute UpdateRule
	Lerp     Kind = "lerp"      // a, b, optional scalar r → a+r·(Factor·b-a), r being Blend.Rate if absent; attribute Blend
)

// Act is an activation that a fused operator applies to its result.
type Act int

// The activations. Those of a fused gradient are masked by the operator's own result y.
const (
	NoAct Act = iota
	ActRelu
	ActRelu6
)

// The operators' attributes.
type (
	// Conv is a convolution. Groups 0 means 1; as many groups as channels is a depthwise convolution.
	Conv struct {
		Window
		Groups int
		Bias   bool
		Act    Act // set by Fuse
	}
	// Lin is a dense layer.
	Lin struct {
		Bias bool
		Act  Act // set by Fuse
	}
	// Norm is a batch norm; Eps is added to the variance.
	Norm struct {
		Eps float64
		Act Act // set by Fuse
	}
	// Pooling is a max or average pooling.
	Pooling struct{ Window }
	// Sum is an addition.
	Sum struct{ Act Act } // set by Fuse
	// Part is [From, To) of the last axis.
	Part struct{ From, To int }
	// Factor is a constant of the operator.
	Factor struct{ Value float64 }
	// Drop leaves out a share Rate of the elements, in [0, 1), and scales the others by 1/(1-Rate). Element i, row-major, is left
	// out when Hash(i, Seed, step) < float32(Rate), so that the gradient needs no stored mask.
	Drop struct {
		Rate float64
		Seed uint32
	}
	// Loss is the mean over the batch of Σ_k w_k·y'_k·f(p_k), with y' = (1-Smoothing)·y + Smoothing/K. For softmax f(p) =
	// -(1-p)^Gamma·log p (focal loss, Lin et al. 2017; cross-entropy for Gamma 0), for BCE the mean over K as well of
	// -w_k·(y'·log p + (1-y')·log(1-p)). Logarithms are worked out of z, finite also where p is rounded to 0 or 1; where p is
	// exactly 0 or 1 in a gradient, p·log p is 0. The weights are not divided out: a class of weight 2 counts twice.
	Loss struct {
		Weights   []float32 // one per class; nil: all 1
		Smoothing float64   // share of the label spread over all classes, in [0, 1)
		Gamma     float64   // of the focal loss, ≥ 0; softmax only
	}
	// Quant is a fake quantisation to Bits bits, 8 for int8.
	Quant struct{ Bits int }
	// UpdateRule is an optimiser's step for one parameter; see Optimiser.
	UpdateRule struct {
		Rate      float64 // multiplies the learning rate
		Decay     float64
		Decoupled bool // AdamW: w -= lr·Decay·w beside the step, not through the gradient
		Momentum  float64
		Nesterov  bool
		Beta1     float64
		Beta2     float64
		Eps       float64
	}
	// Blend is a Lerp's share Rate and factor on b.
	Blend struct{ Rate, Factor float64 }
)

// Op is an operator of gorgonia's graph: what, with which attributes, on which shapes. It implements gorgonia.SDOp.
type Op struct {
	Kind  Kind
	Layer string  // the layer that it belongs to, for messages
	Attr  any     // a value of one of the attribute types; nil for none
	In    []Shape // inputs
	Out   []Shape // results, the main one first
	Of    *Op     // the operator whose gradient this is; nil otherwise
	Index int     // of a Pick: which result

	id   int
	g    *Graph
	wrt  []bool // which inputs have gradients
	diff func(in G.Nodes, out, grad *G.Node) G.Nodes
	last [][]float32 // results of the last Do, for Pick
}

var _ G.SDOp = (*Op)(nil)

func typeOf(s Shape) hm.Type {
	if len(s) == 0 {
		return hm.TypeVariable('a')
	}
	return G.TensorType{Dims: len(s), Of: hm.TypeVariable('a')}
}

// ID is the operator's number in its graph; a copy that Fuse made has the same, so that Of.ID finds the step.
func (o *Op) ID() int { return o.id }

// Arity, Type and the others below are gorgonia's.
func (o *Op) Arity() int { return len(o.In) }

// Type is a function of arrays of one element type.
func (o *Op) Type() hm.Type {
	var ts []hm.Type
	for _, s := range o.In {
		ts = append(ts, typeOf(s))
	}
	return hm.NewFnType(append(ts, typeOf(o.Out[0]))...)
}

// InferShape is the main result's shape, which was worked out when the layer was applied.
func (o *Op) InferShape(...G.DimSizer) (tensor.Shape, error) {
	if len(o.Out[0]) == 0 {
		return tensor.ScalarShape(), nil
	}
	return tensor.Shape(o.Out[0]).Clone(), nil
}

// ReturnsPtr tells gorgonia that results may be edited in place; not so.
func (o *Op) ReturnsPtr() bool { return false }

// CallsExtern is false: gorgonia never runs these operators but through Do.
func (o *Op) CallsExtern() bool { return false }

// OverwritesInput is never, as gorgonia sees it; Layout decides for itself.
func (o *Op) OverwritesInput() int { return -1 }

// WriteHash is unique to each operator: gorgonia merges nodes with one hash, and layers must stay apart.
func (o *Op) WriteHash(h hash.Hash) { fmt.Fprintf(h, "%s#%d", o.Kind, o.id) }

// Hashcode is that of WriteHash.
func (o *Op) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

func (o *Op) String() string { return fmt.Sprintf("%s %s", o.Kind, o.Layer) }

// DiffWRT tells by which inputs the operator has gradients.
func (o *Op) DiffWRT(int) []bool {
	if o.wrt == nil {
		return make([]bool, len(o.In))
	}
	return o.wrt
}

// SymDiff emits the operators that compute the gradients.
func (o *Op) SymDiff(in G.Nodes, out, grad *G.Node) (G.Nodes, error) {
	if o.diff == nil {
		return nil, fmt.Errorf("layer %s: %s has no gradient", o.Layer, o.Kind)
	}
	return o.diff(in, out, grad), nil
}

// Do computes the operator for gorgonia's own machines, with the kernels given to Graph.SetKernels; float32 only. The
// Program of a backend never comes here.
func (o *Op) Do(vs ...G.Value) (G.Value, error) {
	if o.Kind == Pick {
		return o.value(o.Of.last[o.Index])
	}
	if o.g.kernels == nil {
		return nil, errors.New("gorgonia's machines need Graph.SetKernels")
	}
	in := make([][]float32, len(vs))
	for i, v := range vs {
		switch d := v.Data().(type) {
		case []float32:
			in[i] = d
		case float32:
			in[i] = []float32{d}
		default:
			return nil, fmt.Errorf("layer %s: %s got %T", o.Layer, o.Kind, d)
		}
	}
	out := make([][]float32, len(o.Out))
	for i, s := range o.Out {
		out[i] = make([]float32, s.Size())
	}
	if err := o.g.kernels(o, in, out); err != nil {
		return nil, err
	}
	o.last = out
	return o.value(out[0])
}

func (o *Op) value(d []float32) (G.Value, error) {
	if len(o.Out[0]) == 0 {
		return G.NewF32(d[0]), nil
	}
	return tensor.New(tensor.WithShape(o.Out[0]...), tensor.WithBacking(d)), nil
}
