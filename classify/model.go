package classify

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"gleaner/capture"
	"gleaner/classify/prep"
	"gleaner/model"
	"gleaner/model/bundle"
	"gleaner/model/joint"
)

// ErrEmptyCrop is what Classify gives for a picture without pixels.
var ErrEmptyCrop = errors.New("classify: the crop has no pixels")

// network is the Classifier over one bundle.
type network struct {
	lender model.Lender
	input  bundle.Input
	labels []string // without the background
	id     string
	skip   int // outputs before the first label: 1 with a background
	logits bool
	// unknown is the score of unknown objects; nil: there is none.
	unknown *bundle.Unknown
	joint   *joint.Joint // of several heads; nil: there is one
	t       float64      // temperature; 0 and 1: none
	views   Views

	mu   sync.Mutex
	idle []*worker // as many as were ever busy at once
}

// worker is what one call of Classify needs for itself.
type worker struct {
	prep *prep.Prep
	out  []float64 // the outputs as real numbers
	// Of several heads: the outputs' values, and the probabilities, by head.
	outs  [][]float64
	heads [][]float32
}

// NewModel is a Classifier over the network of b, which l lends. The bundle's head must be "probs" or "logits". A
// background class (manifest) is set aside: it is none of Labels, and the probabilities of the others are made to sum
// to 1 without it. All are at the manifest's temperature. It is a Familiar where the manifest has the score of unknown objects. It
// borrows one Runner to check that the network fits the manifest and the labels.
func NewModel(b *bundle.Bundle, l model.Lender) (Classifier, error) {
	m := b.Manifest
	n := &network{lender: l, input: m.Input, labels: b.Labels, id: "sha256:" + b.SHA256, logits: m.Head == "logits", unknown: m.Unknown,
		t: m.Temperature, views: viewsOf(&m)}
	if m.Head != "probs" && m.Head != "logits" {
		return nil, fmt.Errorf("bundle %s: head %q is no classifier's; probs or logits is", m.Name, m.Head)
	}
	if m.Background {
		n.skip = 1
		n.labels = b.Labels[min(1, len(b.Labels)):]
	}
	if len(n.labels) == 0 {
		return nil, fmt.Errorf("bundle %s: has no labels", m.Name)
	}
	var err error
	if n.joint, err = m.Joint(); err != nil {
		return nil, fmt.Errorf("bundle %s: %w", m.Name, err)
	}
	r, err := l.Get(context.Background())
	if err != nil {
		return nil, fmt.Errorf("bundle %s: %w", m.Name, err)
	}
	defer l.Put(r)
	w, err := n.newWorker(r)
	if err != nil {
		return nil, fmt.Errorf("bundle %s: %w", m.Name, err)
	}
	n.idle = append(n.idle, w)
	if m.Unknown != nil {
		return familiarNetwork{n}, nil
	}
	return n, nil
}

// newWorker makes a worker for Runners such as r and checks r.
func (n *network) newWorker(r model.Runner) (*worker, error) {
	ins, outs := r.Inputs(), r.Outputs()
	if len(ins) != 1 || len(outs) < 1 {
		return nil, fmt.Errorf("the model has %d inputs and %d outputs; a classifier has one input", len(ins), len(outs))
	}
	p, err := prep.New(n.input, ins[0])
	if err != nil {
		return nil, err
	}
	if err := checkUnknown(n.unknown, outs); err != nil {
		return nil, err
	}
	if n.joint != nil {
		w := &worker{prep: p}
		return w, n.joinHeads(w, outs)
	}
	size := len(n.labels) + n.skip
	return &worker{prep: p, out: make([]float64, size)}, checkOutput(outs[0], size)
}

// checkOutput tells whether a tensor holds so many real numbers, one for each label.
func checkOutput(out model.Tensor, want int) error {
	size := 1
	for _, d := range out.Shape {
		size *= d
	}
	if size != want {
		return fmt.Errorf("%d labels, but the model's output %q has %d values (shape %v)", want, out.Name, size, out.Shape)
	}
	bytes := 1
	switch out.Type {
	case model.Float32:
		bytes = 4
	case model.Int8, model.UInt8:
		if !(out.Scale > 0) {
			return fmt.Errorf("the model's output %q is quantised without a scale", out.Name)
		}
	default:
		return fmt.Errorf("the model's output %q is neither float32 nor int8 nor uint8", out.Name)
	}
	if len(out.Data) != size*bytes {
		return fmt.Errorf("the model's output %q holds %d bytes for %d values", out.Name, len(out.Data), size)
	}
	return nil
}

// Classify implements Classifier.
func (n *network) Classify(ctx context.Context, im capture.Image, dst []float32) ([]float32, error) {
	dst, _, err := n.look(ctx, im, dst)
	return dst, err
}

// look is Familiar.Look; the familiarity is 0 where the bundle has no such score.
func (n *network) look(ctx context.Context, im capture.Image, dst []float32) ([]float32, float32, error) {
	if im.Empty() {
		return dst, 0, ErrEmptyCrop
	}
	r, err := n.lender.Get(ctx)
	if err != nil {
		return dst, 0, err
	}
	defer n.lender.Put(r)
	w, err := n.take(r)
	if err != nil {
		return dst, 0, err
	}
	defer n.give(w)
	w.prep.Fill(r.Inputs()[0].Data, im)
	if err := r.Invoke(); err != nil {
		return dst, 0, fmt.Errorf("run %s: %w", n.id, err)
	}
	dst = room(dst, len(n.labels))
	if !n.answer(r, w, dst) {
		return dst, 0, fmt.Errorf("run %s: the model's output holds what is no probability", n.id)
	}
	scale(dst, n.t)
	familiar, err := n.familiar(r.Outputs())
	return dst, familiar, err
}

// answer reads what the network says of a picture; false: it is no probability.
func (n *network) answer(r model.Runner, w *worker, dst []float32) bool {
	if n.joint != nil {
		return n.joined(r.Outputs(), w, dst)
	}
	read(r.Outputs()[0], w.out)
	return n.probabilities(w.out[n.skip:], dst)
}

// Labels implements Classifier.
func (n *network) Labels() []string { return n.labels }

// Model implements Classifier.
func (n *network) Model() string { return n.id }

func (n *network) take(r model.Runner) (*worker, error) {
	n.mu.Lock()
	if k := len(n.idle); k > 0 {
		w := n.idle[k-1]
		n.idle = n.idle[:k-1]
		n.mu.Unlock()
		return w, nil
	}
	n.mu.Unlock()
	return n.newWorker(r)
}

func (n *network) give(w *worker) {
	n.mu.Lock()
	n.idle = append(n.idle, w)
	n.mu.Unlock()
}

// read turns a tensor's elements into real numbers.
func read(t model.Tensor, dst []float64) {
	switch t.Type {
	case model.Float32:
		for i := range dst {
			dst[i] = float64(math.Float32frombits(binary.NativeEndian.Uint32(t.Data[4*i:])))
		}
	case model.Int8:
		for i := range dst {
			dst[i] = float64(t.Scale) * float64(int(int8(t.Data[i]))-t.Zero)
		}
	case model.UInt8:
		for i := range dst {
			dst[i] = float64(t.Scale) * float64(int(t.Data[i])-t.Zero)
		}
	}
}

// probabilities makes real outputs sum to 1, after the softmax where the head owes it. It reports false for values
// that no such head can give. Where nothing but the background has any weight, all classes are equally likely.
func (n *network) probabilities(out []float64, dst []float32) bool {
	if n.logits {
		top := slices.Max(out) // NaN if any is
		if math.IsNaN(top) || math.IsInf(top, 0) {
			return false
		}
		for i, v := range out {
			out[i] = math.Exp(v - top)
		}
	}
	sum := 0.0
	for _, v := range out {
		if !(v >= -0.01) || math.IsInf(v, 0) { // rounding of a quantised head may go just below 0
			return false
		}
		sum += max(v, 0)
	}
	for i, v := range out {
		if sum > 0 {
			dst[i] = float32(max(v, 0) / sum)
		} else {
			dst[i] = 1 / float32(len(out))
		}
	}
	return true
}

// room is dst with length n, its memory reused when it is large enough.
func room(dst []float32, n int) []float32 {
	if cap(dst) < n {
		return make([]float32, n)
	}
	return dst[:n]
}
