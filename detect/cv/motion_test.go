package cv

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"gleaner/capture"
	"gleaner/detect"
)

// stage draws a noisy, textured ground with bright squares on it.
type stage struct {
	rng   *rand.Rand
	light float64
}

func (s *stage) draw(squares ...[3]int) capture.Image {
	im := capture.NewImage(320, 180)
	for y := range im.H {
		row := im.Row(y)
		for x := range im.W {
			v := [3]int{90 + (x/9+y/7)%5, 110 + (x/11)%4, 70}
			for _, q := range squares {
				if x >= q[0] && x < q[0]+q[2] && y >= q[1] && y < q[1]+q[2] {
					v = [3]int{160, 170, 190}
				}
			}
			for c := range 3 {
				row[3*x+c] = byte(min(max(float64(v[c])*s.light+s.rng.Float64()*6-3, 0), 255))
			}
		}
	}
	return im
}

// watch shows frames 0 to n-1 of a scene and calls f with what was found.
func watch(t *testing.T, o detect.Options, n int, scene func(k int) capture.Image, f func(k int, got []detect.Detection)) {
	t.Helper()
	d, err := NewMotion(o)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for k := range n {
		got, err := d.Detect(context.Background(), scene(k), time.Unix(0, 0).Add(time.Duration(k)*time.Second/10), nil)
		if err != nil {
			t.Fatal(err)
		}
		f(k, got)
	}
}

func isAt(got []detect.Detection, x, y, side float32) bool {
	return len(got) == 1 && got[0].Box.IoU(detect.Box{X0: x, Y0: y, X1: x + side, Y1: y + side}) > 0.85
}

func TestStandingObjectStays(t *testing.T) {
	s := &stage{rng: rand.New(rand.NewPCG(1, 1)), light: 1}
	o := detect.DefaultOptions()
	o.Motion.Learn = time.Second
	// It comes at frame 20 and stands; the detector learns every second and must not learn it.
	watch(t, o, 90, func(k int) capture.Image {
		if k < 20 {
			return s.draw()
		}
		return s.draw([3]int{100, 50, 40})
	}, func(k int, got []detect.Detection) {
		if k > 5 && k < 20 && len(got) > 0 || k >= 20 && !isAt(got, 100, 50, 40) {
			t.Errorf("frame %d: %v", k, got)
		}
	})
}

func TestLightStepIsNotMotion(t *testing.T) {
	s := &stage{rng: rand.New(rand.NewPCG(2, 2))}
	for _, object := range []bool{false, true} {
		watch(t, detect.DefaultOptions(), 60, func(k int) capture.Image {
			s.light = 1
			if k >= 20 && k < 40 {
				s.light = 0.7
			} else if k >= 40 {
				s.light = 1.2
			}
			if object && k >= 10 {
				return s.draw([3]int{100, 50, 40})
			}
			return s.draw()
		}, func(k int, got []detect.Detection) {
			if k < 10 && len(got) > 0 || k >= 10 && object && !isAt(got, 100, 50, 40) || !object && len(got) > 0 {
				t.Errorf("object %v, frame %d: %v", object, k, got)
			}
		})
	}
}

// TestGhost has an object in the very first frame: when it has gone, the place it leaves is no object.
func TestGhost(t *testing.T) {
	s := &stage{rng: rand.New(rand.NewPCG(3, 3)), light: 1}
	watch(t, detect.DefaultOptions(), 40, func(k int) capture.Image {
		if k < 10 {
			return s.draw([3]int{100, 50, 40})
		}
		return s.draw([3]int{210, 100, 40})
	}, func(k int, got []detect.Detection) {
		if k >= 14 && !isAt(got, 210, 100, 40) {
			t.Errorf("frame %d: %v", k, got)
		}
	})
}

func TestMotionRegion(t *testing.T) {
	s := &stage{rng: rand.New(rand.NewPCG(4, 4)), light: 1}
	o := detect.DefaultOptions()
	o.ROI = []detect.Point{{0, 0}, {1, 0}, {1, 0.6}, {0, 0.6}}
	o.Masks = [][]detect.Point{{{0.5, 0}, {1, 0}, {1, 1}, {0.5, 1}}}
	watch(t, o, 30, func(k int) capture.Image {
		if k < 10 {
			return s.draw()
		}
		return s.draw([3]int{50, 30, 40}, [3]int{50, 130, 40}, [3]int{225, 30, 40})
	}, func(k int, got []detect.Detection) {
		if k >= 10 && !isAt(got, 50, 30, 40) {
			t.Errorf("frame %d: %v, want only what is in the region and not masked", k, got)
		}
	})
}
