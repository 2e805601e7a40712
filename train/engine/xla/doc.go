// Package xla runs a whole training or evaluation program as ONE StableHLO program that a PJRT plug-in compiles: on a CUDA
// workstation the plug-in of JAX's wheels (CUDA.md).
//
//	Emit   writes an engine.Program as StableHLO text; pure Go, the same text each time.
//	Find   looks for the plug-in and for NVIDIA's libraries, and says what is missing; it never downloads anything.
//	Probe  opens it in a child process and says which devices there are.
//	Open   is the engine.Backend that compiles and runs the text; it needs cgo.
//
// What XLA does: the fusion of element-wise work, the choice of cuDNN's and cuBLAS's kernels by trying them, the plan of the
// device's memory. What is done here: the mathematics of each operator down to StableHLO's (openxla.org/stablehlo/spec), which
// arrays are float32 and which bfloat16, and which buffers are updated in place.
//
// Long because every operator is emitted here, and the plug-in and its libraries are found beside them: they share one form.
//
// The text is proven without a card by train/engine/xla/hlotest, which runs it in plain Go.
package xla
