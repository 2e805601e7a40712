//go:build !matprofile || !cgo || nonative

package cv

// mats is nil: only -tags matprofile counts.
func mats() func() int { return nil }
