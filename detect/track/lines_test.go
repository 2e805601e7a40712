package track

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	if err := DefaultOptions().Validate(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want   string
		change func(*Options)
	}{
		{"high_score: 1.5", func(o *Options) { o.HighScore = 1.5 }},
		{"low_score: NaN", func(o *Options) { o.LowScore = math.NaN() }},
		{"low_score: 0.5 is above", func(o *Options) { o.LowScore = 0.5 }},
		{"new_score: 0.2 is below", func(o *Options) { o.NewScore = 0.2 }},
		{"min_hits: 0", func(o *Options) { o.MinHits = 0 }},
		{"max_lost: 0s", func(o *Options) { o.MaxLost = 0 }},
		{"max_tracks: 0", func(o *Options) { o.MaxTracks = 0 }},
		{"lines[0].name: is missing", func(o *Options) { o.Lines = []Line{{A: Point{0, 1}}} }},
		{"lines[0].b: [2 0]", func(o *Options) { o.Lines = []Line{{Name: "l", B: Point{2, 0}}} }},
		{"lines[0].b: is the same", func(o *Options) { o.Lines = []Line{{Name: "l"}} }},
		{`lines[1].name: "l" is also the name of lines[0]`, func(o *Options) { o.Lines = []Line{{"l", Point{}, Point{1, 1}}, {"l", Point{}, Point{1, 1}}} }},
		{`zones[1].name: "z" is also the name of zones[0]`, func(o *Options) {
			z := Zone{Name: "z", Polygon: []Point{{}, {1, 0}, {1, 1}}}
			o.Zones = []Zone{z, z}
		}},
		{"zones[0].polygon: has 2", func(o *Options) { o.Zones = []Zone{{Name: "z", Polygon: make([]Point, 2)}} }},
		{"zones[0].polygon[1]: [0 -1]", func(o *Options) { o.Zones = []Zone{{Name: "z", Polygon: []Point{{}, {0, -1}, {}}}} }},
	} {
		o := DefaultOptions()
		c.change(&o)
		if err := o.Validate(); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func TestLinesAndZones(t *testing.T) {
	o := DefaultOptions()
	o.Lines = []Line{{"up", Point{0.5, 1}, Point{0.5, 0}}, {"short", Point{0.5, 1}, Point{0.5, 0.9}}}
	o.Zones = []Zone{{"right", []Point{{0.7, 0}, {1, 0}, {1, 1}, {0.7, 1}}}}
	c := NewCounter(o)
	var crossed []Crossing
	var visits []Visit
	at := func(x float64, state State) {
		k := Track{ID: 7, Box: box(x-10, 90, 20, 20), Confirmed: true, State: state}
		cr, v := c.Update(epoch, []Track{k}, nil, 1000, 200)
		crossed, visits = append(crossed, cr...), append(visits, v...)
	}
	for _, x := range []float64{400, 480, 505, 495, 503, 600, 800, 810} { // jitter on the line, then over it
		at(x, Tracked)
	}
	at(300, Lost) // a guess does not cross
	for _, x := range []float64{820, 600, 590, 400, 600} {
		at(x, Tracked)
	}
	at(800, Tracked)
	at(800, Tracked)
	cr, v := c.Update(epoch, nil, []Track{{ID: 7}}, 1000, 200)
	crossed, visits = append(crossed, cr...), append(visits, v...)
	wantC := []Crossing{{"up", 7, true, true, epoch}, {"up", 7, false, false, epoch}, {"up", 7, true, false, epoch}}
	wantV := []Visit{{"right", 7, true, epoch}, {"right", 7, false, epoch}, {"right", 7, true, epoch}, {"right", 7, false, epoch}}
	if !slices.Equal(crossed, wantC) || !slices.Equal(visits, wantV) {
		t.Errorf("%+v\n%+v", crossed, visits)
	}
	if c.Count(0) != (Count{Forward: 2, Back: 1, Tracks: 1}) || c.Count(1) != (Count{}) {
		t.Errorf("%+v %+v", c.Count(0), c.Count(1))
	}
}
