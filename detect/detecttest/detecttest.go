// Package detecttest holds any detect.Detector or detect.Gate to its contract. It knows no detector and judges no
// accuracy: what a detector finds is proven elsewhere, how it behaves is tested here.
package detecttest

import (
	"context"
	"errors"
	"image"
	"slices"
	"testing"
	"time"

	"gleaner/capture"
	"gleaner/detect"
)

// Frames is a short scene that a Detector finds something in: at least 3 frames of one size. Its pictures are not
// written to.
type Frames []capture.Image

// Scene draws n frames of w×h pixels: a bright square of a fifth of the height crosses a dark, finely textured ground.
// From frame `still` on it stands.
func Scene(w, h, n, still int) Frames {
	frames := make(Frames, n)
	side := h / 5
	for k := range frames {
		im := capture.NewImage(w, h)
		for y := range h {
			row := im.Row(y)
			for x := range row {
				row[x] = byte(60 + (x*7+y*13)%11)
			}
		}
		// The first frames are empty, so that a detector of motion can learn the ground.
		if k >= n/3 {
			x := (min(k, still) - n/3) * 6 % max(w-side, 1)
			for y := h / 3; y < h/3+side; y++ {
				for i := 3 * x; i < 3*(x+side); i++ {
					im.Row(y)[i] = 220
				}
			}
		}
		frames[k] = im
	}
	return frames
}

// Run is the conformance suite. make makes a fresh detector, the same each time; it is closed by the suite. frames is
// a scene in which it finds something. leaks is the number of native things alive (Mats), or nil; it must be the same
// after Close as before make.
func Run(t *testing.T, make func(testing.TB) detect.Detector, frames Frames, leaks func() int) {
	if len(frames) < 3 {
		t.Fatal("the suite needs a scene of at least 3 frames")
	}
	t.Run("finds, inside the frame", func(t *testing.T) { inside(t, make(t), frames) })
	t.Run("the same input gives the same output", func(t *testing.T) { same(t, make, frames) })
	t.Run("appends to dst", func(t *testing.T) { appends(t, make(t), frames) })
	t.Run("a part of a frame is a frame", func(t *testing.T) { parts(t, make, frames) })
	t.Run("an empty image is an error", func(t *testing.T) { empty(t, make(t), frames) })
	t.Run("another size", func(t *testing.T) { resize(t, make(t), frames) })
	if leaks == nil { // counting native things costs allocations of its own
		t.Run("allocates nothing", func(t *testing.T) { steady(t, make(t), frames) })
	} else {
		t.Run("frees what it made", func(t *testing.T) {
			before := leaks()
			d := make(t)
			all(t, d, frames)
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if after := leaks(); after != before {
				t.Errorf("%d native things before, %d after Close", before, after)
			}
		})
	}
}

// at is the time of frame k.
func at(k int) time.Time { return time.Unix(1_000_000, 0).Add(time.Duration(k) * time.Second / 30) }

// all shows every frame and returns all detections.
func all(t testing.TB, d detect.Detector, frames Frames) [][]detect.Detection {
	t.Helper()
	out := make([][]detect.Detection, 0, len(frames))
	for k, im := range frames {
		got, err := d.Detect(context.Background(), im, at(k), nil)
		if err != nil {
			t.Fatalf("frame %d: %v", k, err)
		}
		out = append(out, got)
	}
	return out
}

func closing(t testing.TB, d detect.Detector) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func inside(t *testing.T, d detect.Detector, frames Frames) {
	defer closing(t, d)
	n := 0
	for k, dets := range all(t, d, frames) {
		for _, x := range dets {
			n++
			b, im := x.Box, frames[k]
			if !(b.X0 >= 0 && b.Y0 >= 0 && b.X1 <= float32(im.W) && b.Y1 <= float32(im.H) && b.X0 < b.X1 && b.Y0 < b.Y1) {
				t.Errorf("frame %d: box %v is not a box inside %d×%d", k, b, im.W, im.H)
			}
			if !(x.Score >= 0 && x.Score <= 1) {
				t.Errorf("frame %d: score %v is not in 0 to 1", k, x.Score)
			}
			if labels := d.Labels(); labels == nil && x.Class != -1 || labels != nil && (x.Class < 0 || x.Class >= len(labels)) {
				t.Errorf("frame %d: class %d has no label among %d", k, x.Class, len(labels))
			}
		}
	}
	if n == 0 {
		t.Errorf("nothing found in %d frames; the suite proves nothing on them", len(frames))
	}
}

func same(t *testing.T, make func(testing.TB) detect.Detector, frames Frames) {
	a, b := make(t), make(t)
	defer closing(t, a)
	defer closing(t, b)
	x, y := all(t, a, frames), all(t, b, frames)
	for k := range x {
		if !slices.Equal(x[k], y[k]) {
			t.Errorf("frame %d: first %v, then %v", k, x[k], y[k])
		}
	}
}

func appends(t *testing.T, d detect.Detector, frames Frames) {
	defer closing(t, d)
	mark := detect.Detection{Box: detect.Box{X0: -7, Y0: -7, X1: 9999, Y1: 9999}, Class: 12345, Score: 0}
	for k, im := range frames {
		got, err := d.Detect(context.Background(), im, at(k), []detect.Detection{mark, mark})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) < 2 || got[0] != mark || got[1] != mark {
			t.Fatalf("frame %d: what stood in dst is gone: %v", k, got)
		}
	}
}

// parts shows the frames as parts of larger pictures: a view with a stride must be read as a view.
func parts(t *testing.T, make func(testing.TB) detect.Detector, frames Frames) {
	views := Frames{}
	for _, im := range frames {
		big := capture.NewImage(im.W+40, im.H+24)
		for y := range big.H {
			for x := range big.Row(y) {
				big.Row(y)[x] = byte(x*31 + y*17)
			}
		}
		v := big.Sub(image.Rect(17, 11, 17+im.W, 11+im.H))
		for y := range im.H {
			copy(v.Row(y), im.Row(y))
		}
		views = append(views, v)
	}
	a, b := make(t), make(t)
	defer closing(t, a)
	defer closing(t, b)
	x, y := all(t, a, frames), all(t, b, views)
	for k := range x {
		if !slices.Equal(x[k], y[k]) {
			t.Errorf("frame %d: %v, but as a part of a larger picture %v", k, x[k], y[k])
		}
	}
}

func empty(t *testing.T, d detect.Detector, frames Frames) {
	defer closing(t, d)
	all(t, d, frames)
	for _, im := range []capture.Image{{}, frames[0].Sub(image.Rect(-9, -9, -1, -1)), capture.NewImage(0, 7)} {
		got, err := d.Detect(context.Background(), im, at(len(frames)), nil)
		if !errors.Is(err, detect.ErrEmpty) || len(got) != 0 {
			t.Errorf("image of %d×%d: %v and error %v, want detect.ErrEmpty", im.W, im.H, got, err)
		}
	}
	if _, err := d.Detect(context.Background(), frames[0], at(len(frames)+1), nil); err != nil {
		t.Errorf("the frame after an empty one: %v", err)
	}
}

// resize shows frames of other sizes in between, down to one pixel.
func resize(t *testing.T, d detect.Detector, frames Frames) {
	defer closing(t, d)
	all(t, d, frames)
	for k, size := range []image.Point{{1, 1}, {3, 200}, {200, 3}, {97, 61}, {frames[0].W, frames[0].H}} {
		im := capture.NewImage(size.X, size.Y)
		for j := range 3 {
			got, err := d.Detect(context.Background(), im, at(len(frames)+3*k+j), nil)
			if err != nil {
				t.Fatalf("%d×%d: %v", im.W, im.H, err)
			}
			for _, x := range got {
				if x.Box.X1 > float32(im.W) || x.Box.Y1 > float32(im.H) {
					t.Errorf("%d×%d: box %v is outside", im.W, im.H, x.Box)
				}
			}
		}
	}
}

func steady(t *testing.T, d detect.Detector, frames Frames) {
	defer closing(t, d)
	dst := make([]detect.Detection, 0, 10_000)
	k := 0
	next := func() {
		if _, err := d.Detect(context.Background(), frames[k%len(frames)], at(k), dst); err != nil {
			t.Fatal(err)
		}
		k++
	}
	for range 2 * len(frames) { // its scratch grows to what the scene needs
		next()
	}
	if n := testing.AllocsPerRun(2*len(frames), next); n > 0 {
		t.Errorf("%v Go allocations a frame in the steady state", n)
	}
}

// RunGate is the conformance suite of a motion gate, which make makes with its Hold at a tenth of a second.
func RunGate(t *testing.T, make func(testing.TB) detect.Gate, leaks func() int) {
	t.Run("opens on motion, closes without", func(t *testing.T) { moves(t, make(t)) })
	t.Run("a step of the light is not motion", func(t *testing.T) { dims(t, make(t)) })
	t.Run("an empty image is an error", func(t *testing.T) {
		g := make(t)
		defer g.Close()
		if _, err := g.Open(capture.Image{}, at(0)); !errors.Is(err, detect.ErrEmpty) {
			t.Errorf("error %v, want detect.ErrEmpty", err)
		}
	})
	frames := Scene(320, 180, 60, 40)
	if leaks == nil {
		t.Run("allocates nothing", func(t *testing.T) {
			g := make(t)
			defer g.Close()
			k := 0
			if a := testing.AllocsPerRun(100, func() { show(t, g, frames[k%len(frames)], k); k++ }); a > 0 {
				t.Errorf("%v Go allocations a frame", a)
			}
		})
		return
	}
	t.Run("frees what it made", func(t *testing.T) {
		before := leaks()
		g := make(t)
		show(t, g, frames[0], 0)
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		if after := leaks(); after != before {
			t.Errorf("%d native things before, %d after Close", before, after)
		}
	})
}

func show(t *testing.T, g detect.Gate, im capture.Image, k int) bool {
	t.Helper()
	open, err := g.Open(im, at(k))
	if err != nil {
		t.Fatalf("frame %d: %v", k, err)
	}
	return open
}

func moves(t *testing.T, g detect.Gate) {
	defer g.Close()
	const n, start, stop, patience = 60, 20, 40, 400
	frames := Scene(320, 180, n, stop)
	for k := range start {
		if open := show(t, g, frames[k], k); k >= 10 && open {
			t.Errorf("frame %d: open, and nothing moved", k)
		}
	}
	for k := start; k < stop; k++ {
		if !show(t, g, frames[k], k) {
			t.Errorf("frame %d: closed, and the square moves", k)
		}
	}
	for k := stop; k < stop+patience; k++ {
		if open := show(t, g, frames[n-1], k); k == stop+patience-1 && open {
			t.Error("still open 13 s after the last motion")
		}
	}
}

func dims(t *testing.T, g detect.Gate) {
	defer g.Close()
	bright := Scene(320, 180, 1, 0)[0]
	for y := range bright.H { // Scene's only frame has its square on it: the ground alone is wanted
		copy(bright.Row(y), bright.Row(0))
	}
	dim := bright.CopyTo(capture.Image{})
	for i, v := range dim.Pix {
		dim.Pix[i] = byte(int(v) * 7 / 10)
	}
	for k := range 60 {
		im := bright
		if k >= 30 {
			im = dim
		}
		if open := show(t, g, im, k); k >= 10 && open {
			t.Errorf("frame %d: open", k)
		}
	}
}
