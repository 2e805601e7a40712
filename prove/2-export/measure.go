package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gleaner/model"
	"gleaner/model/bundle"
	"gleaner/model/flat"
	"gleaner/model/tflite"
	"gleaner/train/dataset"
	"gleaner/train/engine"
	"gleaner/train/export"
	"gleaner/train/export/parity"
	"gleaner/train/net"
)

const (
	fashion    = "/usr/share/datasets/fashion-mnist"
	held       = 1000  // test pictures for float files
	heldInt8   = 10000 // for int8 files: a point of accuracy takes more pictures than a probability
	calibrated = 200   // training pictures for the ranges
	tuneSteps  = 300   // of fine-tuning with fake quantisation, where calibration is not enough
	tuneRate   = 1e-4
)

// row is what became of a network.
type row struct {
	name    string
	input   engine.Shape
	width   float64
	macs    int64
	trained time.Duration
	files   []file
}

// file is one written file.
type file struct {
	bytes  int
	report *parity.Report
	failed error
	micros float64 // median latency through XNNPACK, one thread
	by     string  // how an int8 file came to its ranges
}

// prove trains a network and writes, verifies and times its files.
func prove(ctx context.Context, e entry, dir string) (*row, error) {
	n, err := net.New(e.name, e.o)
	if err != nil {
		return nil, err
	}
	train, test, spec, err := pictures(ctx, n)
	if err != nil {
		return nil, err
	}
	b, err := backend()
	if err != nil {
		return nil, err
	}
	defer b.Close()
	begin := time.Now()
	w, err := learn(b, n, n.First(1), train, e.batch, e.steps, e.rate, 0)
	if err != nil {
		return nil, err
	}
	r := &row{name: e.name, input: n.Input, width: e.o.Width, trained: time.Since(begin)}
	if r.width == 0 {
		r.width = 1
	}
	s, err := n.Summarise()
	if err != nil {
		return nil, err
	}
	r.macs = s.MACs
	p := &proof{ctx, dir, b, n, w, train, test, spec, nil}
	batch, err := n.Evaluation(50, net.EvalOptions{})
	if err != nil {
		return nil, err
	}
	if p.ref, err = parity.NewReference(b, batch); err != nil {
		return nil, err
	}
	defer p.ref.Close()
	for _, kind := range export.Kinds() {
		f, err := p.file(kind, n, w, "calibration")
		if err != nil {
			return nil, err
		}
		var pe *parity.ParityError
		if kind == export.Int8 && errors.As(f.failed, &pe) {
			fmt.Printf("%s: %v\n", e.name, f.failed)
			if f, err = p.tuned(e); err != nil {
				return nil, err
			}
		}
		r.files = append(r.files, *f)
	}
	return r, nil
}

// proof is a trained network with what its files are made and judged by.
type proof struct {
	ctx         context.Context
	dir         string
	b           engine.Backend
	n           *net.Net
	w           net.Weights
	train, test dataset.Set
	spec        bundle.Input
	ref         *parity.Reference
}

// file writes network n with weights w as a kind, n being the trained network or what fine-tuning made of it, and verifies it
// against the trained network.
func (p *proof) file(kind export.Kind, n *net.Net, w net.Weights, by string) (*file, error) {
	quantise := 0
	if n != p.n {
		quantise = 8
	}
	program, err := n.Evaluation(1, net.EvalOptions{Quantise: quantise})
	if err != nil {
		return nil, err
	}
	values := func(v *engine.Var) []float32 { return w[v.Name] }
	o := export.Options{Kind: kind, Meta: flat.Meta{Name: n.Name, Colour: p.spec.Colour, Mean: p.spec.Mean, Std: p.spec.Std}}
	if quantise == 0 {
		o.Calibration = &export.Calibration{Backend: p.b, Pictures: examples(balanced(p.train, calibrated))}
	}
	out, err := export.Write(program, values, o)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(p.dir, n.Name+"-"+string(kind)+".tflite")
	if err := os.WriteFile(path, out.Bytes, 0o644); err != nil {
		return nil, err
	}
	run, err := tflite.Open(path, tflite.DefaultOptions())
	if err != nil {
		return nil, err
	}
	defer run.Close()
	f := &file{bytes: len(out.Bytes), by: by}
	pictures := held
	if kind == export.Int8 {
		pictures = heldInt8
	}
	f.report, f.failed = parity.Verify(run, p.ref, examples(balanced(p.test, pictures)), kind)
	if f.report == nil {
		return nil, f.failed
	}
	f.micros, err = latency(run)
	return f, err
}

// tuned fine-tunes the folded network with fake quantisation and writes it as int8.
func (p *proof) tuned(e entry) (*file, error) {
	n, w, err := p.n.Fold(p.w)
	if err != nil {
		return nil, err
	}
	if w, err = n.Calibrate(p.b, w, 20, batches(balanced(p.train, calibrated), 20)); err != nil {
		return nil, err
	}
	if w, err = learn(p.b, n, w, p.train, e.batch, tuneSteps, tuneRate, 8); err != nil {
		return nil, err
	}
	return p.file(export.Int8, n, w, "fine-tuning")
}

// pictures are Fashion-MNIST as the network takes it: all training and all test pictures.
func pictures(ctx context.Context, n *net.Net) (train, test dataset.Set, spec bundle.Input, err error) {
	spec = bundle.Input{Prep: "linear/1", Width: 28, Height: 28, Colour: "gray", Fit: "stretch", Mean: []float32{127.5}, Std: []float32{127.5}}
	if len(n.Input) == 3 {
		spec.Height, spec.Width = n.Input[0], n.Input[1]
		if n.Input[2] == 3 {
			spec.Colour = "rgb"
		}
	}
	o := dataset.Options{Input: spec, Cache: 1 << 30, Workers: 2}
	all, err := dataset.Open(ctx, fashion, o)
	if err != nil {
		return nil, nil, spec, err
	}
	o.Labels = all.Heads()[0].Labels
	tests, err := dataset.Open(ctx, dataset.TestSource(fashion), o)
	if err != nil {
		return nil, nil, spec, err
	}
	train, test = all, tests
	if len(n.Input) == 1 {
		train, test = flattened{train}, flattened{test}
	}
	return train, test, spec, nil
}

// examples are a set as export takes it.
func examples(s dataset.Set) export.Pictures {
	classes := len(s.Heads()[0].Labels)
	return export.Pictures{N: s.Len(), Name: s.Name, At: func(i int, dst []float32) error { return s.Input(dst, i, nil) },
		Want: func(i int) [][]float32 {
			y := make([]float32, classes)
			y[s.Label(i, 0)] = 1
			return [][]float32{y}
		}}
}

// latency is the median of many runs, in microseconds.
func latency(run model.Runner) (float64, error) {
	var each []float64
	begin := time.Now()
	for len(each) < 20 || time.Since(begin) < 300*time.Millisecond {
		t := time.Now()
		if err := run.Invoke(); err != nil {
			return 0, err
		}
		each = append(each, float64(time.Since(t).Nanoseconds())/1e3)
	}
	slices.Sort(each)
	return each[len(each)/2], nil
}
