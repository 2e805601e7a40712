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
	Tile    int
	Overlap float64 // share of a tile's side that neighbours share, 0 to 0.9
	// Mirror looks at everything a second time, mirrored: twice the work for objects that are missed once.
	Mirror bool
}

// DefaultOptions tile pictures from 2,000 pixels on.
func DefaultOptions() Options { return Options{TileFrom: 2000, Overlap: 0.25, Mirror: true} }

// Check names the first option that is out of range, by its key on the command line.
func (o Options) Check() error {
	switch {
	case o.TileFrom < 0:
		return fmt.Errorf("tile-from=%d is negative", o.TileFrom)
	case o.Tile != 0 && (o.Tile < 32 || o.Tile > 16384):
		return fmt.Errorf("tile=%d is neither 0 (by the picture's size) nor 32 to 16384 pixels", o.Tile)
	case !(o.Overlap >= 0 && o.Overlap <= 0.9):
		return fmt.Errorf("overlap=%v is not in 0 to 0.9", o.Overlap)
	}
	return nil
}

// parts lists what is looked at of a w×h picture: the whole, and tiles of it where it is large, the smallest last.
func (o *Options) parts(w, h int) []image.Rectangle {
	all := []image.Rectangle{image.Rect(0, 0, w, h)}
	long := max(w, h)
	if o.TileFrom == 0 || long < o.TileFrom {
		return all
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
	o      Options
	net    detect.Detector
	mirror capture.Image // scratch
	all    []seen
	dets   []detect.Detection
}

// Eye makes an Eye that gives boxes of the wanted labels (nil: all) from a score on, above 0 to 1.
func (d *Detector) Eye(o Options, wanted []string, least float64) (*Eye, error) {
	do := detect.DefaultOptions()
	do.Kind, do.Model, do.MinArea, do.MinScore, do.Classes, do.MaxObjects = detect.KindAuto, d.bundle.Manifest.Name, 0, least, wanted, 1000
	net, err := detect.New(do, d.bundle, d.pool)
	return &Eye{o: o, net: net}, err
}

// Close frees nothing of the Detector's.
func (e *Eye) Close() error { return e.net.Close() }

// Found is one object, as all looks at it together have it.
type Found struct {
	detect.Detection      // box in pixels of the whole picture
	Cut              bool // it was only seen cut off by a tile's side: there may be more of it
}

// Look runs the network over all parts of an upright picture and gives what it finds, the likeliest first. tiles is how many of
// the parts were tiles.
func (e *Eye) Look(ctx context.Context, im capture.Image) (found []Found, tiles int, err error) {
	e.all = e.all[:0]
	parts := e.o.parts(im.W, im.H)
	for i, part := range parts {
		sub := im.Sub(part)
		for _, mirrored := range []bool{false, true} {
			if mirrored && !e.o.Mirror {
				continue
			}
			if err = e.view(ctx, sub, mirrored); err != nil {
				return nil, 0, err
			}
			for _, d := range e.dets {
				x, y := float32(part.Min.X), float32(part.Min.Y)
				d.Box = detect.Box{X0: d.Box.X0 + x, Y0: d.Box.Y0 + y, X1: d.Box.X1 + x, Y1: d.Box.Y1 + y}
				e.all = append(e.all, seen{d, i, cutOff(d.Box, part, im.W, im.H)})
			}
		}
	}
	return merge(e.all), len(parts) - 1, nil
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
	if len(e.mirror.Pix) < 3*im.W*im.H {
		e.mirror = capture.NewImage(im.W, im.H)
	}
	out := capture.Image{Pix: e.mirror.Pix, Stride: 3 * im.W, W: im.W, H: im.H}
	for y := range im.H {
		from, to := im.Row(y), out.Row(y)
		for x := range im.W {
			copy(to[3*x:3*x+3], from[3*(im.W-1-x):])
		}
	}
	return out
}
