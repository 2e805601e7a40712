// Package model is what a neural network is to the rest of the program: tensors, a Runner that computes, and a Pool
// that shares a few Runners among all cameras. Where networks come from is in model/bundle, their file format in
// model/flat, and the only code that calls TensorFlow Lite in model/tflite.
package model

import "context"

// Type is a tensor's element type.
type Type uint8

// The element types that the program computes with; Other is anything else a file may hold.
const (
	Other Type = iota
	Float32
	Int8
	UInt8
	Int32
	Float16
	Int64
)

// Tensor describes one input or output and gives its memory.
type Tensor struct {
	Name  string
	Type  Type
	Shape []int // as the network states it, for pictures N, H, W, C
	// Scale and Zero turn a quantised element q into a real number: Scale*(q-Zero). Scale is 0 for float tensors.
	Scale float32
	Zero  int
	// Data is the tensor's own memory in native byte order, valid until the Runner is closed: writing to an input's
	// Data and calling Invoke needs no copy. It may move on a resize, which only happens before a Runner is handed out.
	Data []byte
}

// Rung is one step of the delegate ladder and what became of it.
type Rung struct {
	Name   string `json:"name"`             // "external:libedgetpu.so.1", "xnnpack+qs8+qu8", "xnnpack", "cpu"
	Used   bool   `json:"used"`             // this one runs
	Reason string `json:"reason,omitempty"` // why it does not
	// Claimed of Of operators are computed by the rung's delegate, the others by Rest: "xnnpack+qs8+qu8" or "xnnpack"
	// behind a plug-in, the plain kernels where it is empty. All are zero for a rung without a delegate or that does not
	// run.
	Claimed int    `json:"claimed,omitempty"`
	Of      int    `json:"of,omitempty"`
	Rest    string `json:"rest,omitempty"`
}

// Info says what a Runner runs.
type Info struct {
	Delegate string // the Name of the rung that runs
	Ladder   []Rung // every rung that was tried, highest first
	SHA256   string // of the model file, lower-case hex
}

// Runner is one interpreter of one network. It is not safe for concurrent use: the Pool lends it to one caller at a
// time. Native memory: Close frees it, and every Tensor.Data is dead afterwards.
type Runner interface {
	Inputs() []Tensor
	Outputs() []Tensor
	// Invoke computes the outputs from the inputs in place; it allocates nothing in Go.
	Invoke() error
	Info() Info
	Close() error
}

// Lender lends Runners of one network. Pool is the one implementation in the daemon; tests lend fakes.
type Lender interface {
	// Get waits for a free Runner, first come first served, until ctx ends. Each Get needs one Put.
	Get(ctx context.Context) (Runner, error)
	Put(Runner)
}
