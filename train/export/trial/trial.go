// Package trial tries a file that was written, in the runtime that the device has, beside the network that it was made of; and
// shows data sets as an export looks at them. How files are written is in train/export, and which differences pass in
// train/export/parity.
package trial

import (
	"context"
	"errors"
	"fmt"
	"os"

	"gleaner/model"
	"gleaner/model/tflite"
	"gleaner/train/dataset"
	"gleaner/train/export"
	"gleaner/train/export/parity"
)

// Possible tells whether this build has TensorFlow Lite, without which no file can be tried.
func Possible() bool { return tflite.Version() != "none" }

// Verify runs a file beside its network on pictures, as parity.Verify does. Meanwhile the file stands in the folder dir, under a
// name that begins with prefix.
func Verify(dir, prefix string, file []byte, network *parity.Reference, pictures export.Pictures, kind export.Kind) (*parity.Report, error) {
	runner, err := open(dir, prefix, file)
	if err != nil {
		return nil, fmt.Errorf("try the file: %w", err)
	}
	defer runner.Close()
	return parity.Verify(runner, network, pictures, kind)
}

// Each runs a file on pictures, one after the other, and lends each its outputs' bytes. Where the file stands is as in Verify. The end
// of ctx is an error.
func Each(ctx context.Context, dir, prefix string, file []byte, pictures export.Pictures, each func(outputs [][]byte)) error {
	runner, err := open(dir, prefix, file)
	if err != nil {
		return fmt.Errorf("try the file: %w", err)
	}
	defer runner.Close()
	in := runner.Inputs()[0]
	size := 1
	for _, d := range in.Shape {
		size *= d
	}
	picture := make([]float32, size)
	for i := range pictures.N {
		err := ctx.Err()
		if err == nil {
			err = pictures.At(i, picture)
		}
		if err == nil {
			err = parity.Put(in, picture)
		}
		if err == nil {
			err = runner.Invoke()
		}
		if err != nil {
			return fmt.Errorf("run the file on %s: %w", pictures.Label(i), err)
		}
		var outputs [][]byte
		for _, out := range runner.Outputs() {
			outputs = append(outputs, out.Data)
		}
		each(outputs)
	}
	return nil
}

// open runs a file, which stands in dir only for as long as that takes.
func open(dir, prefix string, file []byte) (model.Runner, error) {
	f, err := os.CreateTemp(dir, prefix+"*.tflite")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name()) // the runtime has it open or mapped by then
	_, err = f.Write(file)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return tflite.Open(f.Name(), tflite.DefaultOptions())
}

// Gallery is a set as the exporter looks at it.
func Gallery(s dataset.Set) export.Pictures {
	return export.Pictures{N: s.Len(), Name: s.Name,
		At: func(i int, dst []float32) error { return s.Input(dst, i, nil) },
		Want: func(i int) (want [][]float32) {
			for h, head := range s.Heads() {
				shares := make([]float32, len(head.Labels))
				if l := s.Label(i, h); l >= 0 {
					shares[l] = 1
				}
				want = append(want, shares)
			}
			return want
		}}
}

// Spread is evenly spread examples of a set, n at most.
func Spread(s dataset.Set, n int) dataset.Set {
	n = min(n, s.Len())
	part := &dataset.Subset{Set: s}
	for i := range n {
		part.Index = append(part.Index, i*s.Len()/n)
	}
	return part
}

// PerClass is the first examples of each class of a set's first head, n at most.
func PerClass(s dataset.Set, n int) dataset.Set {
	part, taken := &dataset.Subset{Set: s}, map[int]int{}
	for i := range s.Len() {
		if l := s.Label(i, 0); taken[l] < n {
			taken[l]++
			part.Index = append(part.Index, i)
		}
	}
	return part
}
