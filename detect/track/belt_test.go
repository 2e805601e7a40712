package track

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"gleaner/detect"
)

// item is one object on the simulated belt.
type item struct {
	along, y, w, h float64 // place on the belt in px; the frame shows a window of it
	pair           bool    // touches the next one
	merged         int     // frames for which it and the next one are still seen as one
}

// scene is a belt under a 1280×720 camera, told as the boxes that a detector would give.
type scene struct {
	items  []item
	speed  float64 // px per frame at full speed
	miss   float64
	jitter float64 // px, standard deviation of each edge
	merge  float64 // chance per frame that a touching pair is seen as one from now on
	rng    *rand.Rand
	pos, v float64
	truth  map[detect.Box]int // which item a detection of this frame is; merged ones are not in it
}

func newScene(seed uint64, n int, speed float64) *scene {
	s := &scene{speed: speed, miss: 0.05, jitter: 1.5, merge: speed / 150, rng: rand.New(rand.NewPCG(seed, 1))}
	at := [2]float64{-100, -160}
	for i := 0; i < n; i++ {
		lane := i % 2
		w, h := 70+60*s.rng.Float64(), 70+60*s.rng.Float64()
		pair := len(s.items) > 1 && s.items[len(s.items)-2].pair
		gap := 40 + 150*s.rng.Float64()
		if pair {
			gap = 1
		}
		at[lane] -= w + gap
		s.items = append(s.items, item{along: at[lane], y: 130 + 300*float64(lane), w: w, h: h, pair: !pair && s.rng.Float64() < 0.1})
	}
	return s
}

// frame moves the belt towards target (share of full speed) and gives the detections and how many items are to come.
func (s *scene) frame(target float64, dst []detect.Detection) ([]detect.Detection, bool) {
	s.v += min(max(target*s.speed-s.v, -s.speed/4), s.speed/4) // a stop takes four frames
	s.pos += s.v
	more := false
	s.truth = map[detect.Box]int{}
	skip := -1
	for i := range s.items {
		a := &s.items[i]
		x0 := a.along + s.pos
		if x0 < 1280 {
			more = true
		}
		if x0 > 1300 || x0+a.w < -20 || i == skip {
			continue
		}
		b := detect.Box{X0: float32(x0), Y0: float32(a.y), X1: float32(x0 + a.w), Y1: float32(a.y + a.h)}
		if a.pair && i+2 < len(s.items) {
			if a.merged > 0 {
				a.merged--
			} else if s.rng.Float64() < s.merge {
				a.merged = 1 + s.rng.IntN(max(2, int(200/s.speed))) // for up to a sixth of the way
			}
			if a.merged > 0 {
				o := s.items[i+2]
				ox := float32(o.along + s.pos)
				b = detect.Box{X0: min(b.X0, ox), Y0: b.Y0, X1: b.X1, Y1: max(b.Y1, b.Y0+float32(o.h))}
				skip = i + 2
			}
		}
		if s.rng.Float64() < s.miss {
			continue
		}
		j := func() float32 { return float32(s.rng.NormFloat64() * s.jitter) }
		b = detect.Box{X0: max(0, b.X0+j()), Y0: b.Y0 + j(), X1: min(1280, b.X1+j()), Y1: b.Y1 + j()}
		if b.W() >= 12 {
			if i+2 != skip {
				s.truth[b] = i
			}
			dst = append(dst, detect.Detection{Box: b, Class: -1, Score: 1})
		}
	}
	return dst, more
}

// TestBelt counts 500 objects over a line in mid-frame through stops, a reversal, touching pairs that are seen as one
// now and then, missed detections and jitter. The count must be right to 1 %, or to 2 % at 90 px per frame, about a box
// width, where an object is seen in some 14 frames. Two neighbours that part may change their ids; an object may be
// counted twice for it, and its neighbour not at all, no more than once in a run.
func TestBelt(t *testing.T) {
	const n = 500
	for _, speed := range []float64{6, 12, 30, 60, 90} {
		for seed := range uint64(2) {
			if speed == 6 && seed > 0 {
				continue // long
			}
			bar := n / 100
			if speed > 60 {
				bar = n / 50
			}
			t.Run(fmt.Sprintf("%v px per frame, seed %d", speed, seed), func(t *testing.T) {
				o := DefaultOptions()
				o.Lines = []Line{{Name: "gate", A: Point{0.6, 1}, B: Point{0.6, 0}}}
				s, tr, c := newScene(seed, n, speed), New(o), NewCounter(o)
				start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
				var dets []detect.Detection
				back, net, who, switches := false, make([]int, n), map[int64]int{}, 0
				for f, more := 0, true; more; f++ {
					target := 1.0
					phase := f % 400
					switch {
					case phase >= 150 && phase < 190:
						target = 0
					case phase >= 300 && phase < 300+int(500/speed):
						target, back = -1, true
					}
					now := start.Add(time.Duration(f) * time.Second / 15)
					dets, more = s.frame(target, dets[:0])
					tracks, ended := tr.Update(now, dets)
					for _, k := range tracks {
						if i, ok := s.truth[k.Box]; ok && k.Measured {
							if was, ok := who[k.ID]; ok && was != i {
								switches++
							}
							who[k.ID] = i
						}
					}
					crossed, _ := c.Update(now, tracks, ended, 1280, 720)
					for _, k := range crossed {
						if k.Forward {
							net[who[k.Track]]++
						} else {
							net[who[k.Track]]--
						}
					}
				}
				wrong, twice := 0, 0
				for _, k := range net {
					if k != 1 {
						wrong++
					}
					if k > 1 {
						twice++
					}
				}
				count := c.Count(0).Forward - c.Count(0).Back
				t.Logf("counted %d of %d (%+v); %d objects counted other than once, %d of them twice; %d switches", count, n, c.Count(0), wrong, twice, switches)
				if d := count - n; max(d, -d) > bar || wrong > bar {
					t.Errorf("counted %d of %d objects", count, n)
				}
				if !back || twice > 1 {
					t.Errorf("reversed %v, %d objects counted twice", back, twice)
				}
			})
		}
	}
}
