package detect

import (
	"slices"

	"gleaner/capture"
)

// Region is where objects count: a polygon and polygons to ignore, in shares of the frame. The zero value is the whole
// frame.
type Region struct {
	In  []Point
	Out [][]Point
}

// Region is the options' region of interest and masks.
func (o Options) Region() Region { return Region{In: o.ROI, Out: o.Masks} }

// Has reports whether the point (x, y), in shares of the frame, counts.
func (r Region) Has(x, y float64) bool {
	if len(r.In) > 0 && !inside(r.In, x, y) {
		return false
	}
	for _, p := range r.Out {
		if inside(p, x, y) {
			return false
		}
	}
	return true
}

// inside is the even-odd rule: a ray to the right crosses the polygon's edges an odd number of times.
func inside(p []Point, x, y float64) bool {
	in := false
	j := len(p) - 1
	for i := range p {
		a, b := p[i], p[j]
		if (a[1] > y) != (b[1] > y) && x < (b[0]-a[0])*(y-a[1])/(b[1]-a[1])+a[0] {
			in = !in
		}
		j = i
	}
	return in
}

// Bounds is the smallest box around the region of interest, in pixels of a w×h frame.
func (r Region) Bounds(w, h int) Box {
	if len(r.In) == 0 {
		return Box{0, 0, float32(w), float32(h)}
	}
	lo, hi := Point{1, 1}, Point{0, 0}
	for _, p := range r.In {
		for a := range 2 {
			lo[a], hi[a] = min(lo[a], p[a]), max(hi[a], p[a])
		}
	}
	return Box{float32(lo[0] * float64(w)), float32(lo[1] * float64(h)), float32(hi[0] * float64(w)),
		float32(hi[1] * float64(h))}
}

// Filter is what Options keep: classes, scores, areas, ratios and the region. It is applied to decoded detections.
type Filter struct {
	region     Region
	minScore   float32
	maxObjects int
	all        limit
	keep       []bool  // by class; nil keeps every class
	per        []limit // by class; nil: no class has limits of its own
}

type limit struct{ minScore, minArea, maxArea, minRatio, maxRatio float32 }

// NewFilter prepares the options' filters for a detector with these labels; minScore stands in where the options state
// no score. It returns an error where a class is unknown.
func NewFilter(o Options, labels []string, superOf map[string]string, minScore float32) (*Filter, error) {
	if err := o.CheckClasses(labels, superOf); err != nil {
		return nil, err
	}
	f := &Filter{region: o.Region(), minScore: minScore, maxObjects: o.MaxObjects, all: limit{
		minArea: float32(o.MinArea), maxArea: float32(o.MaxArea),
		minRatio: float32(o.MinRatio), maxRatio: float32(o.MaxRatio)}}
	if o.MinScore > 0 {
		f.minScore = float32(o.MinScore)
	}
	if len(o.Classes) > 0 {
		f.keep = make([]bool, len(labels))
		for i, l := range labels {
			f.keep[i] = slices.Contains(o.Classes, l) || superOf[l] != "" && slices.Contains(o.Classes, superOf[l])
		}
	}
	if len(o.Limits) > 0 {
		f.per = make([]limit, len(labels))
		for _, l := range o.Limits {
			for i, label := range labels {
				if label == l.Class || superOf[label] == l.Class {
					f.per[i] = limit{float32(l.MinScore), float32(l.MinArea), float32(l.MaxArea),
						float32(l.MinRatio), float32(l.MaxRatio)}
				}
			}
		}
	}
	return f, nil
}

// Floor is the lowest score that any class can pass with; decoders need not look at less.
func (f *Filter) Floor() float32 { return f.minScore }

// Apply clips the detections dst[from:] to the frame, drops those that do not pass, keeps the strongest MaxObjects and
// returns dst. The order is by falling score, equals in the order they came.
func (f *Filter) Apply(dst []Detection, from int, im capture.Image) []Detection {
	frame := float32(im.W) * float32(im.H)
	n := from
	for _, d := range dst[from:] {
		d.Box = clip(d.Box, im.W, im.H)
		if f.passes(d, frame) && f.region.Has(
			float64(d.Box.X0+d.Box.X1)/2/float64(im.W), float64(d.Box.Y0+d.Box.Y1)/2/float64(im.H)) {
			dst[n] = d
			n++
		}
	}
	sortByScore(dst[from:n])
	return dst[:min(n, from+f.maxObjects)]
}

func (f *Filter) passes(d Detection, frame float32) bool {
	// Written so that NaN fails.
	if !(d.Score >= f.minScore) || !(d.Box.Area() > 0) || !f.all.fits(d.Box, frame) {
		return false
	}
	known := d.Class >= 0 && d.Class < len(f.keep)
	if f.keep != nil && (!known || !f.keep[d.Class]) {
		return false
	}
	if f.per != nil && d.Class >= 0 && d.Class < len(f.per) {
		l := f.per[d.Class]
		return d.Score >= l.minScore && l.fits(d.Box, frame)
	}
	return true
}

func (l limit) fits(b Box, frame float32) bool {
	area, ratio := b.Area()/frame, b.W()/b.H()
	return area >= l.minArea && (l.maxArea == 0 || area <= l.maxArea) &&
		ratio >= l.minRatio && (l.maxRatio == 0 || ratio <= l.maxRatio)
}

// clip cuts a box to a w×h frame; a box that holds a NaN becomes empty.
func clip(b Box, w, h int) Box {
	if b.X0 != b.X0 || b.Y0 != b.Y0 || b.X1 != b.X1 || b.Y1 != b.Y1 {
		return Box{}
	}
	fw, fh := float32(w), float32(h)
	return Box{min(max(b.X0, 0), fw), min(max(b.Y0, 0), fh), min(max(b.X1, 0), fw), min(max(b.Y1, 0), fh)}
}
