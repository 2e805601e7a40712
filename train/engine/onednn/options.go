package onednn

// Options say how the backend runs.
type Options struct {
	// Threads is how many threads work; 0: as many as there are processors for this process.
	Threads int
	// BFloat16 makes convolutions with windows (not 1×1, not depthwise, not of few pixels) multiply numbers rounded to bfloat16, 8
	// bits of mantissa, and add up in float32, on a processor that has instructions for it (AVX512_BF16, AMX). Those become up to
	// twice as fast, networks of 3×3 convolutions up to 1.6 times; results differ by about 1 part in 200. All that is kept is
	// float32: weights, activations, gradients.
	BFloat16 bool
	// Library is oneDNN's shared library, a path or a name that the loader knows; empty: libdnnl.so.2.
	Library string
}
