//go:build !cgo || nonative

package onednn

import (
	"errors"

	"gleaner/train/engine"
)

// Backend runs programs on the CPU; not in this build.
type Backend struct{ engine.Backend }

// Options say how it runs.
type Options struct {
	Threads int
	Library string
}

// New says that this build has no oneDNN.
func New(Options) (*Backend, error) {
	return nil, errors.New("oneDNN is not in this build: build with cgo and without -tags nonative")
}
