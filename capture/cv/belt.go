package cv

import (
	"gleaner/capture"
	"gleaner/capture/pictures"
)

// newBelt is the drawn belt with the pictures that it carries. It needs no OpenCV.
func newBelt(o capture.Options) (capture.Device, error) {
	set, err := pictures.Open(o.Belt.Pictures)
	if err != nil {
		return nil, err
	}
	return capture.NewBelt(o, set)
}
