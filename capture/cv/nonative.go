//go:build !cgo || nonative

package cv

import (
	"fmt"

	"gleaner/capture"
)

// open says that this build has no OpenCV.
func open(a address, o capture.Options) (capture.Device, error) {
	return nil, fmt.Errorf("source %s:%s needs OpenCV, which this build leaves out: build with cgo and without -tags nonative",
		a.kind, redact(a.arg))
}
