package capture

import (
	"fmt"
	"image"
	"math/rand/v2"
)

// Stills draws single items as the belt would show them, for fitting and judging a classifier: the same outlines,
// colours, turns, shadow, blur, texture, light and noise, with some belt around. It keeps its memory from picture to
// picture and is not safe for concurrent use.
type Stills struct {
	o      Options
	cutout bool
	paint  *painter
	sp     sprite
	sensor sensor
	belt   Image
}

// NewStills makes a Stills for pictures of one kind (Pictures.Cutout) on a frame 720 high; of o, Count, Gap, Touching,
// stops and reversals mean nothing here.
func NewStills(o BeltOptions, cutout bool) (*Stills, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("belt stills: %w", err)
	}
	full := Options{Width: beltWidth, Height: beltHeight, FPS: beltFPS, Belt: o}
	s := &Stills{o: full, cutout: cutout, paint: newPainter(full, cutout),
		sensor: newSensor(beltWidth, beltHeight, o, beltFPS), belt: NewImage(strip, beltHeight)}
	paintBelt(s.belt, o)
	return s, nil
}

// Render draws im as rng decides and returns new memory: the item with a third of its box around it on each side, and
// the box of its outline.
func (s *Stills) Render(im Image, rng *rand.Rand) (Image, image.Rectangle) {
	s.paint.render(&s.sp, im, pickLook(rng, s.o.Belt, s.cutout, beltHeight))
	box := s.sp.box
	rim := image.Pt(box.Dx()/3+8, box.Dy()/3+8)
	out := NewImage(box.Dx()+2*rim.X, box.Dy()+2*rim.Y)
	from, v := rng.IntN(strip-out.W), rng.IntN(max(1, beltHeight-out.H))
	moving := rng.IntN(8) != 0
	s.sensor.light = uint32(256*(1-s.o.Belt.LightDrift*2*rng.Float64())) * uint32(220+rng.IntN(37)) / 256
	s.sensor.state = rng.Uint64()
	blurred := make([]byte, out.W)
	for y := range out.H {
		row := out.Row(y)
		copy(row, s.belt.Row(min(v+y, beltHeight-1))[3*from:])
		for c := 0; moving && c < 3; c++ {
			boxBlur(row[c:], 3, out.W, s.paint.blur, blurred)
		}
		if r := y - rim.Y + box.Min.Y; r >= 0 && r < s.sp.h {
			s.sp.blit(row, r, rim.X-box.Min.X, moving)
		}
		s.sensor.expose(row, beltHeight/2)
	}
	return out, image.Rectangle{Min: rim, Max: rim.Add(box.Size())}
}

// RenderItem is Stills for a single picture: item i of set as the belt of o would show it, and the box of its outline
// in the returned image. Whoever draws many makes a Stills once, which is a hundred times faster.
func RenderItem(set Pictures, i int, rng *rand.Rand, o BeltOptions) (Image, image.Rectangle, error) {
	s, err := NewStills(o, set.Cutout())
	if err != nil {
		return Image{}, image.Rectangle{}, err
	}
	im, err := set.Image(i)
	if err != nil {
		return Image{}, image.Rectangle{}, fmt.Errorf("render item %d: %w", i, err)
	}
	out, box := s.Render(im, rng)
	return out, box, nil
}
