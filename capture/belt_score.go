package capture

import (
	"cmp"
	"image"
	"slices"
	"time"
)

// Seen is one object that a pipeline reported of the belt.
type Seen struct {
	Time  time.Time       // of the frame in which it lay in Box
	Box   image.Rectangle // pixels of that frame; for Score, belt coordinates
	Label string          // the verdict; empty for none (unsure, rejected)
	Track uint64          // the pipeline's own number
}

// Result is how well a pipeline found out what lay on the belt. Objects = Counted + Missed, and what was reported =
// Counted + Doubled + Stray; Counted = Right + Wrong + Unsure.
type Result struct {
	Objects int `json:"objects"` // on the belt
	Counted int `json:"counted"` // of them reported
	Missed  int `json:"missed"`  // of them not reported
	Doubled int `json:"doubled"` // reports of one that was reported already
	Stray   int `json:"stray"`   // reports of nothing that was there

	Right  int `json:"right"`  // counted, with the true label
	Wrong  int `json:"wrong"`  // counted, with another label
	Unsure int `json:"unsure"` // counted, without a label

	Touching       int `json:"touching"` // objects that touch a neighbour
	TouchingMissed int `json:"touching_missed"`

	// By is which report each object got: an index into what was reported, or -1.
	By []int `json:"-"`
	// Extra are the reports that are doubled or stray, as indices.
	Extra []int `json:"-"`
}

// CountError is by how much the number of reports is off, as a share of the objects: 0 is right.
func (r Result) CountError() float64 {
	d := r.Doubled + r.Stray - r.Missed
	return float64(max(d, -d)) / float64(max(r.Objects, 1))
}

// Slips is how many objects were missed, doubled or made up, as a share of the objects: unlike CountError it does not
// let a miss make up for a double.
func (r Result) Slips() float64 {
	return float64(r.Missed+r.Doubled+r.Stray) / float64(max(r.Objects, 1))
}

// Accuracy is the share of right labels among the counted objects, 0 to 1.
func (r Result) Accuracy() float64 { return float64(r.Right) / float64(max(r.Counted, 1)) }

// scoreSlack is how many pixels the centre of a report may lie outside the item's own box.
const scoreSlack = 16

// Score compares what was reported, with boxes in belt coordinates, with the truth. A report belongs to an item when
// the centre of its box lies in the item's box (give or take a few pixels); pairs are made nearest first and one to
// one, so that of two neighbours that touch each keeps its own report. What is left over lies in an item that has its
// report (doubled) or in none (stray).
func Score(truth []Item, seen []Seen) Result {
	type pair struct{ item, seen, cost int }
	var pairs []pair
	near := make([]bool, len(seen))
	for s, ev := range seen {
		cx, cy := ev.Box.Min.X+ev.Box.Max.X, ev.Box.Min.Y+ev.Box.Max.Y // doubled, as are the distances
		for i, it := range truth {
			dx, dy := cx-2*it.X-it.W, cy-2*it.Y-it.H
			if max(dx, -dx) > it.W+2*scoreSlack || max(dy, -dy) > it.H+2*scoreSlack {
				continue
			}
			near[s] = true
			pairs = append(pairs, pair{i, s, dx*dx + dy*dy})
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(a.cost, b.cost) })
	r := Result{Objects: len(truth), By: slices.Repeat([]int{-1}, len(truth))}
	used := make([]bool, len(seen))
	for _, p := range pairs {
		if r.By[p.item] < 0 && !used[p.seen] {
			r.By[p.item], used[p.seen] = p.seen, true
		}
	}
	for s := range seen {
		switch {
		case used[s]:
			continue
		case near[s]:
			r.Doubled++
		default:
			r.Stray++
		}
		r.Extra = append(r.Extra, s)
	}
	for i, it := range truth {
		r.add(it, seen, r.By[i])
	}
	return r
}

// add counts one object that got report s, or none (-1).
func (r *Result) add(it Item, seen []Seen, s int) {
	if it.Touching {
		r.Touching++
	}
	switch {
	case s < 0:
		r.Missed++
		if it.Touching {
			r.TouchingMissed++
		}
		return
	case seen[s].Label == "":
		r.Unsure++
	case seen[s].Label == it.Label:
		r.Right++
	default:
		r.Wrong++
	}
	r.Counted++
}

// Score compares what a pipeline reported of this belt, boxes in pixels and the times of their frames, with truth (what
// Truth or Passed returned, or a part of it). Reports of frames that the belt has forgotten count as stray.
func (b *Belt) Score(truth []Item, seen []Seen) Result {
	moved := slices.Clone(seen)
	for i, s := range moved {
		moved[i].Box = b.onBelt(s.Box, b.FrameAt(s.Time))
	}
	return Score(truth, moved)
}

// onBelt turns a box in pixels of frame n into belt coordinates; a forgotten frame gives a box where nothing lies.
func (b *Belt) onBelt(r image.Rectangle, n int) image.Rectangle {
	b.mu.Lock()
	defer b.mu.Unlock()
	off, ok := 0, false
	if b.world != nil {
		off, ok = b.world.offset(n)
	}
	if !ok {
		return image.Rect(0, -1<<20, 1, -1<<20+1)
	}
	return r.Sub(image.Pt(off, 0))
}
