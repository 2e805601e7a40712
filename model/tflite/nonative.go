//go:build !cgo || nonative

package tflite

import "gleaner/model"

// Open gives ErrNotBuilt with the file's name: this build has no TensorFlow Lite.
func Open(path string, _ Options) (model.Runner, error) {
	return nil, &Error{Path: path, What: "cannot be run", Hint: ErrNotBuilt.Error(), Err: ErrNotBuilt}
}

// Opener gives a function that gives ErrNotBuilt.
func Opener(path string, o Options) func() (model.Runner, error) {
	return func() (model.Runner, error) { return Open(path, o) }
}

// ProbeChild reports false: nothing is tried in child processes.
func ProbeChild() bool { return false }

// Version says that there is none.
func Version() string { return "none" }

func probePlugin(External, Options) error { return ErrNotBuilt }
