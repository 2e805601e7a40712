package detect

import (
	"math"
	"strings"
	"testing"

	"gleaner/capture"
)

func TestValidate(t *testing.T) {
	if err := DefaultOptions().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for _, c := range []struct {
		name string
		edit func(*Options)
		want string
	}{
		{"kind", func(o *Options) { o.Kind = "magic" }, `kind: unknown "magic"; one of auto, motion, ssd`},
		{"no model", func(o *Options) { o.Kind = KindSSD }, `model: empty, but kind "ssd" needs one`},
		{"score", func(o *Options) { o.MinScore = 1.5 }, "min_score: 1.5 is outside 0 to 1"},
		{"not a number", func(o *Options) { o.IoU = math.NaN() }, "iou: NaN is outside 0 to 1"},
		{"areas crossed", func(o *Options) { o.MinArea, o.MaxArea = 0.5, 0.2 }, "max_area: 0.2 is below min_area 0.5"},
		{"limit's ratio", func(o *Options) { o.Limits = []Limit{{Class: "a"}, {Class: "b", MinRatio: 3, MaxRatio: 2}} },
			"limits[1].max_ratio: 2 is below min_ratio 3"},
		{"limit without class", func(o *Options) { o.Limits = []Limit{{}} }, "limits[0].class: empty"},
		{"two points", func(o *Options) { o.ROI = []Point{{0, 0}, {1, 1}} }, "roi: a polygon has at least 3 points, not 2"},
		{"mask outside", func(o *Options) { o.Masks = [][]Point{{{0, 0}, {1, 0}, {1, 7}}} }, "masks[0][2] y: 7 is outside 0 to 1"},
		{"empty mask", func(o *Options) { o.Masks = [][]Point{{}} }, "masks[0]: a polygon has"},
		{"tiles", func(o *Options) { o.Tiles.Size = 5 }, "tiles.size: 5 is neither"},
		{"gate", func(o *Options) { o.Gate.Level = 0 }, "gate.level: 0 is outside 1 to 255"},
		{"hold", func(o *Options) { o.Gate.Hold = -1 }, "gate.hold: -1ns is negative"},
		{"method", func(o *Options) { o.Motion.Method = "knn" }, `motion.method: unknown "knn"; one of reference, mog2`},
		{"learn", func(o *Options) { o.Motion.Learn = 0 }, "motion.learn: 0s is not positive"},
		{"objects", func(o *Options) { o.MaxObjects = 0 }, "max_objects: 0 is outside"},
	} {
		o := DefaultOptions()
		c.edit(&o)
		if err := o.Validate(); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
}

func TestCheckClasses(t *testing.T) {
	labels, super := []string{"cup", "bottle", "병"}, map[string]string{"cup": "kitchen", "bottle": "kitchen"}
	for _, c := range []struct {
		name    string
		classes []string
		limits  []Limit
		want    string
	}{
		{"known", []string{"병", "kitchen"}, []Limit{{Class: "cup"}}, ""},
		{"misspelt", []string{"cup", "병", "botle"}, nil,
			`classes[2]: unknown class "botle"; the model knows cup, bottle, 병 (in kitchen)`},
		{"limit", nil, []Limit{{Class: "x"}}, `limits[0].class: unknown class "x"; the model knows cup, bottle, 병 (in kitchen)`},
	} {
		err := Options{Classes: c.classes, Limits: c.limits}.CheckClasses(labels, super)
		if got := ""; err != nil && err.Error() != c.want || err == nil && got != c.want {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

func TestFilter(t *testing.T) {
	labels, super := []string{"cup", "bottle", "dog"}, map[string]string{"cup": "kitchen", "bottle": "kitchen"}
	im := capture.NewImage(100, 100)
	in := []Detection{
		{Box{10, 10, 30, 30}, 0, 0.6}, {Box{40, 40, 80, 60}, 1, 0.9}, {Box{-50, 60, 40, 99}, 2, 0.7},
		{Box{70, 70, 72, 72}, 0, 0.8}, {Box{float32(math.NaN()), 0, 1, 1}, 0, 0.99},
	}
	for _, c := range []struct {
		name string
		edit func(*Options)
		want []int // indexes into in
	}{
		{"everything", func(*Options) {}, []int{1, 3, 2, 0}},
		{"one class", func(o *Options) { o.Classes = []string{"dog"} }, []int{2}},
		{"super-category", func(o *Options) { o.Classes = []string{"kitchen"} }, []int{1, 3, 0}},
		{"area", func(o *Options) { o.MinArea = 0.01 }, []int{1, 2, 0}},
		{"ratio", func(o *Options) { o.MinRatio = 1.5 }, []int{1}},
		{"score", func(o *Options) { o.MinScore = 0.75 }, []int{1, 3}},
		{"limits of a class", func(o *Options) { o.Limits = []Limit{{Class: "kitchen", MinArea: 0.05}} }, []int{1, 2}},
		{"strongest", func(o *Options) { o.MaxObjects = 2 }, []int{1, 3}},
		{"region", func(o *Options) { o.ROI = []Point{{0, 0}, {0.5, 0}, {0.5, 1}, {0, 1}} }, []int{2, 0}},
		{"mask", func(o *Options) { o.Masks = [][]Point{{{0, 0}, {0.5, 0}, {0.5, 1}, {0, 1}}} }, []int{1, 3}},
	} {
		o := DefaultOptions()
		o.MinArea = 0
		c.edit(&o)
		f, err := NewFilter(o, labels, super, 0.5)
		if err != nil {
			t.Fatal(err)
		}
		mark := Detection{Class: 77}
		got := f.Apply(append([]Detection{mark}, in...), 1, im)
		if len(got) != 1+len(c.want) || got[0] != mark {
			t.Errorf("%s: %v, want %v", c.name, got[1:], c.want)
			continue
		}
		for i, k := range c.want {
			if got[1+i].Score != in[k].Score {
				t.Errorf("%s: %v, want %v", c.name, got[1:], c.want)
			}
		}
	}
}

func TestTilesCover(t *testing.T) {
	for _, c := range []struct{ length, size int }{{1280, 320}, {1281, 320}, {720, 700}, {700, 720}, {33, 32}} {
		for _, overlap := range []float64{0, 0.2, 0.9} {
			at := starts(c.length, c.size, overlap)
			end := 0
			for i, s := range at {
				if s > end || i > 0 && float64(end-s) < overlap*float64(c.size)-1 {
					t.Errorf("%d by %d at %v: a gap or too little overlap before %d in %v", c.length, c.size, overlap, s, at)
				}
				end = s + c.size
			}
			if end < c.length || at[0] != 0 || len(at) > 1 && end != c.length {
				t.Errorf("%d by %d at %v: %v does not end at the end", c.length, c.size, overlap, at)
			}
		}
	}
}
