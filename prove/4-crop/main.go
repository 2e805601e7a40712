// Command 4-crop proves that `gleaner data crop` finds what people labelled: with the COCO SSD, objects of at least 5 % of their
// picture in COCO's photos (same class, IoU at least 0.5), cut out at the verb's own settings. And it proves what tiles are for:
// the same photos, twelve to a picture of 2,560×1,920 pixels, with tiles and without. It goes the verb's way, through
// train/dataset/crop, and checks that the set opens, and that training deals no picture's crops to two parts.
package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"

	"gleaner/capture/cv"
	"gleaner/internal/shared"
	"gleaner/prove/internal/proof"
	"gleaner/train/dataset/crop"
	"gleaner/train/dataset/importer"
	"gleaner/train/dataset/labels"
	"gleaner/train/dataset/pack"
	"gleaner/train/dataset/split"
	"gleaner/train/dataset/spot"
)

const (
	bar   = 0.8  // recall of objects of at least share of their photo
	share = 0.05 // of the photo's area
)

func main() {
	proof.Main(fmt.Sprintf("recall %.2f; large pictures tiled, and more found than without; no picture in two parts", bar), func(_ context.Context, dir string) (string, error) {
		figure, ok, err := prove(dir)
		if err == nil && !ok {
			err = proof.ErrShort
		}
		return figure, err
	})
}

func prove(tmp string) (figure string, pass bool, err error) {
	root := shared.Root()
	if root == "" {
		return "", false, errors.New("test material absent")
	}
	d, err := spot.Open(context.Background(), filepath.Join(root, "models/models/coco_ssd_mobilenet_v1_quant.tflite"),
		filepath.Join(root, "models/labels/coco_ssd_labelmap_with_background.txt"), 2)
	if err != nil {
		return "", false, err
	}
	defer d.Close()
	photos, err := crop.Pictures(filepath.Join(root, "data", "coco"), crop.LabelDetector, labels.Options{})
	if err != nil {
		return "", false, err
	}
	one, err := cut(filepath.Join(tmp, "photos.set"), photos, d, crop.DefaultOptions(), "photos, as the verb does", nil)
	if err != nil {
		return "", false, err
	}
	for _, v := range []struct {
		title string
		looks int
		min   float64
	}{{"photos, looked at once", 1, 0}, {"photos, and mirrored", 2, 0}, {"photos, from a score of 0.5 on", 4, 0.5}} {
		o := crop.DefaultOptions()
		o.Look.Looks, o.Min = v.looks, v.min
		if _, err := cut(filepath.Join(tmp, v.title), photos, d, o, v.title, nil); err != nil {
			return "", false, err
		}
	}
	torn, err := tornApart(filepath.Join(tmp, "photos.set"))
	if err != nil {
		return "", false, err
	}
	with, without, err := large(tmp, photos, d)
	if err != nil {
		return "", false, err
	}
	lo, hi := one.interval()
	figure = fmt.Sprintf("recall %.2f (%d of %d objects of at least 5 %%, %.2f to %.2f; precision of such crops %.2f), in pictures of 2560×1920 %.2f with tiles (%d of %d) "+
		"and %.2f without, %d pictures in two parts", one.recall(), one.found, one.marked, lo, hi, one.precision, with.recall(), with.found, with.marked,
		without.recall(), torn)
	return figure, one.recall() >= bar && with.recall() > without.recall() && torn == 0, nil
}

// tally is what was found of the objects that count.
type tally struct {
	marked, found int
	precision     float64 // of crops of at least share of their picture
}

func (t tally) recall() float64 { return float64(t.found) / float64(max(t.marked, 1)) }

// interval is Wilson's, of 95 %.
func (t tally) interval() (lo, hi float64) {
	const z = 1.96
	n, p := float64(max(t.marked, 1)), t.recall()
	mid, half := p+z*z/(2*n), z*math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return (mid - half) / (1 + z*z/n), (mid + half) / (1 + z*z/n)
}

// cut crops a list and counts: objects of at least the given area, in pixels by picture; nil: share of their picture.
func cut(set string, list *labels.List, d *spot.Detector, o crop.Options, title string, least func(picture string, b [4]float64) bool) (tally, error) {
	o.Workers, o.NewDecoder = 2, func() importer.Decoder { return cv.NewDecoder() }
	r, err := crop.Crop(context.Background(), set, list, d, o)
	if err != nil {
		return tally{}, err
	}
	var t tally
	for _, rec := range r.Records {
		for _, m := range rec.Marks {
			counts := area(m.Box) >= share*float64(rec.Width*rec.Height)
			if least != nil {
				counts = least(rec.Picture, m.Box)
			}
			if !counts {
				continue
			}
			t.marked++
			if m.By >= 0 && rec.Boxes[m.By].Kept {
				t.found++
			}
		}
	}
	if n := r.Truth.Right + r.Truth.Wrong; n > 0 {
		t.precision = float64(r.Truth.Right) / float64(n)
	}
	fmt.Printf("%-34s recall %.2f (%d of %d), precision %.2f (%d of %d), all sizes %d of %d and %d more as doubtful; %d crops, %d of %d pictures in tiles, %d with nothing\n",
		title, t.recall(), t.found, t.marked, t.precision, r.Truth.Right, r.Truth.Right+r.Truth.Wrong, r.Truth.Kept, r.Truth.Marked, r.Truth.Shown, r.Examples,
		r.Tiled, r.Pictures, r.Misses)
	if title == tiledTitle && r.Tiled != r.Pictures {
		return t, fmt.Errorf("%d of %d pictures were looked at in tiles", r.Tiled, r.Pictures)
	}
	return t, nil
}

func area(b [4]float64) float64 { return (b[2] - b[0]) * (b[3] - b[1]) }

// tornApart counts the pictures whose crops a split deals to more than one part.
func tornApart(path string) (int, error) {
	s, err := pack.Open(path)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	part, err := split.Parts(s.Examples, nil, []float64{0.7, 0.15, 0.15}, 1)
	if err != nil {
		return 0, err
	}
	in, torn := map[string]int{}, map[string]bool{}
	for i, e := range s.Examples {
		if p, ok := in[e.Source.Path]; ok && p != part[i] {
			torn[e.Source.Path] = true
		}
		in[e.Source.Path] = part[i]
	}
	return len(torn), nil
}
