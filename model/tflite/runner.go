//go:build cgo && !nonative

package tflite

// #include "glue.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	tfl "github.com/mattn/go-tflite"

	"gleaner/model"
)

// runner is one interpreter with all that it stands on. The fields are freed in the order of close.
type runner struct {
	path   string
	interp *tfl.Interpreter
	// delegates are the rung's own and, behind a plug-in, the XNNPACK that computes the rest.
	delegates []*delegate
	model     *tfl.Model
	log       *C.gl_log
	info      model.Info
	claims    claims
	inputs    []model.Tensor
	outputs   []model.Tensor
	// moving are the outputs whose memory the runtime may move while it computes; most networks have none.
	moving []moving
}

type moving struct {
	index  int
	tensor *tfl.Tensor
}

// Inputs are views on the interpreter's own memory.
func (r *runner) Inputs() []model.Tensor { return r.inputs }

// Outputs are views on the interpreter's own memory.
func (r *runner) Outputs() []model.Tensor { return r.outputs }

// Info says which rung runs and what became of those above.
func (r *runner) Info() model.Info { return r.info }

func (r *runner) setInfo(i model.Info) { r.info = i }

// Invoke computes the outputs.
func (r *runner) Invoke() error {
	if r.interp == nil {
		return ErrClosed
	}
	if r.interp.Invoke() != tfl.OK {
		return &Error{Path: r.path, What: "failed to compute: " + r.said()}
	}
	for _, m := range r.moving {
		r.outputs[m.index].Data = data(m.tensor)
	}
	return nil
}

// Close frees the interpreter; a second call does nothing.
func (r *runner) Close() error {
	if r.interp != nil {
		r.interp.Delete()
		r.interp = nil
	}
	for _, d := range r.delegates {
		d.Delete()
	}
	r.delegates = nil
	if r.model != nil {
		r.model.Delete()
		r.model = nil
	}
	if r.log != nil {
		C.free(unsafe.Pointer(r.log))
		r.log = nil
		C.gl_give_back() // an interpreter's tensors and weights are tens of megabytes, and the C library would keep them
	}
	r.inputs, r.outputs, r.moving = nil, nil, nil
	return nil
}

// said is what TensorFlow Lite reported since the last time.
func (r *runner) said() string {
	s := oneLine(C.GoString(&r.log.text[0]))
	r.log.text[0] = 0
	if s == "" {
		return "TensorFlow Lite gave no reason"
	}
	return s
}

// view describes all inputs and outputs. Types that the program cannot compute with are an error only for inputs and
// outputs, not inside.
func (r *runner) view() error {
	for i := range r.interp.GetInputTensorCount() {
		t, err := tensor(r.interp.GetInputTensor(i))
		if err != nil {
			return fmt.Errorf("cannot be used, since its input %d %w", i, err)
		}
		r.inputs = append(r.inputs, t)
	}
	for i := range r.interp.GetOutputTensorCount() {
		native := r.interp.GetOutputTensor(i)
		t, err := tensor(native)
		if err != nil {
			return fmt.Errorf("cannot be used, since its output %d %w", i, err)
		}
		if C.gl_dynamic(handle(native)) != 0 {
			r.moving = append(r.moving, moving{i, native})
		}
		r.outputs = append(r.outputs, t)
	}
	return nil
}

// handle is go-tflite's own pointer, which its Tensor keeps in its only field.
func handle(t *tfl.Tensor) *C.TfLiteTensor { return *(**C.TfLiteTensor)(unsafe.Pointer(t)) }

func tensor(t *tfl.Tensor) (model.Tensor, error) {
	if t == nil {
		return model.Tensor{}, errors.New("does not exist")
	}
	q := t.QuantizationParams()
	m := model.Tensor{Name: t.Name(), Type: elementType(t.Type()), Shape: t.Shape(), Zero: q.ZeroPoint, Data: data(t)}
	if m.Type != model.Float32 && m.Type != model.Float16 {
		m.Scale = float32(q.Scale)
	}
	if m.Data == nil {
		return m, fmt.Errorf("(%s) has no memory", m.Name)
	}
	return m, nil
}

func data(t *tfl.Tensor) []byte {
	p := t.Data()
	if p == nil {
		return nil
	}
	return unsafe.Slice((*byte)(p), t.ByteSize())
}

func elementType(t tfl.TensorType) model.Type {
	switch t {
	case tfl.Float32:
		return model.Float32
	case tfl.Int8:
		return model.Int8
	case tfl.UInt8:
		return model.UInt8
	case tfl.Int32:
		return model.Int32
	case tfl.Int64:
		return model.Int64
	case C.kTfLiteFloat16: // go-tflite has no name for it
		return model.Float16
	}
	return model.Other
}
