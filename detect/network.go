package detect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gleaner/capture"
	"gleaner/classify/prep"
	"gleaner/model"
	"gleaner/model/bundle"
)

// ErrEmpty is what a Detector says about an image without pixels.
var ErrEmpty = errors.New("image is empty")

// New makes the detector that o describes on bundle b, whose Runners l lends. Kind "auto" takes what the bundle's head
// says; any other kind must fit the head. "frame" needs neither b nor l; "motion" is made by detect/cv. l must lend
// Runners of b's network and outlive the Detector.
func New(o Options, b *bundle.Bundle, l model.Lender) (Detector, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("detector: %w", err)
	}
	switch {
	case o.Kind == KindFrame:
		return newWhole(o)
	case o.Kind == KindMotion:
		return nil, errors.New("detector: kind motion is not a network's")
	case b == nil || l == nil:
		return nil, fmt.Errorf("detector: kind %q needs a model", o.Kind)
	}
	d, err := newNetwork(o, b, l)
	if err != nil {
		return nil, fmt.Errorf("detector %s: %w", b.Manifest.Name, err)
	}
	return d, nil
}

// kindOf gives the kind that reads a bundle's head; empty for a head that detects nothing.
func kindOf(head string) string {
	switch head {
	case "ssd", "ssd-post":
		return KindSSD
	case "yolov5", "yolov8":
		return KindYOLO
	case "blazeface-short", "blazeface-full":
		return KindFace
	}
	return ""
}

// faceScore is MediaPipe's min_score_thresh for BlazeFace; defaultScore stands in for other networks whose bundle
// advises nothing.
const (
	faceScore    = 0.5
	defaultScore = 0.5
	faceIoU      = 0.3 // MediaPipe's min_suppression_threshold
	tileIoS      = 0.7

	// unnamed is what label maps of the TensorFlow Object Detection API write for numbers that no class has.
	unnamed = "???"
)

// network runs a detection network over the frame and, where asked, over tiles of it.
type network struct {
	labels []string
	filter *Filter
	lender model.Lender
	input  bundle.Input
	roi    Region
	iou    float32
	keep   int
	size   int // tile side in pixels of the frame, 0: off
	shared float64
	blend  bool // BlazeFace: average overlapping boxes

	head head
	prep *prep.Prep // made with the first Runner, whose tensors it needs to see

	raw   []Detection // scratch: one inference
	tiles []region    // scratch: for frames of tileW×tileH
	tileW int
	tileH int
}

// region is a part of the frame that the network sees at once.
type region struct {
	x, y, w, h int
}

func newNetwork(o Options, b *bundle.Bundle, l model.Lender) (*network, error) {
	kind := kindOf(b.Manifest.Head)
	if kind == "" {
		return nil, fmt.Errorf("head %q (task %s) finds no objects; a detector needs ssd, ssd-post, yolov5, yolov8, "+
			"blazeface-short or blazeface-full", b.Manifest.Head, b.Manifest.Task)
	}
	if o.Kind != KindAuto && o.Kind != kind {
		return nil, fmt.Errorf("kind: %q does not fit the model's head %q, which is %q", o.Kind, b.Manifest.Head, kind)
	}
	labels := b.Labels
	if kind == KindFace && len(labels) == 0 {
		labels = []string{"face"}
	}
	score := float32(defaultScore)
	if kind == KindFace {
		score = faceScore
	}
	if b.Manifest.Threshold > 0 {
		score = b.Manifest.Threshold
	}
	f, err := NewFilter(o, labels, b.Manifest.SuperOf, score)
	if err != nil {
		return nil, err
	}
	n := &network{labels: labels, filter: f, lender: l, input: b.Manifest.Input, roi: o.Region(), iou: float32(o.IoU),
		keep: o.MaxObjects, size: o.Tiles.Size, shared: o.Tiles.Overlap}
	if n.blend = kind == KindFace; n.blend {
		n.iou = min(n.iou, faceIoU)
	}
	n.head = head{name: b.Manifest.Head, background: b.Manifest.Background, labels: len(labels),
		w: b.Manifest.Input.Width, h: b.Manifest.Input.Height}
	return n, nil
}

// Labels implements Detector.
func (n *network) Labels() []string { return n.labels }

// Close implements Detector; everything native belongs to the Lender.
func (n *network) Close() error { return nil }

// Detect implements Detector. The Runner is lent for all tiles of one frame.
func (n *network) Detect(ctx context.Context, im capture.Image, _ time.Time, dst []Detection) ([]Detection, error) {
	if im.Empty() {
		return dst, fmt.Errorf("detect: %w", ErrEmpty)
	}
	r, err := n.lender.Get(ctx)
	if err != nil {
		return dst, fmt.Errorf("detect: wait for the model: %w", err)
	}
	defer n.lender.Put(r)
	if n.prep == nil {
		if err := n.meet(r); err != nil {
			return dst, fmt.Errorf("detect: %w", err)
		}
	}
	from := len(dst)
	for _, t := range n.cut(im.W, im.H) {
		if dst, err = n.look(r, im, t, dst); err != nil {
			return dst[:from], fmt.Errorf("detect: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return dst[:from], fmt.Errorf("detect: %w", err)
		}
	}
	if n.size > 0 {
		dst = append(dst[:from], MergeTiles(dst[from:], tileIoS, n.keep)...)
	}
	return n.filter.Apply(dst, from, im), nil
}

// meet looks at the network's tensors once.
func (n *network) meet(r model.Runner) error {
	in := r.Inputs()
	if len(in) != 1 {
		return fmt.Errorf("the model has %d inputs, not 1", len(in))
	}
	p, err := prep.New(n.input, in[0])
	if err != nil {
		return err
	}
	if err := n.head.meet(r.Outputs()); err != nil {
		return err
	}
	n.prep = p
	return nil
}

// look runs the network on one part of the frame and appends what it finds, suppressed, in pixels of the frame.
func (n *network) look(r model.Runner, im capture.Image, t region, dst []Detection) ([]Detection, error) {
	part := im
	if t.w != im.W || t.h != im.H {
		part = im.Sub(rect(t))
	}
	g := n.prep.Fill(r.Inputs()[0].Data, part)
	if err := r.Invoke(); err != nil {
		return dst, err
	}
	var err error
	n.raw, err = n.head.decode(r.Outputs(), n.filter.Floor(), n.raw[:0])
	if err != nil {
		return dst, err
	}
	for i := range n.raw {
		b := &n.raw[i].Box
		b.X0, b.Y0 = g.UnitToImage(b.X0, b.Y0)
		b.X1, b.Y1 = g.UnitToImage(b.X1, b.Y1)
	}
	// A class that is filtered out must not use up the places of those that are wanted.
	n.raw = slices.DeleteFunc(n.raw, n.unwanted)
	if n.blend {
		n.raw = BlendNMS(n.raw, n.iou, n.keep)
	} else {
		n.raw = NMS(n.raw, n.iou, n.keep)
	}
	for _, d := range n.raw {
		x, y := float32(t.x), float32(t.y)
		d.Box = clip(d.Box, t.w, t.h)
		d.Box = Box{d.Box.X0 + x, d.Box.Y0 + y, d.Box.X1 + x, d.Box.Y1 + y}
		dst = append(dst, d)
	}
	return dst, nil
}

func (n *network) unwanted(d Detection) bool {
	return d.Class < 0 || d.Class >= len(n.labels) || n.labels[d.Class] == unnamed ||
		n.filter.keep != nil && !n.filter.keep[d.Class]
}

// whole is the detector of kind "frame".
type whole struct {
	roi    Region
	filter *Filter
}

func newWhole(o Options) (*whole, error) {
	f, err := NewFilter(o, nil, nil, 0)
	if err != nil {
		return nil, fmt.Errorf("detector: %w", err)
	}
	// The box of a concave region may have its centre outside, and the whole frame has no reason to pass a size limit.
	f.region.In, f.all = nil, limit{}
	return &whole{roi: o.Region(), filter: f}, nil
}

// Labels is nil.
func (w *whole) Labels() []string { return nil }

// Close has nothing to free.
func (w *whole) Close() error { return nil }

// Detect gives one object, the frame or the box around the region of interest, with score 1.
func (w *whole) Detect(_ context.Context, im capture.Image, _ time.Time, dst []Detection) ([]Detection, error) {
	if im.Empty() {
		return dst, fmt.Errorf("detect: %w", ErrEmpty)
	}
	from := len(dst)
	dst = append(dst, Detection{Box: w.roi.Bounds(im.W, im.H), Class: -1, Score: 1})
	return w.filter.Apply(dst, from, im), nil
}
