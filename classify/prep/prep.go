// Package prep is the one definition of how pixels become a network's input tensor: resize, colour order, scaling and
// quantisation in one pass, straight into the tensor's memory. Detectors, the classifier and the trainer all use it, so
// that a model meets in service exactly what it met in training. It is versioned by name and pinned by golden files. It
// runs no network and chooses no crop.
//
// The definition is the Go code of linear.go. Where cgo is there, the same integers are computed by linear.c, which the
// tests hold to the same bytes.
package prep

import (
	"fmt"
	"math"

	"gleaner/capture"
	"gleaner/model"
	"gleaner/model/bundle"
)

// Linear names this definition: bilinear resize with half-pixel centres and 11-bit weights, each channel rounded to 0
// to 255, as OpenCV's INTER_LINEAR does (modules/imgproc/src/resize.cpp); grey is BT.601 luma of the resized colours.
const Linear = "linear/1"

// Native reports whether the C kernel is built in.
const Native = native

// MaxSide bounds a tensor's width and height, in pixels.
const MaxSide = 8192

// Geometry says where the pixels of a filled tensor lie in the picture they came from: the tensor's point (x, y), in
// tensor pixels with whole numbers on pixel corners, is the picture's point (x*ScaleX+OffX, y*ScaleY+OffY).
type Geometry struct {
	ScaleX, ScaleY float32 // picture pixels per tensor pixel
	OffX, OffY     float32 // picture pixels
	W, H           float32 // the tensor's size in pixels
}

// ToImage maps a point in tensor pixels (0 to W, 0 to H) to pixels of the picture. Points in the bars of a letterbox
// fall outside the picture.
func (g Geometry) ToImage(x, y float32) (ix, iy float32) {
	return x*g.ScaleX + g.OffX, y*g.ScaleY + g.OffY
}

// UnitToImage maps a point in parts of the tensor (0 to 1 each way) to pixels of the picture.
func (g Geometry) UnitToImage(x, y float32) (ix, iy float32) { return g.ToImage(x*g.W, y*g.H) }

// fit is how a picture of another shape comes in.
type fit uint8

const (
	stretch fit = iota
	letterbox
	crop
)

// mode is how an 8-bit channel value becomes a tensor element.
type mode int32

const (
	toFloat mode = iota // (v-mean)/std as float32
	toAdd               // v+k modulo 256, which the usual 8-bit tensors come down to
	toTable             // table[channel][v]
)

// Prep fills the input tensor of one kind of model. One goroutine uses it at a time: it holds scratch memory.
type Prep struct {
	w, h, c int
	fit     fit
	swap    bool // the tensor wants R first
	elem    int  // bytes per element
	mode    mode

	black [3 * 4]byte     // one pixel of value 0, as tensor bytes
	table [3][256]byte    // for toAdd and toTable
	tabF  [3][256]float32 // for toFloat
	mean  []float32       // w*c, so that a row is one loop for the C kernel
	std   []float32

	// The weights of the last picture's size; recomputed when that changes.
	key   [4]int // source w, h; inner w, h
	xofs  []int32
	alpha []int16
	yofs  []int32
	beta  []int16

	rows [2][]int16 // horizontally interpolated rows, 3*w each
	line []byte     // one finished row of 8-bit channels, 3*w
}

// New makes a Prep for a tensor that a manifest's Input describes. The tensor must be float32, int8 or uint8 of shape
// [1, Height, Width, 3], or [1, Height, Width, 1] for "gray". An 8-bit tensor that states no scale takes the real
// numbers themselves. Errors say which of the two, manifest or model, says what.
func New(spec bundle.Input, in model.Tensor) (*Prep, error) {
	p := &Prep{}
	if err := p.shape(spec, in); err != nil {
		return nil, fmt.Errorf("prep input %q: %w", in.Name, err)
	}
	if err := p.values(spec, in); err != nil {
		return nil, fmt.Errorf("prep input %q: %w", in.Name, err)
	}
	p.xofs, p.alpha = make([]int32, p.w), make([]int16, 2*p.w)
	p.yofs, p.beta = make([]int32, 2*p.h), make([]int16, 2*p.h)
	p.rows = [2][]int16{make([]int16, 3*p.w), make([]int16, 3*p.w)}
	p.line = make([]byte, 3*p.w)
	return p, nil
}

func (p *Prep) shape(spec bundle.Input, in model.Tensor) error {
	if spec.Prep != Linear {
		return fmt.Errorf("the manifest asks for prep %q; this program has %q", spec.Prep, Linear)
	}
	s := in.Shape
	if len(s) != 4 || s[0] != 1 || (s[3] != 1 && s[3] != 3) {
		return fmt.Errorf("the model's input has shape %v, not [1 height width 3] or [1 height width 1]", s)
	}
	if s[1] < 1 || s[2] < 1 || s[1] > MaxSide || s[2] > MaxSide {
		return fmt.Errorf("the model's input is %d×%d pixels, not 1 to %d", s[2], s[1], MaxSide)
	}
	p.h, p.w, p.c = s[1], s[2], s[3]
	if spec.Width != p.w || spec.Height != p.h {
		return fmt.Errorf("the manifest says %d×%d pixels, the model's input is %d×%d", spec.Width, spec.Height, p.w, p.h)
	}
	channels := 3
	switch spec.Colour {
	case "rgb":
		p.swap = true
	case "bgr":
	case "gray":
		channels = 1
	default:
		return fmt.Errorf("colour %q is none of rgb, bgr, gray", spec.Colour)
	}
	if channels != p.c {
		return fmt.Errorf("colour %q has %d channels, the model's input %d", spec.Colour, channels, p.c)
	}
	switch spec.Fit {
	case "stretch":
		p.fit = stretch
	case "letterbox":
		p.fit = letterbox
	case "crop":
		p.fit = crop
	default:
		return fmt.Errorf("fit %q is none of stretch, letterbox, crop", spec.Fit)
	}
	return nil
}

func (p *Prep) values(spec bundle.Input, in model.Tensor) error {
	for _, f := range []struct {
		name string
		v    []float32
	}{{"mean", spec.Mean}, {"std", spec.Std}} {
		if len(f.v) != 1 && len(f.v) != p.c {
			return fmt.Errorf("%s has %d numbers for %d channels", f.name, len(f.v), p.c)
		}
		for _, x := range f.v {
			if f64 := float64(x); math.IsNaN(f64) || math.IsInf(f64, 0) || (f.name == "std" && x == 0) {
				return fmt.Errorf("%s %v is no usable number", f.name, x)
			}
		}
	}
	switch in.Type {
	case model.Float32:
		p.elem, p.mode = 4, toFloat
	case model.Int8, model.UInt8:
		p.elem, p.mode = 1, toTable
	default:
		return fmt.Errorf("the model's input is neither float32 nor int8 nor uint8")
	}
	if n := p.Size(); len(in.Data) != 0 && len(in.Data) != n {
		return fmt.Errorf("the model's input holds %d bytes, its shape says %d", len(in.Data), n)
	}
	if s := float64(in.Scale); p.elem == 1 && (s < 0 || math.IsNaN(s) || math.IsInf(s, 0)) {
		return fmt.Errorf("the model's input has scale %v", in.Scale)
	}
	p.mean, p.std = make([]float32, p.w*p.c), make([]float32, p.w*p.c)
	for i := range p.mean {
		p.mean[i], p.std[i] = spec.Mean[i%p.c%len(spec.Mean)], spec.Std[i%p.c%len(spec.Std)]
	}
	p.tables(in)
	return nil
}

// tables works out every element that a channel value can become.
func (p *Prep) tables(in model.Tensor) {
	lo, hi := -128.0, 127.0
	if in.Type == model.UInt8 {
		lo, hi = 0, 255
	}
	scale := float64(in.Scale)
	if scale == 0 {
		scale = 1
	}
	for c := range p.c {
		for v := range 256 {
			x := (float32(v) - p.mean[c]) / p.std[c]
			p.tabF[c][v] = x
			q := math.Round(float64(x)/scale) + float64(in.Zero)
			p.table[c][v] = byte(int(min(max(q, lo), hi)))
		}
		if p.elem == 4 {
			b := math.Float32bits(p.tabF[c][0])
			putFloatBits(p.black[4*c:], b)
		} else {
			p.black[c] = p.table[c][0]
		}
	}
	if p.mode == toTable && p.adds() {
		p.mode = toAdd
	}
}

// adds reports whether every table is v+k for one k.
func (p *Prep) adds() bool {
	for c := range p.c {
		for v := range 256 {
			if p.table[c][v] != byte(v)+p.table[0][0] {
				return false
			}
		}
	}
	return true
}

// Size is the tensor's size in bytes: what Fill writes.
func (p *Prep) Size() int { return p.w * p.h * p.c * p.elem }

// Fill writes im into dst, the tensor's memory, which must hold Size bytes (it panics otherwise), and says where the
// tensor's pixels lie in im. An empty picture comes in as black. It allocates nothing.
func (p *Prep) Fill(dst []byte, im capture.Image) Geometry { return p.fill(dst, im, Native) }

func (p *Prep) fill(dst []byte, im capture.Image, useNative bool) Geometry {
	dst = dst[:p.Size()]
	if im.Empty() {
		p.fillBlack(dst)
		return Geometry{ScaleX: 1, ScaleY: 1, W: float32(p.w), H: float32(p.h)}
	}
	l := p.layout(im.W, im.H)
	if l.iw < p.w || l.ih < p.h {
		p.bars(dst, l)
	}
	src := im
	if l.sw != im.W || l.sh != im.H {
		src.Pix = im.Pix[l.sy*im.Stride+3*l.sx:]
		src.W, src.H = l.sw, l.sh
	}
	p.weights(l)
	out := dst[(l.oy*p.w+l.ox)*p.c*p.elem:]
	if useNative && src.W >= 2 {
		p.fillNative(out, src, l.iw, l.ih)
	} else {
		p.fillGo(out, src, l.iw, l.ih)
	}
	sx, sy := float64(l.sw)/float64(l.iw), float64(l.sh)/float64(l.ih)
	return Geometry{
		ScaleX: float32(sx), ScaleY: float32(sy),
		OffX: float32(float64(l.sx) - float64(float64(l.ox)*sx)),
		OffY: float32(float64(l.sy) - float64(float64(l.oy)*sy)),
		W:    float32(p.w), H: float32(p.h),
	}
}

// placed is which part of the picture goes to which part of the tensor.
type placed struct {
	sx, sy, sw, sh int // in the picture
	ox, oy, iw, ih int // in the tensor
}

// layout places a w×h picture.
func (p *Prep) layout(w, h int) placed {
	l := placed{sw: w, sh: h, iw: p.w, ih: p.h}
	wide := w*p.h > h*p.w // the picture is wider than the tensor
	switch {
	case p.fit == letterbox && wide:
		l.ih = max(1, (2*h*p.w+w)/(2*w))
	case p.fit == letterbox:
		l.iw = max(1, (2*w*p.h+h)/(2*h))
	case p.fit == crop && wide:
		l.sw = max(1, (2*h*p.w+p.h)/(2*p.h))
	case p.fit == crop:
		l.sh = max(1, (2*w*p.h+p.w)/(2*p.w))
	}
	l.iw, l.ih, l.sw, l.sh = min(l.iw, p.w), min(l.ih, p.h), min(l.sw, w), min(l.sh, h)
	l.sx, l.sy, l.ox, l.oy = (w-l.sw)/2, (h-l.sh)/2, (p.w-l.iw)/2, (p.h-l.ih)/2
	return l
}

// bars blackens what a letterbox leaves. The whole tensor is written each time: an interpreter may reuse its input's
// memory while it runs.
func (p *Prep) bars(dst []byte, l placed) {
	px := p.c * p.elem
	row := p.w * px
	p.fillBlack(dst[:l.oy*row])
	p.fillBlack(dst[(l.oy+l.ih)*row:])
	if l.iw == p.w {
		return
	}
	for y := l.oy; y < l.oy+l.ih; y++ {
		r := dst[y*row : (y+1)*row]
		p.fillBlack(r[:l.ox*px])
		p.fillBlack(r[(l.ox+l.iw)*px:])
	}
}

// fillBlack fills whole pixels, doubling what it has.
func (p *Prep) fillBlack(b []byte) {
	for n := copy(b, p.black[:p.c*p.elem]); n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}
