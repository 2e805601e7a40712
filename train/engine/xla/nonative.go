//go:build !cgo || nonative

package xla

import (
	"errors"

	"gleaner/train/engine"
)

// errNative is why nothing runs in this build.
var errNative = errors.New("this build has no cgo, which PJRT plug-ins need: build with CGO_ENABLED=1")

// Open is not possible in this build.
func Open(Options) (engine.Backend, error) { return nil, errNative }

// Devices is not possible in this build.
func Devices(Options) ([]Device, error) { return nil, errNative }
