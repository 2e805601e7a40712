//go:build !cgo || nonative

package tflite

import "gleaner/model"

// Open gives ErrNotBuilt with the file's name: this build has no TensorFlow Lite.
func Open(path string, _ Options) (model.Runner, error) {
	return nil, &Error{Path: path, What: "cannot be run", Hint: ErrNotBuilt.Error(), Err: ErrNotBuilt}
}
