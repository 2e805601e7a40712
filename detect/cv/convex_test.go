package cv

import (
	"math"
	"testing"
)

// TestSolidity draws shapes of which the share is known.
func TestSolidity(t *testing.T) {
	const side = 60
	inside := func(x, y, x0, y0, x1, y1 int) bool { return x >= x0 && x < x1 && y >= y0 && y < y1 }
	for name, c := range map[string]struct {
		in   func(x, y int) bool
		want float64
	}{
		"square":            {func(x, y int) bool { return inside(x, y, 10, 10, 50, 40) }, 1},
		"square with holes": {func(x, y int) bool { return inside(x, y, 10, 10, 50, 40) && !inside(x, y, 20, 20, 40, 30) }, 1},
		"diamond":           {func(x, y int) bool { return max(x-30, 30-x)+max(y-30, 30-y) <= 20 }, 0.98},
		"an L":              {func(x, y int) bool { return inside(x, y, 10, 10, 50, 50) && !inside(x, y, 30, 10, 50, 30) }, 1200. / 1400},
		"two in a step":     {func(x, y int) bool { return inside(x, y, 0, 0, 20, 30) || inside(x, y, 20, 20, 40, 50) }, 1200. / 1600},
		"nothing":           {func(int, int) bool { return false }, 0},
	} {
		m := make([]byte, side*side)
		for i := range m {
			m[i] = is(c.in(i%side, i/side))
		}
		var s splitter
		if got := float64(s.solidity(m, side)); math.Abs(got-c.want) > 0.03 {
			t.Errorf("%s: %.3f, want %.3f", name, got, c.want)
		}
	}
}

// TestCartons holds the splitter to cartons of one usual size: one of two colours whose middle has the belt's is one, and two that lie
// flush, which no neck shows, are two.
func TestCartons(t *testing.T) {
	const w, h = 120, 80
	var s splitter
	for range learnSizes {
		s.usual.learn(blob{x1: 40, y1: 30, area: 1200})
	}
	small := make([]byte, 3*w*h)
	for i := range small {
		if i/3%w >= 30 {
			small[i] = 200
		}
	}
	for name, c := range map[string]struct {
		b    blob
		in   func(x, y int) bool
		want int
	}{
		"one":               {blob{x0: 10, y0: 10, x1: 50, y1: 40}, func(int, int) bool { return true }, 1},
		"one, a hole in it": {blob{x0: 10, y0: 10, x1: 50, y1: 40}, func(x, y int) bool { return x < 10 || x >= 30 || y < 2 || y >= 28 }, 1},
		"two side by side":  {blob{x0: 10, y0: 10, x1: 88, y1: 45}, func(x, y int) bool { return x < 40 && y < 30 || x >= 40 && y >= 5 }, 2},
		"two, one on top":   {blob{x0: 10, y0: 5, x1: 50, y1: 75}, func(x, y int) bool { return y < 40 && x < 32 || y >= 40 && x >= 3 }, 2},
	} {
		win := window{x0: c.b.x0, y0: c.b.y0, w: c.b.x1 - c.b.x0, h: c.b.y1 - c.b.y0, k: 1}
		for i := range win.w * win.h {
			win.m = append(win.m, is(c.in(i%win.w, i/win.w)))
			c.b.area += int(win.m[i])
		}
		if got := s.cut(c.b, win, small, w, nil); len(got) != c.want {
			t.Errorf("%s: found %v", name, got)
		}
	}
}
