package main

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"

	"gleaner/capture"
	"gleaner/capture/cv"
	"gleaner/train/dataset/pack"
)

// resizeLevels is how far fixed-point weights may be from a resize in float64, in levels of 0 to 255.
const resizeLevels = 1

// notes is a file in the composite folder that is no label: the import says so, and goes on.
const notes = "SOURCES_OF_TILES.json"

// shown is what the pictures of one folder showed.
type shown struct {
	boxes, crops int
	exact        int     // crops whose pixels are those of the cut, at the box's own size
	resized      int     // crops that a plain bilinear resize gives, at the default size
	other        float64 // mean difference from Go's own JPEG decoder: it is the right place of the right picture, upright, B G R
}

// exactly imports a folder at the default size, and the pictures of each box once more at the length of its longer side: there the
// crop is not resized at all.
func exactly(root, dir string) (s shown, err error) {
	all, err := boxes(root)
	if err != nil {
		return s, err
	}
	s.boxes = len(all)
	pictures, err := decode(root, all)
	if err != nil {
		return s, err
	}
	of := map[int][]box{}
	for _, b := range all {
		side := max(b.x1-b.x0, b.y1-b.y0)
		of[side] = append(of[side], b)
	}
	fmt.Printf("%d boxes in %d pictures, of %d sizes\n", len(all), len(pictures), len(of))
	if s.crops, err = s.atDefault(root, filepath.Join(dir, "default.set"), all, pictures); err != nil {
		return s, err
	}
	for side, list := range of {
		if err := s.at(side, root, dir, list, pictures); err != nil {
			return s, fmt.Errorf("at %d pixels: %w", side, err)
		}
	}
	s.other /= float64(len(all))
	return s, nil
}

// picture is one picture, decoded twice.
type picture struct {
	stored capture.Image // by the decoder that the product has
	again  capture.Image // by Go's
}

func decode(root string, all []box) (map[string]picture, error) {
	d := cv.NewDecoder()
	defer d.Close()
	list := map[string]picture{}
	for _, b := range all {
		if _, ok := list[b.picture]; ok {
			continue
		}
		file, err := os.ReadFile(filepath.Join(root, b.picture))
		if err != nil {
			return nil, err
		}
		im, err := d.Decode(file)
		if err != nil {
			return nil, err
		}
		other, err := jpeg.Decode(bytes.NewReader(file))
		if err != nil {
			return nil, err
		}
		list[b.picture] = picture{im.CopyTo(capture.Image{}), capture.FromGo(other)}
	}
	return list, nil
}

// atDefault imports the whole folder, counts its crops, and holds each against a plain resize.
func (s *shown) atDefault(root, path string, all []box, pictures map[string]picture) (crops int, err error) {
	r, err := bring(root, path)
	if err != nil {
		return 0, err
	}
	set, err := pack.Open(path)
	if err != nil {
		return 0, err
	}
	defer os.Remove(path)
	defer set.Close()
	for _, p := range set.Problems {
		if p.Path != notes || p.Mended {
			return 0, fmt.Errorf("%+v", p)
		}
	}
	if r.Format != "aihub" || r.Examples != len(set.Examples) {
		return 0, fmt.Errorf("%+v", r)
	}
	pix := make([]byte, set.Format.Bytes())
	for _, b := range all {
		if err := crop(set, b, pix); err != nil {
			return 0, err
		}
		if d := farthest(pix, bilinear(pictures[b.picture].stored, b, set.Format.Width)); d <= resizeLevels {
			s.resized++
		} else {
			fmt.Printf("%+v: off by %d levels from a plain resize\n", b, d)
		}
	}
	return len(set.Examples), nil
}

// at imports the pictures of boxes whose longer side has so many pixels: at that size nothing is resized.
func (s *shown) at(side int, root, dir string, list []box, pictures map[string]picture) error {
	few, err := part(root, dir, list)
	if err != nil {
		return err
	}
	path := few + ".set"
	if _, err := bring(few, path, fmt.Sprintf("--size=%d", side)); err != nil {
		return err
	}
	set, err := pack.Open(path)
	if err != nil {
		return err
	}
	defer os.Remove(path)
	defer set.Close()
	pix := make([]byte, set.Format.Bytes())
	for _, b := range list {
		if err := crop(set, b, pix); err != nil {
			return err
		}
		p := pictures[b.picture]
		if bytes.Equal(pix, padded(p.stored, b, side)) {
			s.exact++
		} else {
			fmt.Printf("%+v: not the pixels of its box\n", b)
		}
		s.other += distance(pix, padded(p.again, b, side)) / float64((b.x1-b.x0)*(b.y1-b.y0)*3)
	}
	return nil
}

// crop reads the pixels of the example of a box; there must be exactly one.
func crop(set *pack.Set, b box, pix []byte) error {
	found := 0
	for i, e := range set.Examples {
		if e.Source.Path == b.picture && e.Class == b.class && e.Box == [4]float64{float64(b.x0), float64(b.y0), float64(b.x1), float64(b.y1)} {
			found++
			if err := set.Pixels(i, pix); err != nil {
				return err
			}
		}
	}
	if found != 1 {
		return fmt.Errorf("%d examples of %+v", found, b)
	}
	return nil
}

// padded cuts a box out and puts it into the middle of a black square.
func padded(im capture.Image, b box, side int) []byte {
	out := make([]byte, side*side*3)
	ox, oy := (side-(b.x1-b.x0))/2, (side-(b.y1-b.y0))/2
	for y := b.y0; y < b.y1; y++ {
		copy(out[((oy+y-b.y0)*side+ox)*3:], im.Pix[y*im.Stride+3*b.x0:y*im.Stride+3*b.x1])
	}
	return out
}

// bilinear cuts a box out and resizes it, in float64 with half-pixel centres and clamped edges, to fill a black square one way.
func bilinear(im capture.Image, b box, side int) []byte {
	w, h := b.x1-b.x0, b.y1-b.y0
	iw, ih := side, side
	if w > h {
		ih = int(math.Floor(float64(h)*float64(side)/float64(w) + 0.5))
	} else {
		iw = int(math.Floor(float64(w)*float64(side)/float64(h) + 0.5))
	}
	out := make([]byte, side*side*3)
	at := func(x, y, c int) float64 {
		x, y = min(max(x, 0), w-1), min(max(y, 0), h-1)
		return float64(im.Pix[(b.y0+y)*im.Stride+3*(b.x0+x)+c])
	}
	for y := range ih {
		sy := (float64(y)+0.5)*float64(h)/float64(ih) - 0.5
		y0 := int(math.Floor(sy))
		v := sy - float64(y0)
		for x := range iw {
			sx := (float64(x)+0.5)*float64(w)/float64(iw) - 0.5
			x0 := int(math.Floor(sx))
			u := sx - float64(x0)
			for c := range 3 {
				p := (1-v)*((1-u)*at(x0, y0, c)+u*at(x0+1, y0, c)) + v*((1-u)*at(x0, y0+1, c)+u*at(x0+1, y0+1, c))
				out[(((side-ih)/2+y)*side+(side-iw)/2+x)*3+c] = byte(math.Round(p))
			}
		}
	}
	return out
}

func farthest(a, b []byte) (d int) {
	for i := range a {
		d = max(d, int(a[i])-int(b[i]), int(b[i])-int(a[i]))
	}
	return d
}

// distance is the sum of all differences.
func distance(a, b []byte) float64 {
	sum := 0.0
	for i := range a {
		sum += math.Abs(float64(a[i]) - float64(b[i]))
	}
	return sum
}

// turned is a picture whose left edge becomes its top (EXIF orientation 6), by Go's own coordinates.
func turned(im capture.Image) capture.Image {
	from := im.ToGo()
	r := from.Bounds()
	to := image.NewRGBA(image.Rect(0, 0, r.Dy(), r.Dx()))
	for y := range r.Dy() {
		for x := range r.Dx() {
			to.Set(r.Dy()-1-y, x, from.At(r.Min.X+x, r.Min.Y+y))
		}
	}
	return capture.FromGo(to)
}
