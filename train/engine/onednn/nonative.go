//go:build !cgo || nonative

package onednn

import (
	"errors"

	"gleaner/train/engine"
)

// Backend runs programs on the processor; there is none in this build.
type Backend struct{ engine.Backend }

// BFloat16 is false.
func (b *Backend) BFloat16() bool { return false }

// New says that oneDNN is not in this build.
func New(Options) (*Backend, error) {
	return nil, errors.New("oneDNN is not in this build: build with cgo and without -tags nonative")
}
