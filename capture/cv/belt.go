package cv

import (
	"errors"

	"gleaner/capture"
)

func newBelt(o capture.Options) (capture.Device, error) {
	return nil, errors.New("belt is not wired")
}
