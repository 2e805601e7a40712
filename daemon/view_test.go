package daemon

import (
	"context"
	"slices"
	"testing"

	"gleaner/capture"
	"gleaner/classify"
	"gleaner/daemon/decide"
)

// varied is an eye whose bundle allows close views, and which notes how wide the crops were.
type varied struct {
	*eye
	widths []int
}

func (v *varied) Views() classify.Views { return classify.Views{Mirror: true, Close: true} }

func (v *varied) Look(ctx context.Context, im capture.Image, dst []float32) ([]float32, float32, error) {
	v.widths = append(v.widths, im.W)
	return v.eye.Look(ctx, im, dst)
}

// TestViews: an object's later crops are shown closer in turn where the bundle allows it, unless the camera's config says no.
func TestViews(t *testing.T) {
	for _, on := range []bool{true, false} {
		v := &varied{eye: newEye()}
		p := newPlay(t, &stage{actors: []actor{{in: 0, out: 60, x: 40, y: 60, side: 80, class: -1}}}, v, func(o *PipelineOptions) {
			o.Decide.When, o.Decide.Votes, o.Classify.Margin, o.Classify.Views = decide.WhenEnd, 5, 0, on
		})
		p.to(80)
		p.Flush()
		want := []int{80, 80, 80, 80, 80}
		if on {
			want = []int{80, 72, 80, 72, 80}
		}
		if !slices.Equal(v.widths, want) || len(p.inbox.objects) != 1 || p.inbox.objects[0].Votes[1] != 5 {
			t.Errorf("views %v: crops as wide as %v, want %v; %d records", on, v.widths, want, len(p.inbox.objects))
		}
	}
}
