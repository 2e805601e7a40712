package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"gleaner/capture"
	"gleaner/capture/cv"
	"gleaner/classify/prep"
	"gleaner/model"
	"gleaner/model/bundle"
	"gleaner/model/flat"
	"gleaner/model/tflite"
)

// photograph is a known picture.
type photograph struct{ name, path string }

// photographs are the 15 known pictures.
func photographs(root string) (list []photograph, err error) {
	for _, pattern := range []string{"*.jpg", "*.bmp", "imprinting/*.bmp"} {
		found, err := filepath.Glob(filepath.Join(root, "models/images", pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			list = append(list, photograph{filepath.Base(path), path})
		}
	}
	if len(list) != 15 {
		return nil, fmt.Errorf("%d known pictures instead of 15: set GLEANER_SHARED", len(list))
	}
	return list, nil
}

// look shows the picture.
func (p photograph) look(f func(im capture.Image) error) error {
	o := capture.DefaultOptions()
	o.Source, o.Pace = "images:"+p.path, "fast"
	dev, err := cv.NewDevice(o)
	if err != nil {
		return err
	}
	src, err := dev.Open(context.Background())
	if err != nil {
		return err
	}
	defer src.Close()
	buf := dev.NewBuffer()
	defer buf.Close()
	if _, err := src.Read(context.Background(), buf); err != nil {
		return err
	}
	return f(buf.Image())
}

// runtime is a file in the TFLite runtime, on its plain kernels, with some of its tensors as outputs.
type runtime struct {
	r    model.Runner
	prep *prep.Prep
	dir  string
}

func open(m *flat.Model, tensors []int) (*runtime, error) {
	c, err := m.Cut(tensors...)
	if err != nil {
		return nil, err
	}
	b, err := c.Bytes()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "import")
	if err != nil {
		return nil, err
	}
	rt := &runtime{dir: dir}
	path := filepath.Join(dir, "m.tflite")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return nil, err
	}
	o := tflite.DefaultOptions()
	o.Rung = "cpu"
	if rt.r, err = tflite.Open(path, o); err != nil {
		return nil, err
	}
	in := rt.r.Inputs()[0]
	rt.prep, err = prep.New(bundle.Input{Prep: prep.Linear, Width: in.Shape[2], Height: in.Shape[1], Colour: "rgb",
		Mean: []float32{127.5}, Std: []float32{127.5}, Fit: "crop"}, in)
	return rt, err
}

func (rt *runtime) close() {
	if rt.r != nil {
		rt.r.Close()
	}
	os.RemoveAll(rt.dir)
}

// run computes the tensors for a picture: the input and the tensors, in real numbers.
func (rt *runtime) run(p photograph) (x []float32, out [][]float32, err error) {
	err = p.look(func(im capture.Image) error {
		rt.prep.Fill(rt.r.Inputs()[0].Data, im)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if x, err = numbers(rt.r.Inputs()[0]); err != nil {
		return nil, nil, err
	}
	if err := rt.r.Invoke(); err != nil {
		return nil, nil, err
	}
	for _, t := range rt.r.Outputs() {
		y, err := numbers(t)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, y)
	}
	return x, out, nil
}

// numbers are a tensor's real numbers.
func numbers(t model.Tensor) (y []float32, err error) {
	switch t.Type {
	case model.Float32:
		for i := 0; i < len(t.Data); i += 4 {
			y = append(y, math.Float32frombits(binary.LittleEndian.Uint32(t.Data[i:])))
		}
	case model.Int8:
		for _, b := range t.Data {
			y = append(y, float32(int(int8(b))-t.Zero)*t.Scale)
		}
	case model.UInt8:
		for _, b := range t.Data {
			y = append(y, float32(int(b)-t.Zero)*t.Scale)
		}
	default:
		return nil, fmt.Errorf("tensor %s is of a type that is not known here", t.Name)
	}
	return y, nil
}

// plain is a float file whose int8 weights, one scale per channel, are written as the floats that they stand for: the
// runtime's mixed kernels would round activations on the way, and differently for each picture.
func plain(m *flat.Model) *flat.Model {
	c := *m
	c.Graphs, c.Buffers = slices.Clone(m.Graphs), slices.Clone(m.Buffers)
	g := &c.Graphs[0]
	g.Tensors = slices.Clone(g.Tensors)
	for i := range g.Tensors {
		t := &g.Tensors[i]
		data := c.Buffers[t.Buffer]
		if t.Type != flat.Int8 || len(data) == 0 {
			continue
		}
		inner := 1
		for _, d := range t.Shape[t.Quant.Dim+1:] {
			inner *= d
		}
		w := make([]float32, len(data))
		for k, b := range data {
			w[k] = float32(int8(b)) * t.Quant.Scale[k/inner%len(t.Quant.Scale)]
		}
		c.Buffers = append(c.Buffers, flat.Float32Bytes(w))
		t.Type, t.Quant, t.Buffer = flat.Float32, nil, len(c.Buffers)-1
	}
	return &c
}
