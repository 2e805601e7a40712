package cv

import (
	"gleaner/capture"
	"gleaner/capture/pictures"
)

// newBelt is the drawn belt with the pictures that its options name. It needs no OpenCV.
func newBelt(o capture.Options) (capture.Device, error) {
	set, err := pictures.Open(o.Belt.Pictures)
	if err != nil {
		return nil, err
	}
	b, err := capture.NewBelt(o, set)
	if err != nil {
		return nil, err
	}
	return b, nil
}
