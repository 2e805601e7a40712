// Package preview draws a sheet of training pictures as a network sees them, changed at random and mixed: a row for each picture,
// a column for each epoch. Changing them is dataset's.
package preview

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"io"
	"slices"

	"gleaner/model/bundle"
	"gleaner/train/dataset"
)

// Sheet is some pictures, each as it is and as some epochs show it.
type Sheet struct {
	Set  string // what the page is headed with
	Rows []Row
}

// Row is one picture.
type Row struct {
	Class, Name string
	Cells       []Cell // the first is the picture as it is, at the network's size; then one for each epoch from the first on
}

// Cell is one view of a picture, in the network's pixels: its numbers made values of 0 to 255 again, rounded.
type Cell struct {
	Image *image.RGBA
	Note  string // what a person should know of it, such as what is mixed in; empty: nothing
}

// Options say what a sheet shows.
type Options struct {
	Title string
	Input bundle.Input        // how pixels became the set's numbers
	Feed  dataset.FeedOptions // how a training run makes its batches
	// Rows are how many pictures there are, the classes in turn, and Epochs how many views of each.
	Rows, Epochs int
}

// Make draws a sheet of a set of pictures [H W C], C being 1 or 3.
func Make(set dataset.Set, o Options) (*Sheet, error) {
	if o.Rows < 1 || o.Epochs < 1 {
		return nil, fmt.Errorf("draw a sheet: %d pictures with %d views are none", o.Rows, o.Epochs)
	}
	if s := set.Shape(); len(s) != 3 || s[2] != 1 && s[2] != 3 {
		return nil, fmt.Errorf("draw a sheet: examples of shape %v are no pictures", s)
	}
	labels := set.Heads()[0].Labels
	class := func(i int) string {
		if l := set.Label(i, 0); l >= 0 {
			return labels[l]
		}
		return "?"
	}
	sheet := &Sheet{Set: o.Title}
	plain := make([]float32, set.Shape()[0]*set.Shape()[1]*set.Shape()[2])
	for _, i := range pick(set, o.Rows) {
		if err := set.Input(plain, i, nil); err != nil {
			return nil, err
		}
		row := Row{Class: class(i), Name: set.Name(i), Cells: []Cell{{Image: values(plain, set.Shape(), o.Input), Note: "as it is"}}}
		for epoch := range o.Epochs {
			v, err := dataset.Seen(set, o.Feed, epoch, i)
			if err != nil {
				return nil, err
			}
			c := Cell{Image: values(v.X, set.Shape(), o.Input)}
			if v.With >= 0 {
				c.Note = fmt.Sprintf("%.0f %% %s, %.0f %% %s", 100*v.Share, class(i), 100*(1-v.Share), class(v.With))
			}
			row.Cells = append(row.Cells, c)
		}
		sheet.Rows = append(sheet.Rows, row)
	}
	return sheet, nil
}

// pick chooses up to n examples: of each class in turn, spread over its examples.
func pick(set dataset.Set, n int) (chosen []int) {
	var classes [][]int
	at := map[int]int{}
	for i := range set.Len() {
		l := set.Label(i, 0)
		k, ok := at[l]
		if !ok {
			k = len(classes)
			at[l] = k
			classes = append(classes, nil)
		}
		classes[k] = append(classes[k], i)
	}
	quota := make([]int, len(classes))
	for left := min(n, set.Len()); left > 0; {
		for k, c := range classes {
			if left > 0 && quota[k] < len(c) {
				quota[k], left = quota[k]+1, left-1
			}
		}
	}
	for round := range slices.Max(quota) {
		for k, c := range classes {
			if round < quota[k] {
				chosen = append(chosen, c[round*len(c)/quota[k]])
			}
		}
	}
	return chosen
}

// values is numbers of a shape [H W C] as a picture.
func values(x []float32, shape []int, in bundle.Input) *image.RGBA {
	h, w, c := shape[0], shape[1], shape[2]
	im := image.NewRGBA(image.Rect(0, 0, w, h))
	for p := range w * h {
		var v [3]uint8
		for k := range c {
			f := x[p*c+k]*in.Std[k%len(in.Std)] + in.Mean[k%len(in.Mean)]
			v[k] = uint8(min(max(f, 0), 255) + 0.5)
		}
		switch {
		case c == 1:
			v[1], v[2] = v[0], v[0]
		case in.Colour == "bgr":
			v[0], v[2] = v[2], v[0]
		}
		im.SetRGBA(p%w, p/w, color.RGBA{v[0], v[1], v[2], 255})
	}
	return im
}

// The sheet as one picture: cells of at least shownSide pixels, gap apart.
const (
	shownSide = 96
	gap       = 4
)

// WriteJPEG writes the sheet as one picture. Each pixel of a small input becomes a square.
func (s *Sheet) WriteJPEG(w io.Writer) error {
	size := s.Rows[0].Cells[0].Image.Rect.Size()
	scale := max(1, (shownSide+size.X-1)/size.X)
	cw, ch := size.X*scale+gap, size.Y*scale+gap
	all := image.NewRGBA(image.Rect(0, 0, cw*len(s.Rows[0].Cells)+gap, ch*len(s.Rows)+gap))
	draw.Draw(all, all.Rect, image.White, image.Point{}, draw.Src)
	for y, row := range s.Rows {
		for x, c := range row.Cells {
			for py := range size.Y * scale {
				for px := range size.X * scale {
					all.SetRGBA(gap+x*cw+px, gap+y*ch+py, c.Image.RGBAAt(px/scale, py/scale))
				}
			}
		}
	}
	return jpeg.Encode(w, all, &jpeg.Options{Quality: 92})
}
