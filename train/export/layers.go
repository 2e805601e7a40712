package export

import (
	"gleaner/model/flat"
	"gleaner/train/engine"
)

// conv writes CONV_2D, or DEPTHWISE_CONV_2D where each channel is a group. The runtime of 2.9 knows no other groups: they are cut
// apart, convolved and joined.
func (e *emitter) conv(l *layer) error {
	x := l.in[0]
	s := pictureShape(x.shape)
	out := pictureShape(l.out.shape)
	padding, pad := fit(l.window, s[1], s[2], out[1], out[2])
	in := e.picture(x)
	if pad != (margins{}) {
		in = e.padded(x, pad, false)
	}
	w := l.window
	k, cg := l.ws[0], l.ws[3]
	switch {
	case l.groups <= 1:
		f, err := e.filter(l, 0, k)
		if err != nil {
			return err
		}
		e.op(flat.OpConv2D, 3, []int{in, f[0], f[1]}, e.result(l, e.own(l.out), true),
			flat.Dilated(flat.Conv2DOptions(padding, w.SW, w.SH, act(l.act)), w.DH, w.DW))
	case l.groups == s[3]:
		f, err := e.filter(l, 0, k)
		if err != nil {
			return err
		}
		version := e.version(3)
		if w.DH > 1 || w.DW > 1 {
			version = max(version, 2)
		}
		e.m.AddOp(flat.OpDepthwiseConv2D, version, []int{in, f[0], f[1]}, []int{e.result(l, e.own(l.out), true).tensor},
			flat.Dilated(flat.DepthwiseConv2DOptions(padding, w.SW, w.SH, k/l.groups, act(l.act)), w.DH, w.DW))
	default:
		return e.grouped(l, in, padding, k/l.groups, cg)
	}
	return nil
}

// grouped writes a convolution of groups with kg channels out of cg each.
func (e *emitter) grouped(l *layer, in, padding, kg, cg int) error {
	w, q := l.window, e.own(l.in[0])
	t := e.m.Graphs[0].Tensors[in].Shape
	out := pictureShape(l.out.shape)
	var parts []int
	for g := range l.groups {
		x := e.tensor(l.name+"/part", q, t[0], t[1], t[2], cg)
		begin, size := e.constant(l.name+"/begin", 0, 0, 0, g*cg), e.constant(l.name+"/size", t[0], t[1], t[2], cg)
		e.m.AddOp(flat.OpSlice, e.version(2), []int{in, begin, size}, []int{x}, flat.Options{})
		f, err := e.filter(l, g*kg, (g+1)*kg)
		if err != nil {
			return err
		}
		y := e.tensor(l.name+"/group", e.own(l.out), out[0], out[1], out[2], kg)
		e.m.AddOp(flat.OpConv2D, e.version(3), []int{x, f[0], f[1]}, []int{y},
			flat.Dilated(flat.Conv2DOptions(padding, w.SW, w.SH, act(l.act)), w.DH, w.DW))
		parts = append(parts, y)
	}
	e.op(flat.OpConcatenation, 2, parts, e.result(l, e.own(l.out), true), flat.ConcatenationOptions(3))
	return nil
}

// dense writes FULLY_CONNECTED; in int8 a CONV_2D of 1×1, since the runtime of 2.9 takes one scale per output from convolutions
// only, and ones for the whole matrix would not be what fake quantisation trained.
func (e *emitter) dense(l *layer) error {
	f, err := e.filter(l, 0, l.ws[0])
	if err != nil {
		return err
	}
	if e.int8() {
		e.op(flat.OpConv2D, 3, []int{e.picture(l.in[0]), f[0], f[1]}, e.result(l, e.own(l.out), true),
			flat.Conv2DOptions(flat.PadValid, 1, 1, act(l.act)))
		return nil
	}
	e.op(flat.OpFullyConnected, 1, []int{e.flat(l.in[0]), f[0], f[1]}, e.result(l, params{}, false), flat.FullyConnectedOptions(act(l.act)))
	return nil
}

// pool writes a max or average pooling, which in int8 keeps the scale of what goes in. Padding that is TensorFlow's SAME is not
// counted in an average; other padding is, so that a map of factors has to set it right.
func (e *emitter) pool(l *layer) {
	x := l.in[0]
	s, out, w := x.shape, l.out.shape, l.window
	padding, pad := fit(w, s[1], s[2], out[1], out[2])
	o := flat.Pool2DOptions(padding, w.SW, w.SH, w.KW, w.KH, flat.ActNone)
	in := e.flat(x)
	if l.kind == engine.MaxPool {
		if pad != (margins{}) {
			in = e.padded(x, pad, !x.positive)
		}
		e.op(flat.OpMaxPool2D, 2, []int{in}, e.result(l, e.own(x), false), o)
		return
	}
	if pad == (margins{}) {
		e.op(flat.OpAveragePool2D, 2, []int{in}, e.result(l, e.own(x), false), o)
		return
	}
	y := e.tensor(l.name+"/counted", e.own(x), out...)
	e.m.AddOp(flat.OpAveragePool2D, e.version(2), []int{e.padded(x, pad, false)}, []int{y}, o)
	factors := counts(w, s[1], s[2], out[1], out[2])
	for i, n := range factors {
		factors[i] = float32(w.KH*w.KW) / n
	}
	e.op(flat.OpMul, 2, []int{y, e.factors(l.name+"/uncounted", factors, 1, out[1], out[2], 1)}, e.result(l, e.own(l.out), false),
		flat.MulOptions(flat.ActNone))
}

// greatestMean is how many times the scale of a map may be that of its mean in XNNPACK, exclusive
// (xnn_create_global_average_pooling_nwc_qs8 in its src/operators/global-average-pooling-nwc.c).
const greatestMean = 1 << 8

// mean writes MEAN over height and width. A mean that is far smaller than the map's peaks is first rounded a little coarser.
func (e *emitter) mean(l *layer) {
	in, own := e.own(l.in[0]), e.own(l.out)
	q := own
	if e.int8() && in.scale >= greatestMean*own.scale {
		q.scale = in.scale / (greatestMean / 2)
	}
	axes := e.constant(l.name+"/axes", 1, 2)
	e.op(flat.OpMean, 2, []int{e.flat(l.in[0]), axes}, e.result(l, q, true), flat.ReducerOptions(true))
}

// XNNPACK adds int8 arrays whose scales are these many times that of the sum, and no others
// (xnn_create_add_nd_qs8 in its src/operators/binary-elementwise-nd.c).
const (
	leastAddend    = 1. / (1 << 10)
	greatestAddend = 1 << 8
)

// sum writes ADD. An addend that is very small beside the sum is brought to the least scale that can be added: its steps stay
// far below the sum's.
func (e *emitter) sum(l *layer) error {
	var in []int
	q := e.own(l.out)
	for _, a := range l.in {
		own := e.own(a)
		ratio := own.scale / q.scale
		switch {
		case !e.int8() || ratio >= leastAddend && ratio < greatestAddend:
			in = append(in, e.flat(a))
		case ratio < leastAddend:
			in = append(in, e.in(a, params{q.scale * leastAddend * 2, 0}))
		default:
			return layerError(l.name, "the sum is %.0f times smaller than what is added: calibrate on more pictures", ratio)
		}
	}
	e.op(flat.OpAdd, 2, in, e.result(l, q, false), flat.AddOptions(act(l.act)))
	return nil
}

// concat writes CONCATENATION along the last axis. In int8 all that is joined has one quantisation.
func (e *emitter) concat(l *layer) {
	q := e.own(l.out)
	var in []int
	for _, a := range l.in {
		in = append(in, e.in(a, q))
	}
	e.op(flat.OpConcatenation, 2, in, e.result(l, q, false), flat.ConcatenationOptions(len(l.out.shape)-1))
}

// gate writes SOFTMAX or LOGISTIC, in float32 or with the quantisation that TensorFlow Lite demands in int8.
func (e *emitter) gate(l *layer, code int, o flat.Options) {
	if !e.int8() || !l.out.real {
		e.op(code, 2, []int{e.flat(l.in[0])}, e.result(l, map[bool]params{true: unit}[e.int8()], false), o)
		return
	}
	y := e.m.AddTensor(l.name, flat.Float32, l.out.shape...)
	e.m.AddOp(code, 1, []int{e.float(l.in[0])}, []int{y}, o)
	e.forms[form{of: l.out, real: true}] = y
}
