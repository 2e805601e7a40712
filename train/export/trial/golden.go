package trial

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"

	"gleaner/classify"
	"gleaner/classify/known"
	"gleaner/model"
	"gleaner/model/bundle"
	"gleaner/model/tflite"
	"gleaner/train/dataset"
)

// Golden asks a file, as the daemon runs it in a bundle with this manifest, about n pictures of a set at most, some of each class
// where n allows, and gives the files of its known answers; none without pictures. Meanwhile the file stands in the folder dir, under
// a name that begins with prefix.
func Golden(ctx context.Context, dir, prefix string, file []byte, m bundle.Manifest, set dataset.Set, n int) (files map[string][]byte, err error) {
	if set == nil || n == 0 || !Possible() {
		return nil, nil
	}
	labels := set.Heads()[0].Labels
	var pictures [][]byte
	var classes []string
	for _, i := range spread(set, n) {
		text, err := picture(set, i, m.Input)
		if err != nil {
			return nil, err
		}
		pictures, classes = append(pictures, text), append(classes, labels[set.Label(i, 0)])
	}
	f, err := os.CreateTemp(dir, prefix+"*.tflite")
	if err != nil {
		return nil, fmt.Errorf("try the file: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(file)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("try the file: %w", err)
	}
	o, sum := tflite.DefaultOptions(), sha256.Sum256(file)
	o.SHA256 = hex.EncodeToString(sum[:]) // it is our own, and was run a moment ago
	pool, err := model.NewPool(tflite.Opener(f.Name(), o), 1)
	if err != nil {
		return nil, fmt.Errorf("try the file: %w", err)
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	c, err := classify.NewModel(&bundle.Bundle{Manifest: m, Labels: labels}, pool)
	if err != nil {
		return nil, err
	}
	return known.Make(ctx, c, m.Temperature, pictures, classes)
}

// spread is n examples at most: the first of each class, then the second of each, and so on.
func spread(set dataset.Set, n int) (index []int) {
	of := make([][]int, len(set.Heads()[0].Labels))
	for i := range set.Len() {
		if l := set.Label(i, 0); l >= 0 {
			of[l] = append(of[l], i)
		}
	}
	for round, more := 0, true; more; round++ {
		more = false
		for _, list := range of {
			if round < len(list) && len(index) < n {
				index, more = append(index, list[round]), true
			}
		}
	}
	return index
}

// picture is an example as a PNG, the bytes that its numbers were made of.
func picture(set dataset.Set, i int, in bundle.Input) ([]byte, error) {
	s := set.Shape()
	if len(s) != 3 || s[2] != in.Channels() {
		return nil, fmt.Errorf("an example of shape %v is no picture of %d channels", s, in.Channels())
	}
	x := make([]float32, s[0]*s[1]*s[2])
	if err := set.Input(x, i, nil); err != nil {
		return nil, err
	}
	im := image.NewNRGBA(image.Rect(0, 0, s[1], s[0]))
	for p := range s[0] * s[1] {
		var v [3]uint8
		for c := range s[2] {
			mean, std := in.Mean[min(c, len(in.Mean)-1)], in.Std[min(c, len(in.Std)-1)]
			v[c] = uint8(math.Round(min(max(float64(x[p*s[2]+c]*std+mean), 0), 255)))
		}
		switch in.Colour {
		case "gray":
			v[1], v[2] = v[0], v[0]
		case "bgr":
			v[0], v[2] = v[2], v[0]
		}
		im.SetNRGBA(p%s[1], p/s[1], color.NRGBA{R: v[0], G: v[1], B: v[2], A: 255})
	}
	var b bytes.Buffer
	err := png.Encode(&b, im)
	return b.Bytes(), err
}
