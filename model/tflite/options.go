// Package tflite runs .tflite networks: the only code that calls TensorFlow Lite. It tries the ways to compute a
// network from the fastest down (external plug-ins such as EdgeTPU and GPU, XNNPACK, the plain kernels), takes the
// first that works and says why the ones above did not. Reading and writing the file format is model/flat; which file
// to run, and whether to trust it, is model/bundle; how to use an accelerator is told in DELEGATES.md.
package tflite

import (
	"errors"
	"time"
)

// Options says how a network is to be computed.
type Options struct {
	// Threads is how many threads one interpreter computes with, 1 to 64. One is best nearly always: the plain kernels
	// collapse when two threads share busy cores, and several cameras keep the cores busy already.
	Threads int `yaml:"threads"`
	// Delegates are plug-ins to try before anything else, in this order.
	Delegates []External `yaml:"delegates"`
	// NoXNNPACK leaves the XNNPACK rungs out, for comparison: it costs a factor of ten on most networks.
	NoXNNPACK bool `yaml:"no_xnnpack"`
	// Rung is the one rung to try, by its name in model.Rung, for those who compare rungs; empty: all of them. It is no
	// part of a configuration.
	Rung string `yaml:"-"`
	// ProbeTimeout is how long a child process may take to try a plug-in or an unknown file; above 0. What it waits for
	// its turn on a busy machine does not count, up to twelve times as long.
	ProbeTimeout time.Duration `yaml:"probe_timeout"`
	// SHA256 is the lower-case hex sum of the file if the caller has just verified it. Open then reads the file only
	// once and does not try it in a child process first. It is no part of a configuration.
	SHA256 string `yaml:"-"`
}

// External is a delegate that comes as a shared library with the functions tflite_plugin_create_delegate and
// tflite_plugin_destroy_delegate, as libedgetpu.so.1 does.
type External struct {
	Library string   `yaml:"library"` // a path, or a name that the system's loader finds
	Options []Option `yaml:"options"` // handed to the plug-in as they are, in this order
}

// Option is one setting of a plug-in; which there are is the plug-in's affair.
type Option struct {
	Key   string `yaml:"key"`   // its name
	Value string `yaml:"value"` // its value, as text
}

// DefaultOptions is one thread, no plug-in, and 10 s for a child process.
func DefaultOptions() Options {
	return Options{Threads: 1, ProbeTimeout: 10 * time.Second}
}

// ErrNotBuilt says that this program has no TensorFlow Lite in it.
var ErrNotBuilt = errors.New("this build has no TensorFlow Lite: build with cgo after make setup")

// ErrClosed is what a Runner's Invoke gives after Close.
var ErrClosed = errors.New("the runner is closed")

// errNoFile is why a plug-in that is not there does not run.
var errNoFile = errors.New("no such file")

// Error is a network that cannot be run: which file, what is wrong with it, and what to do about it.
type Error struct {
	Path string // of the model file
	What string // what is wrong
	Hint string // what an operator can do; may be empty
	Err  error  // what lies below, if anything; not repeated in the text
}

// Error is one line with the path, the fault and the hint.
func (e *Error) Error() string {
	s := "model " + e.Path + " " + e.What
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}

// Unwrap gives the error below.
func (e *Error) Unwrap() error { return e.Err }
