package imprint

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"gleaner/capture"
	"gleaner/classify/prep"
	"gleaner/model"
	"gleaner/model/bundle"
	"gleaner/model/flat"
	"gleaner/model/tflite"
)

// Extractor turns pictures into feature vectors with a backbone. One goroutine uses it.
type Extractor struct {
	run  model.Runner
	prep *prep.Prep
}

// NewExtractor runs a backbone whose only output is an embedding; in is how pixels become its input. Close frees it.
func NewExtractor(backbone *flat.Model, in bundle.Input) (*Extractor, error) {
	b, err := backbone.Bytes()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "gleaner-imprint-")
	if err != nil {
		return nil, fmt.Errorf("open backbone: %w", err)
	}
	defer os.RemoveAll(dir) // the runtime has the file open or mapped by then
	path := filepath.Join(dir, bundle.ModelFile)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return nil, fmt.Errorf("open backbone: %w", err)
	}
	r, err := tflite.Open(path, tflite.DefaultOptions())
	if err != nil {
		return nil, fmt.Errorf("open backbone: %w", err)
	}
	p, err := prep.New(in, r.Inputs()[0])
	if err == nil && (len(r.Outputs()) != 1 || r.Outputs()[0].Type != model.Float32) {
		err = fmt.Errorf("open backbone: %d outputs, one of float32 is needed", len(r.Outputs()))
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return &Extractor{run: r, prep: p}, nil
}

// Features is the backbone's answer to a picture, in new memory.
func (e *Extractor) Features(im capture.Image) ([]float32, error) {
	e.prep.Fill(e.run.Inputs()[0].Data, im)
	if err := e.run.Invoke(); err != nil {
		return nil, err
	}
	data := e.run.Outputs()[0].Data
	out := make([]float32, len(data)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.NativeEndian.Uint32(data[4*i:]))
	}
	return out, nil
}

// Close frees the runtime's memory.
func (e *Extractor) Close() error { return e.run.Close() }
