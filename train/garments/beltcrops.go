package garments

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"math/rand/v2"
	"time"

	"gleaner/capture"
	"gleaner/classify"
	"gleaner/detect"
)

// some is a part of a picture set.
type some struct {
	capture.Pictures
	pick []int
}

func (s some) Len() int                           { return len(s.pick) }
func (s some) Label(i int) int                    { return s.Pictures.Label(s.pick[i]) }
func (s some) Image(i int) (capture.Image, error) { return s.Pictures.Image(s.pick[i]) }
func (s some) Path(i int) string                  { return s.Pictures.Path(s.pick[i]) }

// stretchOfBelt is how many items lie on one belt; light, noise and cloth are drawn anew for the next.
const stretchOfBelt = 400

// beltCrops lays pictures from to to-1 on one drawn belt and shows each to fn, at a place drawn by lot,
// cropped as a detector would: its box is not exact and takes part of the shadow along. crop says how crops are cut.
// The image is lent for the call. Seed and from decide all that is drawn by lot.
func beltCrops(ctx context.Context, p capture.Pictures, from, to int, seed uint64, crop classify.Options,
	fn func(im capture.Image, class int) error) error {
	part := some{Pictures: p}
	for i := from; i < to; i++ {
		part.pick = append(part.pick, i)
	}
	rng := rand.New(rand.NewPCG(seed, uint64(from)))
	belt, err := capture.NewBelt(lotBelt(rng, len(part.pick)), part)
	if err != nil {
		return fmt.Errorf("belt crops: %w", err)
	}
	src, err := belt.Open(ctx)
	if err != nil {
		return fmt.Errorf("belt crops: %w", err)
	}
	defer src.Close()
	buf := belt.NewBuffer()
	defer buf.Close()
	due, shown := map[int]int{}, map[int]bool{}
	for {
		t, err := src.Read(ctx, buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("belt crops: %w", err)
		}
		im, frame := buf.Image(), belt.FrameAt(t)
		truth := belt.Truth()
		for _, it := range truth[max(0, len(truth)-32):] {
			box, ok := belt.BoxAt(it, frame)
			if !ok || it.FirstFull < 0 || shown[it.Index] || !box.In(im.Bounds()) {
				continue
			}
			if _, ok := due[it.Index]; !ok {
				due[it.Index] = it.FirstFull + rng.IntN(4) // of about seven frames in which it is in full view
			}
			if frame < due[it.Index] {
				continue
			}
			shown[it.Index] = true
			if c := classify.Crop(im, roughly(box, rng), crop); !c.Empty() {
				if err := fn(im.Sub(c), it.Class); err != nil {
					return err
				}
			}
		}
	}
}

// lotBelt draws a belt's nature by lot, around that of the demo. It runs fast, so that few frames are drawn per item;
// the exposure makes up for it.
func lotBelt(rng *rand.Rand, count int) capture.Options {
	o := capture.DefaultOptions()
	o.Pace, o.FPS, o.Width = "fast", 30, 896
	b := &o.Belt
	b.Seed, b.Count, b.Speed, b.Gap = rng.Uint64(), count, 3000, 60
	b.Exposure = time.Duration(rng.Float64() * 4 / b.Speed * float64(time.Second))
	b.Tint, b.Texture = 0.6*rng.Float64(), 0.6+0.8*rng.Float64()
	b.Noise, b.LightDrift = 1+3*rng.Float64(), 0.1*rng.Float64()
	if rng.IntN(2) == 0 {
		b.Direction = "left"
	}
	b.StopEvery, b.ReverseEvery = 0, 0
	if rng.IntN(4) == 0 { // a tenth of what a camera sees stands still
		b.Exposure = 0
	}
	return o
}

// roughly is a box as a detector finds it.
func roughly(b image.Rectangle, rng *rand.Rand) detect.Box {
	w, h := float32(b.Dx()), float32(b.Dy())
	off := func(side float32) float32 { return side * (rng.Float32()*0.10 - 0.04) }
	out := detect.Box{X0: float32(b.Min.X) - off(w), Y0: float32(b.Min.Y) - off(h),
		X1: float32(b.Max.X) + off(w), Y1: float32(b.Max.Y) + off(h)}
	if rng.IntN(2) == 0 { // the shadow counts as part of the thing
		out.X1 += 8 * rng.Float32()
		out.Y1 += 10 * rng.Float32()
	}
	return out
}
