// Package parity holds a written file against the network that it was made of, on pictures that neither has seen: the gate that
// an export has to pass. How files are written is in train/export, and the runtime that runs them in model/tflite: Verify is
// given a model.Runner.
package parity

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"gleaner/model"
	"gleaner/train/engine"
	"gleaner/train/export"
)

// How far apart the probabilities of a file and of its network may be, and how many points of accuracy an int8 file may have
// lost at worst.
const (
	Float32Bar  = 1e-4
	Float16Bar  = 5e-3
	Int8LossBar = 0.01
)

// Head is one output of a network.
type Head struct {
	Name string
	Gate Gate
}

// Gate is what stands between a head's logits and its probabilities.
type Gate int

// The gates. Logits leave the softmax to the reader.
const (
	Softmax Gate = iota
	Sigmoid
	Logits
)

// Heads tells what a program's outputs are.
func Heads(p *engine.Program) []Head {
	heads := make([]Head, len(p.Outputs))
	for i, v := range p.Outputs {
		heads[i] = Head{v.Layer, Logits}
		for _, s := range p.Steps {
			if len(s.Out) == 0 || s.Out[0] != v {
				continue
			}
			switch s.Op.Kind {
			case engine.Softmax:
				heads[i].Gate = Softmax
			case engine.Sigmoid:
				heads[i].Gate = Sigmoid
			}
		}
	}
	return heads
}

// Reference is the network that a file is compared with. It belongs to one goroutine.
type Reference struct {
	Heads []Head
	Batch int // pictures at a time
	// MayLose is the share of right answers that an int8 file may lose, as the paired test bounds it; 0: Int8LossBar.
	MayLose float64
	// Answer gives each head's output [Batch K] for pictures [Batch …], row-major; valid until the next call.
	Answer func(pictures []float32) ([][]float32, error)
	run    engine.Runner
}

// NewReference runs an evaluation program, of any batch, on a backend that holds the variables' values. Close ends it.
func NewReference(b engine.Backend, p *engine.Program) (*Reference, error) {
	run, err := b.Compile(p)
	if err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	in, picture := export.Inputs(p)
	out := make([][]float32, len(p.Outputs))
	for i, v := range p.Outputs {
		out[i] = make([]float32, v.Shape.Size())
	}
	r := &Reference{Heads: Heads(p), run: run}
	for _, v := range p.Inputs {
		if v.Input != engine.StepInput {
			r.Batch = v.Shape[0]
		}
	}
	r.Answer = func(pictures []float32) ([][]float32, error) {
		copy(picture, pictures)
		return out, engine.Run(run, in, out)
	}
	return r, nil
}

// Close frees what the reference holds; the backend's variables stay.
func (r *Reference) Close() error {
	if r.run == nil {
		return nil
	}
	return r.run.Close()
}

// Report is how a file answered beside its network.
type Report struct {
	Kind  export.Kind
	N     int // pictures
	Heads []HeadReport
}

// HeadReport is one head's part of a Report.
type HeadReport struct {
	Head
	MaxDelta float64 // greatest distance of a class's probabilities
	Picture  int     // on which picture
	Class    int     // of which class
	Of, Is   float64 // the network's probability there, and the file's
	Agree    int     // pictures on which both gave the same answer
	// Labelled pictures tell right from wrong answers; without labels the network's own answers count as right.
	Labelled            int
	RightNet, RightFile int
	Paired              Paired
}

// ParityError says that a file does not answer as its network does.
type ParityError struct {
	Report *Report
	Text   string
}

func (e *ParityError) Error() string { return e.Text }

// Verify runs a written file beside the network it was made of, on pictures that neither was trained or calibrated on. A float
// file fails where a probability differs by more than its bar (Float32Bar, Float16Bar), and the error names the picture. An
// int8 file, which honestly changes an answer here and there, fails when the pictures cannot exclude that it lost more than
// net.MayLose of accuracy: a paired test, see Paired.LossBound. The error is a *ParityError then; the Report is there in any case
// but that of an operating error.
func Verify(file model.Runner, net *Reference, pictures export.Pictures, kind export.Kind) (*Report, error) {
	v, err := newVerifier(file, net, pictures, kind)
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	for at := 0; at < pictures.N; at += net.Batch {
		if err := v.batch(at, min(net.Batch, pictures.N-at)); err != nil {
			return nil, fmt.Errorf("verify: %w", err)
		}
	}
	return v.report, v.report.judge(pictures, net.MayLose)
}

type verifier struct {
	file     model.Runner
	net      *Reference
	pictures export.Pictures
	report   *Report
	size     int       // numbers of a picture
	batchIn  []float32 // pictures [Batch …]
	own, his []float64 // probabilities of one head, the file's and the network's
}

func newVerifier(file model.Runner, net *Reference, pictures export.Pictures, kind export.Kind) (*verifier, error) {
	ins, outs := file.Inputs(), file.Outputs()
	if len(ins) != 1 || len(outs) != len(net.Heads) {
		return nil, fmt.Errorf("the file has %d inputs and %d outputs, the network 1 and %d", len(ins), len(outs), len(net.Heads))
	}
	if pictures.N < 1 || net.Batch < 1 {
		return nil, errors.New("there are no pictures")
	}
	v := &verifier{file: file, net: net, pictures: pictures, size: 1, report: &Report{Kind: kind, N: pictures.N}}
	for _, d := range ins[0].Shape {
		v.size *= d
	}
	v.batchIn = make([]float32, v.size*net.Batch)
	for _, h := range net.Heads {
		v.report.Heads = append(v.report.Heads, HeadReport{Head: h})
	}
	return v, nil
}

// batch compares n pictures from number at on.
func (v *verifier) batch(at, n int) error {
	for i := range n {
		if err := v.pictures.At(at+i, v.batchIn[i*v.size:(i+1)*v.size]); err != nil {
			return fmt.Errorf("%s: %w", v.pictures.Label(at+i), err)
		}
	}
	answers, err := v.net.Answer(v.batchIn)
	if err != nil {
		return fmt.Errorf("run the network: %w", err)
	}
	for i := range n {
		name := v.pictures.Label(at + i)
		if err := Put(v.file.Inputs()[0], v.batchIn[i*v.size:(i+1)*v.size]); err != nil {
			return err
		}
		if err := v.file.Invoke(); err != nil {
			return fmt.Errorf("run the file on %s: %w", name, err)
		}
		var want [][]float32
		if v.pictures.Want != nil {
			want = v.pictures.Want(at + i)
		}
		for k := range v.report.Heads {
			h := &v.report.Heads[k]
			classes := len(answers[k]) / v.net.Batch
			if err := v.take(v.file.Outputs()[k], answers[k][i*classes:(i+1)*classes], h.Gate); err != nil {
				return fmt.Errorf("head %s on %s: %w", h.Name, name, err)
			}
			var w []float32
			if k < len(want) {
				w = want[k]
			}
			h.count(at+i, v.his, v.own, w)
		}
	}
	return nil
}

// take reads both answers of a head as probabilities.
func (v *verifier) take(out model.Tensor, answer []float32, g Gate) error {
	v.own, v.his = v.own[:0], v.his[:0]
	var err error
	if v.own, err = get(out, v.own); err != nil {
		return err
	}
	for _, x := range answer {
		v.his = append(v.his, float64(x))
	}
	if len(v.own) != len(v.his) {
		return fmt.Errorf("the file gives %d numbers, the network %d", len(v.own), len(v.his))
	}
	for i := range v.own {
		if math.IsNaN(v.own[i]) || math.IsNaN(v.his[i]) {
			return fmt.Errorf("class %d is %v in the network and %v in the file", i, v.his[i], v.own[i])
		}
	}
	if g == Logits {
		softmax(v.own)
		softmax(v.his)
	}
	return nil
}

func softmax(z []float64) {
	top, sum := slices.Max(z), 0.0
	for i, v := range z {
		z[i] = math.Exp(v - top)
		sum += z[i]
	}
	for i := range z {
		z[i] /= sum
	}
}

// count adds one picture to a head's report.
func (h *HeadReport) count(picture int, net, file []float64, want []float32) {
	for i := range net {
		if d := math.Abs(net[i] - file[i]); d > h.MaxDelta {
			h.MaxDelta, h.Picture, h.Class, h.Of, h.Is = d, picture, i, net[i], file[i]
		}
	}
	truth := net
	if want != nil && (h.Gate == Sigmoid || slices.Max(want) > 0) { // a row of zeros is a label that is not known
		h.Labelled++
		truth = make([]float64, len(want))
		for i, w := range want {
			truth[i] = float64(w)
		}
	}
	before, after := h.same(net, truth), h.same(file, truth)
	if h.same(net, file) {
		h.Agree++
	}
	h.Paired.N++
	if before {
		h.RightNet++
	}
	if after {
		h.RightFile++
	}
	if before && !after {
		h.Paired.Before++
	}
	if after && !before {
		h.Paired.After++
	}
}

// same tells whether two answers are one: the same likeliest class, or with independent classes the same ones from 0.5 on.
func (h *HeadReport) same(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	if h.Gate != Sigmoid {
		return first(a) == first(b)
	}
	for i := range a {
		if (a[i] >= 0.5) != (b[i] >= 0.5) {
			return false
		}
	}
	return true
}

func first(v []float64) int {
	at := 0
	for i, x := range v {
		if x > v[at] {
			at = i
		}
	}
	return at
}

// Put writes real numbers into an input, rounded as classify/prep rounds them.
func Put(t model.Tensor, v []float32) error {
	switch t.Type {
	case model.Float32:
		for i, x := range v {
			binary.NativeEndian.PutUint32(t.Data[4*i:], math.Float32bits(x))
		}
		return nil
	case model.Int8, model.UInt8:
		if !(t.Scale > 0) {
			return fmt.Errorf("the file's input %q is quantised without a scale", t.Name)
		}
		lo, hi := -128.0, 127.0
		if t.Type == model.UInt8 {
			lo, hi = 0, 255
		}
		for i, x := range v {
			q := math.Round(float64(x)/float64(t.Scale)) + float64(t.Zero)
			t.Data[i] = byte(int(min(max(q, lo), hi)))
		}
		return nil
	}
	return fmt.Errorf("the file's input %q is neither float32 nor int8 nor uint8", t.Name)
}

// get appends an output's real numbers to v.
func get(t model.Tensor, v []float64) ([]float64, error) {
	switch t.Type {
	case model.Float32:
		for i := 0; i+4 <= len(t.Data); i += 4 {
			v = append(v, float64(math.Float32frombits(binary.NativeEndian.Uint32(t.Data[i:]))))
		}
	case model.Int8:
		for _, b := range t.Data {
			v = append(v, float64(t.Scale)*float64(int(int8(b))-t.Zero))
		}
	case model.UInt8:
		for _, b := range t.Data {
			v = append(v, float64(t.Scale)*float64(int(b)-t.Zero))
		}
	default:
		return v, fmt.Errorf("the file's output %q is neither float32 nor int8 nor uint8", t.Name)
	}
	return v, nil
}
