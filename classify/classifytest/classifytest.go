// Package classifytest is the conformance suite that every classify.Classifier passes, the fakes of tests included. It
// says what a Classifier promises, not whether its answers are right.
package classifytest

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"gleaner/capture"
	"gleaner/classify"
)

// Run demands the contract of the classifier that open makes. open may register clean-up with its testing.TB.
func Run(t *testing.T, open func(testing.TB) classify.Classifier) {
	t.Run("names", func(t *testing.T) { names(t, open(t)) })
	t.Run("probabilities", func(t *testing.T) { probabilities(t, open(t)) })
	t.Run("destination", func(t *testing.T) { destination(t, open(t)) })
	t.Run("empty crop", func(t *testing.T) { empty(t, open(t)) })
	t.Run("ended context", func(t *testing.T) { ended(t, open(t)) })
	t.Run("concurrent", func(t *testing.T) { concurrent(t, open(t)) })
	t.Run("steady", func(t *testing.T) { steady(t, open(t)) })
}

// Picture is a w×h test picture, another one for each seed.
func Picture(w, h int, seed uint32) capture.Image {
	im := capture.NewImage(w, h)
	for i := range im.Pix {
		seed = seed*1664525 + 1013904223
		im.Pix[i] = byte(seed >> 24)
	}
	return im
}

func names(t *testing.T, c classify.Classifier) {
	labels := c.Labels()
	if len(labels) == 0 {
		t.Fatal("no labels")
	}
	for i, l := range labels { // ImageNet has two cranes, so a label may stand twice
		if l == "" {
			t.Errorf("label %d is empty", i)
		}
	}
	for id := range strings.SplitSeq(c.Model(), ",") {
		if !strings.HasPrefix(id, "sha256:") {
			t.Errorf("model %q does not begin with sha256:", id)
		}
	}
}

func probabilities(t *testing.T, c classify.Classifier) {
	for i, size := range [][2]int{{64, 48}, {1, 1}, {3, 200}, {321, 240}} {
		im := Picture(size[0], size[1], uint32(i))
		before := slices.Clone(im.Pix)
		p, err := c.Classify(t.Context(), im, nil)
		if err != nil {
			t.Fatal(err)
		}
		check(t, c, p)
		if !slices.Equal(before, im.Pix) {
			t.Error("the picture was written to")
		}
		again, err := c.Classify(t.Context(), im, nil)
		if err != nil || !slices.Equal(p, again) {
			t.Errorf("the same picture gives %v and then %v, %v", p, again, err)
		}
		// A view on a larger picture is the same picture.
		frame := Picture(size[0]+20, size[1]+10, 77)
		part := frame.Sub(im.Bounds().Add(frame.Bounds().Min).Add(frame.Bounds().Size().Sub(im.Bounds().Size()).Div(2)))
		for y := range im.H {
			copy(part.Row(y), im.Row(y))
		}
		if again, err = c.Classify(t.Context(), part, nil); err != nil || !slices.Equal(p, again) {
			t.Errorf("a view gives %v, a copy %v, %v", again, p, err)
		}
	}
}

func check(t *testing.T, c classify.Classifier, p []float32) {
	t.Helper()
	if len(p) != len(c.Labels()) {
		t.Fatalf("%d probabilities for %d labels", len(p), len(c.Labels()))
	}
	sum := 0.0
	for _, v := range p {
		if !(v >= 0 && v <= 1) {
			t.Errorf("probability %v", v)
		}
		sum += float64(v)
	}
	if math.Abs(sum-1) > 1e-4 {
		t.Errorf("the probabilities sum to %v", sum)
	}
}

func destination(t *testing.T, c classify.Classifier) {
	n := len(c.Labels())
	dst := make([]float32, n, n+3)
	for i := range dst {
		dst[i] = 9
	}
	p, err := c.Classify(t.Context(), Picture(40, 40, 1), dst)
	if err != nil {
		t.Fatal(err)
	}
	if &p[0] != &dst[0] {
		t.Error("dst has room and was not used")
	}
	check(t, c, p)
	if p, err = c.Classify(t.Context(), Picture(40, 40, 1), make([]float32, 0)); err != nil || !slices.Equal(p, dst) {
		t.Errorf("without room: %v, %v; want %v", p, err, dst)
	}
}

func empty(t *testing.T, c classify.Classifier) {
	if _, err := c.Classify(t.Context(), capture.Image{}, nil); err == nil {
		t.Error("no error for a picture without pixels")
	}
}

func ended(t *testing.T, c classify.Classifier) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Classify(ctx, Picture(40, 40, 1), nil); err == nil {
		t.Error("no error though the context has ended")
	}
	if _, err := c.Classify(t.Context(), Picture(40, 40, 1), nil); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func concurrent(t *testing.T, c classify.Classifier) {
	const callers = 4
	var want [callers][]float32
	for i := range want {
		var err error
		if want[i], err = c.Classify(t.Context(), Picture(50, 30, uint32(i)), nil); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	for i := range callers {
		wg.Go(func() {
			var p []float32
			for range 5 {
				var err error
				if p, err = c.Classify(t.Context(), Picture(50, 30, uint32(i)), p); err != nil || !slices.Equal(p, want[i]) {
					t.Errorf("beside others: %v, %v; alone: %v", p, err, want[i])
					return
				}
			}
		})
	}
}

func steady(t *testing.T, c classify.Classifier) {
	a, b := Picture(50, 30, 1), Picture(33, 60, 2)
	dst := make([]float32, len(c.Labels()))
	ctx := context.Background()
	call := func(im capture.Image) {
		if _, err := c.Classify(ctx, im, dst); err != nil {
			t.Fatal(err)
		}
	}
	call(a)
	call(b)
	if n := testing.AllocsPerRun(10, func() { call(a); call(b) }); n > 0 {
		t.Errorf("%v allocations per call", n/2)
	}
}
