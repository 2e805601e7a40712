// Package crop makes the pictures of objects that got a verdict: it takes a copy of a crop's pixels from the pipeline,
// which only lends them, and makes a JPEG of it beside the pipeline. Which crop is worth a picture is the pipeline's
// business; where the picture goes is its publisher's.
package crop

import "fmt"

// Options says what a camera publishes besides its records.
type Options struct {
	// Crop publishes one picture of each object with its verdict, a JPEG on the topic cam/<cam>/crop, and shows it on
	// the status page. Off unless asked for: pictures may show people. The record's id stands in the JPEG's comment.
	Crop bool `yaml:"crop"`
	// CropQuality of the JPEG, 1 to 100.
	CropQuality int `yaml:"crop_quality"`
	// CropMaxSide bounds the picture's width and height, 16 to 512 pixels; a larger crop is reduced.
	CropMaxSide int `yaml:"crop_max_side"`
}

// DefaultOptions publishes no pictures.
func DefaultOptions() Options { return Options{CropQuality: 85, CropMaxSide: 320} }

// Validate names the first key that is out of range.
func (o Options) Validate() error {
	switch {
	case o.CropQuality < 1 || o.CropQuality > 100:
		return fmt.Errorf("crop_quality: %d is not in 1 to 100", o.CropQuality)
	case o.CropMaxSide < 16 || o.CropMaxSide > 512:
		return fmt.Errorf("crop_max_side: %d is not in 16 to 512 pixels", o.CropMaxSide)
	}
	return nil
}
