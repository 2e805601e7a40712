package capture

import (
	"image"
	"testing"
	"time"
)

func TestScore(t *testing.T) {
	at := func(x, y, w, h int) image.Rectangle { return image.Rect(x, y, x+w, y+h) }
	truth := []Item{
		{Index: 0, Label: "bag", X: 0, Y: 100, W: 100, H: 100},
		{Index: 1, Label: "coat", X: -300, Y: 100, W: 100, H: 150, Touching: true},
		{Index: 2, Label: "shirt", X: -398, Y: 120, W: 100, H: 100, Touching: true},
	}
	all := []Seen{
		{Box: at(2, 98, 100, 104), Label: "bag"},
		{Box: at(-300, 100, 100, 150), Label: "shirt"},
		{Box: at(-398, 120, 100, 100)},
	}
	add := func(extra ...Seen) []Seen { return append(append([]Seen(nil), all...), extra...) }
	for _, c := range []struct {
		name string
		seen []Seen
		want Result
		err  float64
	}{
		{"nothing seen", nil, Result{Objects: 3, Missed: 3, Touching: 2, TouchingMissed: 2}, 1},
		{"all seen", all, Result{Objects: 3, Counted: 3, Right: 1, Wrong: 1, Unsure: 1, Touching: 2}, 0},
		{"one twice", add(Seen{Box: at(20, 110, 60, 80), Label: "bag"}),
			Result{Objects: 3, Counted: 3, Doubled: 1, Right: 1, Wrong: 1, Unsure: 1, Touching: 2}, 1. / 3},
		{"one of nothing", add(Seen{Box: at(-200, 500, 50, 50)}),
			Result{Objects: 3, Counted: 3, Stray: 1, Right: 1, Wrong: 1, Unsure: 1, Touching: 2}, 1. / 3},
		{"neighbours as one", []Seen{all[0], {Box: at(-398, 100, 198, 150), Label: "coat"}},
			Result{Objects: 3, Counted: 2, Missed: 1, Right: 2, Touching: 2, TouchingMissed: 1}, 1. / 3},
		{"a miss and a stray", []Seen{all[0], all[1], {Box: at(-900, 120, 100, 100)}},
			Result{Objects: 3, Counted: 2, Missed: 1, Stray: 1, Right: 1, Wrong: 1, Touching: 2, TouchingMissed: 1}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Score(truth, c.seen)
			if len(got.Extra) != got.Doubled+got.Stray || len(got.By) != len(truth) {
				t.Errorf("extra %v, by %v", got.Extra, got.By)
			}
			if e := got.CountError(); e < c.err-1e-9 || e > c.err+1e-9 {
				t.Errorf("count error %v, want %v", e, c.err)
			}
			got.By, got.Extra = nil, nil
			want := c.want
			if got.Objects != want.Objects || got.Counted != want.Counted || got.Missed != want.Missed ||
				got.Doubled != want.Doubled || got.Stray != want.Stray || got.Right != want.Right ||
				got.Wrong != want.Wrong || got.Unsure != want.Unsure || got.Touching != want.Touching ||
				got.TouchingMissed != want.TouchingMissed {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestScoreUsesTheFrameOfTheReport(t *testing.T) {
	w := &world{dir: 1, travel: []int64{0, 10 << 8, 20 << 8, 30 << 8}}
	b := &Belt{fps: 10, world: w, start: time.Unix(0, 0)}
	truth := []Item{{Label: "bag", X: 5, Y: 40, W: 20, H: 20}}
	box := image.Rect(35, 40, 55, 60) // where it lies in frame 3
	for _, c := range []struct {
		name           string
		at             time.Duration
		counted, stray int
	}{
		{"its frame", 300 * time.Millisecond, 1, 0},
		{"a little late", 310 * time.Millisecond, 1, 0},
		{"a frame that has not come", time.Second, 0, 1},
	} {
		r := b.Score(truth, []Seen{{Time: b.start.Add(c.at), Box: box, Label: "bag"}})
		if r.Counted != c.counted || r.Stray != c.stray {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}
