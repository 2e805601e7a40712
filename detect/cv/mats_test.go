//go:build matprofile && cgo && !nonative

package cv

import "gocv.io/x/gocv"

// mats counts the living Mats.
func mats() func() int { return gocv.MatProfile.Count }
