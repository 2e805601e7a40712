package classify_test

import (
	"bytes"
	"image"
	"testing"

	"gleaner/capture"
	"gleaner/classify"
	"gleaner/classify/classifytest"
	"gleaner/model"
	"gleaner/model/bundle"
	"gleaner/model/modeltest"
)

// TestTurn: the first look is plain, and of four looks each view that is allowed has two.
func TestTurn(t *testing.T) {
	for _, v := range []classify.Views{{}, {Mirror: true}, {Close: true}, {Mirror: true, Close: true}} {
		if v.Turn(0) != (classify.Views{}) {
			t.Errorf("%+v: the first look is %+v", v, v.Turn(0))
		}
		seen := map[classify.Views]bool{}
		mirrored, near := 0, 0
		for n := range 4 {
			got := v.Turn(n)
			if got.Mirror && !v.Mirror || got.Close && !v.Close || got != v.Turn(n+4) {
				t.Errorf("%+v: look %d is %+v", v, n, got)
			}
			seen[got] = true
			if got.Mirror {
				mirrored++
			}
			if got.Close {
				near++
			}
		}
		if v.Mirror != (mirrored == 2) || v.Close != (near == 2) || v.Mirror && v.Close && len(seen) != 4 {
			t.Errorf("%+v: %d mirrored, %d close, %v", v, mirrored, near, seen)
		}
	}
}

func TestShow(t *testing.T) {
	frame := classifytest.Picture(90, 60, 3)
	rect := image.Rect(10, 5, 71, 46)
	var scratch capture.Image
	plain := classify.Views{}.Show(frame, rect, &scratch)
	if plain.Bounds() != image.Rect(0, 0, 61, 41) || &plain.Pix[0] != &frame.Sub(rect).Pix[0] || scratch.Pix != nil {
		t.Error("a plain crop is no view on the frame")
	}
	if got := (classify.Views{Close: true}).Show(frame, rect, &scratch); got.Bounds() != image.Rect(0, 0, 55, 37) || &got.Pix[0] != &frame.Sub(image.Rect(13, 7, 68, 44)).Pix[0] {
		t.Errorf("close: %v", got.Bounds())
	}
	mirror := classify.Views{Mirror: true}.Show(frame, rect, &scratch)
	for y := range plain.H {
		for x := range plain.W {
			if !bytes.Equal(mirror.Row(y)[3*x:3*x+3], plain.Row(y)[3*(60-x):3*(60-x)+3]) {
				t.Fatalf("pixel %d, %d is not its mirror image", x, y)
			}
		}
	}
	if n := testing.AllocsPerRun(20, func() { classify.Views{Mirror: true, Close: true}.Show(frame, rect, &scratch) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if got := (classify.Views{Mirror: true, Close: true}).Show(frame, image.Rectangle{}, &scratch); !got.Empty() {
		t.Errorf("of nothing: %v", got.Bounds())
	}
}

// TestViewsOf: a bundle says which views its network was taught with, and an ensemble has those that all members have.
func TestViewsOf(t *testing.T) {
	taught := func(views ...string) classify.Classifier {
		b := made("probs", []string{"a", "b"}, false)
		b.Manifest.Views = views
		c, err := classify.NewModel(b, lend(t, modeltest.NewTensor("out", model.Float32, modeltest.Shape{1, 2}), nil))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	both, mirror, none := taught(bundle.ViewMirror, bundle.ViewClose), taught(bundle.ViewMirror), taught()
	for _, c := range []struct {
		members []classify.Classifier
		want    classify.Views
	}{{[]classify.Classifier{both}, classify.Views{Mirror: true, Close: true}}, {[]classify.Classifier{both, mirror}, classify.Views{Mirror: true}},
		{[]classify.Classifier{both, none}, classify.Views{}}} {
		e, err := classify.NewEnsemble(c.members)
		if err != nil || classify.ViewsOf(e) != c.want || classify.ViewsOf(c.members[0]) != (classify.Views{Mirror: true, Close: true}) {
			t.Errorf("%v: %+v, want %+v", err, classify.ViewsOf(e), c.want)
		}
	}
}
