//go:build !cgo || nonative

package cv

// Real says whether this build has OpenCV.
const Real = false

// Version is OpenCV's own, or "none" in a build without it.
func Version() string { return "none" }
