package cv

import (
	"encoding/binary"
	"fmt"
	"math"
	"path/filepath"

	"gleaner/classify/prep"
	"gleaner/model/bundle"
	"gleaner/model/tflite"
	"gleaner/train/dataset"
)

// Right runs the file of the bundle in dir on pictures, by their numbers, as the device does, and tells which answers are right.
func Right(dir string, set *dataset.Pictures, index []int) (right []bool, err error) {
	b, err := bundle.Open(dir)
	if err != nil {
		return nil, err
	}
	run, err := tflite.Open(filepath.Join(dir, bundle.ModelFile), tflite.DefaultOptions())
	if err != nil {
		return nil, err
	}
	defer run.Close()
	p, err := prep.New(b.Manifest.Input, run.Inputs()[0])
	if err != nil {
		return nil, err
	}
	for _, i := range index {
		im, err := set.Picture(i)
		if err != nil {
			return nil, err
		}
		p.Fill(run.Inputs()[0].Data, im)
		if err := run.Invoke(); err != nil {
			return nil, fmt.Errorf("%s: %w", set.Name(i), err)
		}
		right = append(right, best(run.Outputs()[0].Data) == set.Label(i, 0))
	}
	return right, nil
}

// best is the class of the greatest of float32 probabilities.
func best(data []byte) (k int) {
	top := float32(-1)
	for i := range len(data) / 4 {
		if v := math.Float32frombits(binary.NativeEndian.Uint32(data[4*i:])); v > top {
			k, top = i, v
		}
	}
	return k
}
