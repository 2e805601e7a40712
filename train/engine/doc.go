// Package engine trains and evaluates networks: gorgonia holds the expression graph and derives its gradients, and this
// package plans the graph once and runs it on a Backend.
//
// The way of a network, top to bottom:
//
//	Graph    layers are applied (Conv2D, BatchNorm, …); each is an operator (Op) of gorgonia's graph, whose SymDiff emits
//	         operators that compute its gradients. Activations are NHWC, weights OHWI, TFLite's own layout.
//	Program  Graph.Evaluation or Graph.Training lowers the graph to a flat list of steps on values, the form that every
//	         backend, the exporter and the summary read. A training program ends with the update phase: the optimiser's
//	         steps, which a backend leaves out when the loss is not finite.
//	Fuse     joins steps that a backend can do in one pass.
//	Layout   says where in one arena each value lives: as few bytes as the liveness of the values allows.
//	Runner   a compiled program. Programs of one backend share their variables (Var): parameters, statistics, optimiser state.
//
// Backends are in ref (pure Go, float32 and float64, the oracle), onednn (CPU) and xla (CUDA through a PJRT plug-in).
// What the networks are is in train/net; what is done with them is in train.
//
// Long because an operator's shapes, its gradient and its lowering are one thing: apart, they would drift.
package engine
