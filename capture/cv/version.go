//go:build cgo && !nonative

package cv

import "gocv.io/x/gocv"

// Real says whether this build has OpenCV.
const Real = true

// Version is OpenCV's own, or "none" in a build without it.
func Version() string { return gocv.OpenCVVersion() }
