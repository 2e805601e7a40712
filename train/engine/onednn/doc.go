// Package onednn runs programs on the processor: convolutions and dense layers are oneDNN's, everything else is kernels of this
// package on the same pool of threads.
//
// The library (Debian's libdnnl2, version 2.6) is not linked: New loads it, so that a daemon that never trains neither needs nor
// maps it. A program becomes one plan in C++ (plan.h): every primitive, its memory and its arguments are made by Compile, and
// a run is one call of C for the steps up to the loss and one for the update. A run allocates nothing.
//
//	backend.go     what a Backend is: one thread that owns the pool and makes and runs everything
//	compile.go     a Program's steps as the plan's; where each value lives
//	runner.go      runs, traces
//	plan.*         the list of steps; operators.*: which kernel or primitive is an operator's; primitives.*: oneDNN
//	norm, element, pool, loss, update (.cc, kernels.h): the kernels
//
// Batch norm and pooling are kernels of this package although oneDNN has them: the threads of its batch norm spin where they wait for
// each other, which on shared processors costs a time slice each time, and it cannot join a ReLU6; its maximum remembers where
// it was in memory of its own, and not always the first one.
//
// Everything is float32 and NHWC. For the same number of threads on the same processor, results are the same every time; on
// another processor oneDNN sums in another order.
//
// Long because every operator has a kernel here, most of them of a few lines.
//
// Not here: what the operators mean (train/engine/op.go), the oracle that the tests compare with (train/engine/ref).
package onednn
