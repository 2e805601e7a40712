package track

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gleaner/detect"
	"gleaner/internal/shared"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func box(x, y, w, h float64) detect.Box {
	return detect.Box{X0: float32(x), Y0: float32(y), X1: float32(x + w), Y1: float32(y + h)}
}

func seen(b detect.Box, score float32) detect.Detection {
	return detect.Detection{Box: b, Class: -1, Score: score}
}

// TestProperties runs arbitrary detections and demands what must hold for all of them.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := DefaultOptions()
		o.MinHits = rapid.IntRange(1, 4).Draw(t, "min hits")
		o.MaxTracks = rapid.IntRange(1, 20).Draw(t, "max tracks")
		a, b := New(o), New(o)
		now := epoch
		began, ended := map[int64]bool{}, map[int64]bool{}
		alive := map[int64]bool{}
		for range rapid.IntRange(1, 25).Draw(t, "frames") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 10, 66, 66, 66, 500, 3000}).Draw(t, "ms")) * time.Millisecond)
			dets := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) detect.Detection {
				n := rapid.Float64Range(0, 300)
				d := seen(box(n.Draw(t, "x"), n.Draw(t, "y"), n.Draw(t, "w")/3, n.Draw(t, "h")/3), rapid.Float32Range(0, 1).Draw(t, "score"))
				d.Class = rapid.IntRange(-1, 12).Draw(t, "class")
				return d
			}), 0, 15).Draw(t, "dets")
			mixed := rapid.Permutation(dets).Draw(t, "order")
			ta, ea := a.Update(now, dets)
			tb, eb := b.Update(now, mixed)
			if !slices.Equal(ta, tb) || !slices.Equal(ea, eb) {
				t.Fatalf("the order of the detections matters:\n%v\n%v", ta, tb)
			}
			check(t, o, dets, ta, ea, began, ended, alive)
			if a.Live() != len(ta) {
				t.Fatalf("Live %d, tracks %d", a.Live(), len(ta))
			}
		}
		for _, k := range a.Flush() {
			if ended[k.ID] || !alive[k.ID] {
				t.Fatalf("track %d ends twice", k.ID)
			}
			delete(alive, k.ID)
		}
		if len(alive) > 0 || a.Live() != 0 {
			t.Fatalf("tracks %v never end", alive)
		}
	})
}

// check demands that ids are fresh and ascending, ends happen once, and no detection belongs to two tracks.
func check(t *rapid.T, o Options, dets []detect.Detection, tracks, over []Track, began, ended, alive map[int64]bool) {
	for _, k := range over {
		if !alive[k.ID] || ended[k.ID] {
			t.Fatalf("track %d ends without living", k.ID)
		}
		ended[k.ID] = true
		delete(alive, k.ID)
	}
	if len(tracks) > o.MaxTracks {
		t.Fatalf("%d tracks", len(tracks))
	}
	now := map[int64]bool{}
	left := slices.Clone(dets)
	for i, k := range tracks {
		if i > 0 && tracks[i-1].ID >= k.ID || k.ID < 1 || ended[k.ID] {
			t.Fatalf("ids %v", tracks)
		}
		if !alive[k.ID] && began[k.ID] {
			t.Fatalf("id %d is used twice", k.ID)
		}
		began[k.ID], alive[k.ID], now[k.ID] = true, true, true
		for _, v := range []float64{float64(k.Box.X0), float64(k.Box.Y1), k.VX, k.VY} {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("track %+v", k)
			}
		}
		if !k.Measured {
			continue
		}
		at := slices.IndexFunc(left, func(d detect.Detection) bool { return d.Box == k.Box && d.Score == k.Score })
		if at < 0 {
			t.Fatalf("track %d has a box that no detection has, or that another track has", k.ID)
		}
		left = slices.Delete(left, at, at+1)
		if k.Lost != 0 || k.Confirmed != (k.State != Tentative) {
			t.Fatalf("track %+v", k)
		}
	}
	for id := range alive {
		if !now[id] {
			t.Fatalf("track %d is gone without an end", id)
		}
	}
}

// TestStandsStill is a person before a kiosk for 60 s: the score wavers around the threshold, the detector loses the
// person now and then for up to 0.8 s, and somebody else walks through behind.
func TestStandsStill(t *testing.T) {
	for _, fps := range []int{5, 15, 30} {
		rng := rand.New(rand.NewPCG(3, uint64(fps)))
		tr := New(DefaultOptions())
		ids := map[int64]int{}
		gap := 0
		for f := range 60 * fps {
			n := func(s float64) float64 { return rng.NormFloat64() * s }
			var dets []detect.Detection
			if gap > 0 {
				gap--
			} else if rng.Float64() < 0.01 {
				gap = rng.IntN(max(1, fps*8/10))
			} else {
				score := min(max(0.4+n(0.1), 0.16), 1)
				dets = append(dets, seen(box(500+n(4), 200+n(4), 180+n(6), 400+n(6)), float32(score)))
			}
			if x := float64(f%(20*fps)) * 150 / float64(fps); x < 1100 {
				dets = append(dets, seen(box(x, 150+n(3), 60, 130), 0.9))
			}
			tracks, _ := tr.Update(epoch.Add(time.Duration(f)*time.Second/time.Duration(fps)), dets)
			for _, k := range tracks {
				if k.Confirmed && k.Measured && k.Box.H() > 300 {
					ids[k.ID]++
				}
			}
		}
		if len(ids) != 1 {
			t.Errorf("%d frames a second: the standing person has tracks %v", fps, ids)
		}
	}
}

// TestBoxWidthPerFrame demands that ids hold on a belt that moves by a whole box width from one frame to the next, with
// objects at irregular distances. (At regular ones less than two steps apart, a belt that runs forward and one that runs
// back look the same, as wheels do on film.)
func TestBoxWidthPerFrame(t *testing.T) {
	for seed := range uint64(5) {
		rng := rand.New(rand.NewPCG(seed, 0))
		at, place := 0.0, []float64{}
		for range 300 {
			place = append(place, at)
			at += 105 + rng.Float64()*250
		}
		tr := New(DefaultOptions())
		owner := map[int64]int{}
		switches, unknown := 0, 0
		for f := range 200 {
			var dets []detect.Detection
			var item []int
			for i := range place {
				x := float64(f)*100 - place[i]
				if x0, x1 := max(x, 0), min(x+100, 1280); x1-x0 >= 15 {
					dets, item = append(dets, seen(box(x0, 300, x1-x0, 90), 1)), append(item, i)
				}
			}
			tracks, _ := tr.Update(epoch.Add(time.Duration(f)*time.Second/15), dets)
			for _, k := range tracks {
				at := slices.IndexFunc(dets, func(d detect.Detection) bool { return d.Box == k.Box })
				if !k.Measured || at < 0 {
					continue
				}
				if was, ok := owner[k.ID]; ok && was != item[at] && f > 12 { // until then it is too empty to tell
					switches++
				}
				owner[k.ID] = item[at]
				if f > 30 && !k.Confirmed && k.Hits > 3 {
					unknown++
				}
			}
		}
		if switches > 0 || unknown > 0 {
			t.Errorf("seed %v: %d switches, %d unconfirmed", seed, switches, unknown)
		}
	}
}

// TestConveyor follows the true boxes of a real clip, 12 px per frame, with jitter and missed detections.
func TestConveyor(t *testing.T) {
	raw, err := os.ReadFile(shared.Path(t, "data/video/conveyor-composite.truth.json"))
	if err != nil {
		t.Fatal(err)
	}
	var truth struct {
		FPS, Frames, Width int
		Step               float64 `json:"px_per_frame"`
		Items              []struct {
			Centre int        `json:"center_frame"`
			Box    [4]float64 `json:"box_at_center"`
		}
	}
	if err := json.Unmarshal(raw, &truth); err != nil || len(truth.Items) != 30 {
		t.Fatal(len(truth.Items), err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	tr := New(DefaultOptions())
	owner, tracksOf := map[int64]int{}, map[int]map[int64]bool{}
	for f := range truth.Frames {
		var dets []detect.Detection
		var item []int
		for i, it := range truth.Items {
			dx := -float64(f-it.Centre) * truth.Step
			x0, x1 := max(0, it.Box[0]+dx+rng.NormFloat64()), min(float64(truth.Width), it.Box[2]+dx+rng.NormFloat64())
			if x1-x0 >= 20 && rng.Float64() > 0.05 {
				dets = append(dets, seen(detect.Box{X0: float32(x0), Y0: float32(it.Box[1]), X1: float32(x1), Y1: float32(it.Box[3])}, 1))
				item = append(item, i)
			}
		}
		tracks, _ := tr.Update(epoch.Add(time.Duration(f)*time.Second/time.Duration(truth.FPS)), dets)
		for _, k := range tracks {
			at := slices.IndexFunc(dets, func(d detect.Detection) bool { return d.Box == k.Box })
			if !k.Confirmed || at < 0 {
				continue
			}
			if was, ok := owner[k.ID]; ok && was != item[at] {
				t.Errorf("frame %d: track %d goes from item %d to %d", f, k.ID, was, item[at])
			}
			owner[k.ID] = item[at]
			if tracksOf[item[at]] == nil {
				tracksOf[item[at]] = map[int64]bool{}
			}
			tracksOf[item[at]][k.ID] = true
		}
	}
	for i := range truth.Items {
		if len(tracksOf[i]) != 1 {
			t.Errorf("item %d has tracks %v", i, tracksOf[i])
		}
	}
}

func TestReversalKeepsID(t *testing.T) {
	tr := New(DefaultOptions())
	x, v := 100.0, 12.0
	for f := range 120 {
		switch {
		case f == 40:
			v = 0
		case f == 60:
			v = -12
		case f == 75:
			v = 12
		}
		x += v
		tracks, ended := tr.Update(epoch.Add(time.Duration(f)*time.Second/15), []detect.Detection{seen(box(x, 200, 80, 80), 1), seen(box(x+81, 200, 80, 80), 1)})
		if len(tracks) != 2 || len(ended) != 0 || tracks[0].ID != 1 || tracks[1].ID != 2 || tracks[0].Box.X0 != float32(x) {
			t.Fatalf("frame %d: %+v", f, tracks)
		}
	}
	if vx, vy, ok := tr.BeltSpeed(); !ok || math.Abs(vx-180) > 9 || math.Abs(vy) > 3 {
		t.Errorf("belt speed %v, %v, %v; want 180 px/s", vx, vy, ok)
	}
}

// TestMerged demands that two objects that are seen as one for a second go on as two, and that a track does not count
// as lost meanwhile.
func TestMerged(t *testing.T) {
	tr := New(DefaultOptions())
	for f := range 60 {
		x := 50 + 10*float64(f)
		dets := []detect.Detection{seen(box(x, 200, 80, 80), 1), seen(box(x+80, 205, 90, 70), 1)}
		merged := f >= 20 && f < 40
		if merged {
			dets = []detect.Detection{seen(box(x, 200, 170, 80), 1)}
		}
		tracks, ended := tr.Update(epoch.Add(time.Duration(f)*time.Second/15), dets)
		if len(tracks) != 2 || len(ended) != 0 {
			t.Fatalf("frame %d: %+v", f, tracks)
		}
		for i, k := range tracks {
			if k.ID != int64(i+1) || merged != (k.State == Merged) || merged == k.Measured || k.Lost != 0 {
				t.Fatalf("frame %d: %+v", f, k)
			}
			if want := x + 80*float64(i); math.Abs(float64(k.Box.X0)-want) > 6 {
				t.Errorf("frame %d: track %d at %v, want %v", f, k.ID, k.Box.X0, want)
			}
		}
	}
}

func TestUnusableBoxes(t *testing.T) {
	tr := New(DefaultOptions())
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	tracks, _ := tr.Update(epoch, []detect.Detection{seen(detect.Box{X0: nan, X1: 5, Y1: 5}, 1), seen(detect.Box{X1: inf, Y1: 5}, 1),
		seen(detect.Box{X0: 9, X1: 5, Y1: 5}, 1), seen(detect.Box{X0: -inf, X1: inf, Y1: 5}, 1), seen(box(1, 1, 9, 9), nan), seen(box(1, 1, 9, 9), 1)})
	if len(tracks) != 1 || tracks[0].Box != box(1, 1, 9, 9) {
		t.Errorf("%+v", tracks)
	}
}

func TestClassVote(t *testing.T) {
	tr := New(DefaultOptions())
	var last Track
	for f, class := range []int{2, 5, 5, 2, 5, 9, 10, 11, 12, 13, 14, 15, 16, 5} {
		d := seen(box(10, 10, 50, 50), 0.9)
		d.Class = class
		tracks, _ := tr.Update(epoch.Add(time.Duration(f)*time.Second/15), []detect.Detection{d})
		last = tracks[0]
	}
	if last.Class != 5 || last.Hits != 14 || last.ID != 1 {
		t.Errorf("%+v", last)
	}
}

func TestNoAllocations(t *testing.T) {
	s := newScene(1, 2000, 12)
	tr := New(DefaultOptions())
	o := DefaultOptions()
	o.Lines, o.Zones = []Line{{"l", Point{0.5, 1}, Point{0.5, 0}}}, []Zone{{"z", []Point{{0.2, 0}, {0.4, 0}, {0.4, 1}}}}
	c := NewCounter(o)
	var frames [][]detect.Detection
	for range 900 {
		d, _ := s.frame(1, nil)
		frames = append(frames, d)
	}
	f := 0
	step := func() {
		now := epoch.Add(time.Duration(f) * time.Second / 15)
		tracks, ended := tr.Update(now, frames[f])
		c.Update(now, tracks, ended, 1280, 720)
		f++
	}
	for range 600 {
		step()
	}
	if n := testing.AllocsPerRun(250, step); n > 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

// TestSolver compares with all permutations.
func TestSolver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, cols := rapid.IntRange(0, 5).Draw(t, "rows"), rapid.IntRange(0, 5).Draw(t, "cols")
		var s solver
		s.reset(rows, cols)
		for r := range rows {
			for c := range cols {
				if rapid.IntRange(0, 2).Draw(t, "allowed") > 0 {
					s.set(r, c, rapid.Float64Range(0, 1).Draw(t, "cost"))
				}
			}
		}
		total, used := 0.0, map[int]bool{}
		for r, c := range s.solve() {
			if c < 0 {
				total += forbidden
				continue
			}
			if used[c] || s.cost[r*cols+c] >= forbidden {
				t.Fatalf("column %d", c)
			}
			used[c] = true
			total += s.cost[r*cols+c]
		}
		if best := exhaust(&s, 0, make([]bool, cols)); total > best+1e-6 {
			t.Fatalf("cost %v, best %v", total, best)
		}
	})
}

func exhaust(s *solver, r int, used []bool) float64 {
	if r == s.rows {
		return 0
	}
	best := forbidden + exhaust(s, r+1, used)
	for c := range used {
		if cost := s.cost[r*s.cols+c]; !used[c] && cost < forbidden {
			used[c] = true
			best = min(best, cost+exhaust(s, r+1, used))
			used[c] = false
		}
	}
	return best
}
