package spot

import (
	"context"
	"fmt"
	"image"
	"slices"
	"time"

	"gleaner/capture"
	"gleaner/detect"
)

// Options say how thoroughly a picture is looked at.
type Options struct {
	// TileFrom is the longest side in pixels from which a picture is also looked at in tiles; 0: never.
	TileFrom int
	// Tile is the side of the smallest tiles, pixels; 0: a quarter of the picture's longest side. Tiles of twice that side, and so
	// on up to half of the picture's, are looked at as well: what is too large for one kind is whole in the next.
	Tile int
	// Overlap is the share of a tile's side that neighbours have in common, 0 to 0.9: at a half, what is no larger than half a tile
	// is whole in one of them.
	Overlap float64
	// Looks is how often the network looks at each part. 1: once, as the daemon does; 2: also at its mirror image; 4: and twice at the
	// whole in a grey square, where the network would stretch it to one. Objects that are missed once are found then, at so
	// many times the work.
	Looks int
}

// DefaultOptions look four times, and tile pictures from 2,000 pixels on.
func DefaultOptions() Options { return Options{TileFrom: 2000, Overlap: 0.5, Looks: 4} }

// Check names the first option that is out of range, by its key on the command line.
func (o Options) Check() error {
	switch {
	case o.TileFrom < 0:
		return fmt.Errorf("tile-from=%d is negative", o.TileFrom)
	case o.Tile != 0 && (o.Tile < 32 || o.Tile > 16384):
		return fmt.Errorf("tile=%d is neither 0 (by the picture's size) nor 32 to 16384 pixels", o.Tile)
	case !(o.Overlap >= 0 && o.Overlap <= 0.9):
		return fmt.Errorf("overlap=%v is not in 0 to 0.9", o.Overlap)
	case o.Looks != 1 && o.Looks != 2 && o.Looks != 4:
		return fmt.Errorf("looks=%d is not 1, 2 or 4", o.Looks)
	}
	return nil
}

// tiles lists the tiles of a w×h picture, the smallest last; none where it is not large.
func (o *Options) tiles(w, h int) (all []image.Rectangle) {
	long := max(w, h)
	if o.TileFrom == 0 || long < o.TileFrom {
		return nil
	}
	tile := o.Tile
	if tile == 0 {
		tile = max(long/4, 1)
	}
	var sides []int
	for s := tile; s <= max(long/2, tile) && s < long; s *= 2 {
		sides = append(sides, s)
	}
	slices.Reverse(sides)
	for _, s := range sides {
		all = append(all, detect.Tiles(w, h, s, o.Overlap)...)
	}
	return all
}

// Eye looks at pictures; it belongs to one goroutine.
type Eye struct {
	o       Options
	net     detect.Detector
	stretch bool // the network takes pictures stretched to its shape
	// Scratch.
	mirror, square capture.Image
	all            []seen
	dets           []detect.Detection
}

// Eye makes an Eye that gives boxes of the wanted labels (nil: all) from a score on, above 0 to 1.
func (d *Detector) Eye(o Options, wanted []string, least float64) (*Eye, error) {
	do := detect.DefaultOptions()
	do.Kind, do.Model, do.MinArea, do.MinScore, do.Classes, do.MaxObjects = detect.KindAuto, d.bundle.Manifest.Name, 0, least, wanted, 1000
	net, err := detect.New(do, d.bundle, d.pool)
	return &Eye{o: o, net: net, stretch: d.bundle.Manifest.Input.Fit == "stretch"}, err
}

// Close frees nothing of the Detector's.
func (e *Eye) Close() error { return e.net.Close() }

// Found is one object, as all looks at it together have it.
type Found struct {
	detect.Detection      // box in pixels of the whole picture
	Cut              bool // it was only seen cut off by a tile's side: there may be more of it
}

// Look runs the network over an upright picture and its parts, and gives what it finds, the likeliest first. tiles is how many
// tiles it has looked at.
func (e *Eye) Look(ctx context.Context, im capture.Image) (found []Found, tiles int, err error) {
	e.all = e.all[:0]
	whole := im.Bounds()
	if err := e.part(ctx, im, whole, 0, im); err != nil {
		return nil, 0, err
	}
	if e.o.Looks == 4 && e.stretch && im.W != im.H {
		square, at := e.squared(im)
		if err := e.part(ctx, im, at, 1, square); err != nil {
			return nil, 0, err
		}
	}
	all := e.o.tiles(im.W, im.H)
	for i, t := range all {
		if err := e.part(ctx, im, t, 2+i, im.Sub(t)); err != nil {
			return nil, 0, err
		}
	}
	return merge(e.all), len(all), nil
}

// part looks at the pixels of one part, which lies at rectangle at of the picture im, and notes what is found in pixels of im.
func (e *Eye) part(ctx context.Context, im capture.Image, at image.Rectangle, number int, pixels capture.Image) error {
	for _, mirrored := range []bool{false, true} {
		if mirrored && e.o.Looks == 1 {
			continue
		}
		if err := e.view(ctx, pixels, mirrored); err != nil {
			return err
		}
		x, y := float32(at.Min.X), float32(at.Min.Y)
		for _, d := range e.dets {
			d.Box = detect.Box{X0: max(d.Box.X0+x, 0), Y0: max(d.Box.Y0+y, 0), X1: min(d.Box.X1+x, float32(im.W)), Y1: min(d.Box.Y1+y, float32(im.H))}
			if d.Box.Area() > 0 { // not in the grey
				e.all = append(e.all, seen{d, look{number, mirrored}, cutOff(d.Box, at, im.W, im.H)})
			}
		}
	}
	return nil
}

// view runs the network once, over a part or its mirror image, and leaves in dets what it finds, in pixels of the part.
func (e *Eye) view(ctx context.Context, part capture.Image, mirrored bool) (err error) {
	im := part
	if mirrored {
		im = e.mirrored(part)
	}
	if e.dets, err = e.net.Detect(ctx, im, time.Time{}, e.dets[:0]); err != nil || !mirrored {
		return err
	}
	for i := range e.dets {
		b := &e.dets[i].Box
		b.X0, b.X1 = float32(im.W)-b.X1, float32(im.W)-b.X0
	}
	return nil
}

func (e *Eye) mirrored(im capture.Image) capture.Image {
	out := scratch(&e.mirror, im.W, im.H)
	for y := range im.H {
		from, to := im.Row(y), out.Row(y)
		for x := range im.W {
			copy(to[3*x:3*x+3], from[3*(im.W-1-x):])
		}
	}
	return out
}

// squared is the picture in the middle of a grey square, and where that lies in the picture's pixels.
func (e *Eye) squared(im capture.Image) (capture.Image, image.Rectangle) {
	side := max(im.W, im.H)
	at := image.Rect(0, 0, side, side).Sub(image.Pt((side-im.W)/2, (side-im.H)/2))
	out := scratch(&e.square, side, side)
	for i := range out.Pix {
		out.Pix[i] = 128
	}
	for y := range im.H {
		copy(out.Row(y - at.Min.Y)[-3*at.Min.X:], im.Row(y))
	}
	return out, at
}

// scratch is a picture of w×h in memory that is used again.
func scratch(m *capture.Image, w, h int) capture.Image {
	if len(m.Pix) < 3*w*h {
		*m = capture.NewImage(w, h)
	}
	return capture.Image{Pix: m.Pix[:3*w*h], Stride: 3 * w, W: w, H: h}
}
