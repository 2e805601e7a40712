package decide

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestLine(t *testing.T) {
	const slack = 0.01
	for _, c := range []struct {
		name string
		pos  []float64
		at   int // index of the position at which it passes; -1: never
		born Side
	}{
		{"passes once", []float64{0.2, 0.4, 0.6, 0.8}, 2, Before},
		{"in one leap", []float64{0.1, 0.75}, 1, Before},
		{"thrown to the far end by a mistake", []float64{0.4, 0.99}, -1, Before},
		{"never comes there", []float64{0.1, 0.3, 0.49}, -1, Before},
		{"first seen past it", []float64{0.6, 0.7}, -1, Past},
		{"first seen on it", []float64{0.5, 0.7}, -1, Past},
		{"first seen past it, carried back, and on again", []float64{0.6, 0.4, 0.6}, -1, Past},
		{"carried back after it passed, and on again", []float64{0.4, 0.6, 0.4, 0.6}, 1, Before},
		{"jitters on the line and goes on", []float64{0.45, 0.499, 0.503, 0.498, 0.504, 0.52}, 5, Before},
		{"jitters on the line and is carried back", []float64{0.45, 0.499, 0.503, 0.498, 0.4}, -1, Before},
		{"the slack's end is past", []float64{0.45, 0.51}, 1, Before},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l Line
			at := -1
			for i, p := range c.pos {
				if l.Step(p, 0.5, slack) {
					if at >= 0 {
						t.Fatalf("passed twice, at %d and %d", at, i)
					}
					at = i
				}
			}
			if at != c.at || l.Born() != c.born {
				t.Errorf("passed at %d, born %d; want %d, %d", at, l.Born(), c.at, c.born)
			}
		})
	}
}

// TestLineAtMostOnce: whatever way an object goes, it passes at most once, and exactly once if it was first seen before
// the line and was ever clearly past it.
func TestLineAtMostOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.Float64Range(0, 1).Draw(t, "line")
		slack := rapid.Float64Range(0, 0.05).Draw(t, "slack")
		way := rapid.SliceOfN(rapid.Float64Range(line-0.3, line+0.29), 1, 60).Draw(t, "way")
		var l Line
		n, past := 0, false
		for _, p := range way {
			if l.Step(p, line, slack) {
				n++
			}
			past = past || p >= line+slack
		}
		want := 0
		if way[0] < line && past {
			want = 1
		}
		if n != want {
			t.Fatalf("passed %d times, want %d", n, want)
		}
	})
}

func TestTravel(t *testing.T) {
	type move struct {
		dx, dy float64
		times  int
	}
	for _, c := range []struct {
		name  string
		moves []move
		want  Direction
	}{
		{"nothing moves", []move{{0, 0, 100}}, Still},
		{"noise", []move{{0.004, -0.003, 1}, {-0.004, 0.003, 1}, {0.004, -0.003, 1}}, Still},
		{"less than a tenth", []move{{0.01, 0, 9}}, Still},
		{"right", []move{{0.01, 0, 11}}, Right},
		{"left", []move{{-0.01, 0, 11}}, Left},
		{"down", []move{{0, 0.01, 11}}, Down},
		{"up", []move{{0, -0.01, 11}}, Up},
		{"mostly right, a little down", []move{{0.01, 0.004, 30}}, Right},
		{"a short reversal", []move{{0.01, 0, 200}, {-0.01, 0, 50}}, Right},
		{"a reversal by most of a frame", []move{{0.01, 0, 200}, {-0.01, 0, 180}}, Right},
		{"short reversals again and again", []move{{0.01, 0, 200}, {-0.01, 0, 40}, {0.01, 0, 100}, {-0.01, 0, 40}, {0.01, 0, 100},
			{-0.01, 0, 40}}, Right},
		{"a full reversal", []move{{0.01, 0, 200}, {-0.01, 0, 200}}, Left},
		{"a full reversal of a belt that runs up", []move{{0, -0.01, 200}, {0, 0.01, 200}}, Down},
		{"turned and turned back", []move{{0.01, 0, 200}, {-0.01, 0, 200}, {0.01, 0, 200}}, Right},
		{"a leap across the frame", []move{{5, 0, 1}}, Right},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tr Travel
			for _, m := range c.moves {
				for range m.times {
					tr.Add(m.dx, m.dy)
				}
			}
			if tr.Direction() != c.want {
				t.Errorf("direction %d, want %d", tr.Direction(), c.want)
			}
		})
	}
}

// TestTravelTurnsOnlyAfterAFrame: a direction once believed does not turn round before the belt went a frame back.
func TestTravelTurnsOnlyAfterAFrame(t *testing.T) {
	opposite := map[Direction]Direction{Right: Left, Left: Right, Up: Down, Down: Up}
	rapid.Check(t, func(t *rapid.T) {
		var tr Travel
		vertical := rapid.Bool().Draw(t, "vertical")
		x, peak := 0.0, 0.0 // where the belt is, and the furthest it was along its direction
		for _, d := range rapid.SliceOfN(rapid.Float64Range(-0.05, 0.05), 0, 300).Draw(t, "steps") {
			before := tr.Direction()
			if x += d; vertical {
				tr.Add(0, d)
			} else {
				tr.Add(d, 0)
			}
			sign := 1.0
			if after := tr.Direction(); after == Left || after == Up {
				sign = -1
			}
			if after := tr.Direction(); before != Still && after != before {
				if after != opposite[before] {
					t.Fatalf("turned from %d to %d", before, after)
				}
				if back := math.Abs(x - peak); back < 0.9 {
					t.Fatalf("turned after %g of a frame", back)
				}
				peak = x
			}
			if tr.Direction() == Still || before == Still || sign*(x-peak) > 0 {
				peak = x
			}
		}
	})
}

func TestAlong(t *testing.T) {
	for d, want := range map[Direction]float64{Right: 0.2, Left: 0.8, Down: 0.7, Up: 0.3} {
		got, ok := d.Along(0.2, 0.7)
		if !ok || math.Abs(got-want) > 1e-12 {
			t.Errorf("direction %d: %g, %v; want %g", d, got, ok, want)
		}
	}
	if _, ok := Still.Along(0.2, 0.7); ok {
		t.Error("a belt that stands has a direction")
	}
}
