package classify

import (
	"image"
	"slices"

	"gleaner/capture"
	"gleaner/model/bundle"
)

// Views are ways to show a classifier a crop. As what one allows: each, alone and together, leaves an object what it is. As what one
// crop gets: all that are set at once; none is the plain crop.
type Views struct {
	Mirror bool // left and right exchanged
	Close  bool // without the outer twentieth on each side
}

// Varied is a Classifier that says which views its network was taught with.
type Varied interface {
	Classifier
	// Views are those that are allowed.
	Views() Views
}

// ViewsOf is what c allows; a classifier that does not say allows none.
func ViewsOf(c Classifier) Views {
	if v, ok := c.(Varied); ok {
		return v.Views()
	}
	return Views{}
}

// Turn is the view for an object's vote n, counted from 0, of those that v allows. The first is plain, and four have each as often as
// not: a network errs less alike on several views than on several frames (test-time augmentation).
func (v Views) Turn(n int) Views {
	return Views{Mirror: v.Mirror && (n%4 == 1 || n%4 == 2), Close: v.Close && n%2 == 1}
}

// Show gives rect, a part of frame, in the view v. A mirror image is drawn into scratch, which is grown when it is too small; everything
// else is lent by frame.
func (v Views) Show(frame capture.Image, rect image.Rectangle, scratch *capture.Image) capture.Image {
	if v.Close {
		edge := rect.Size().Div(20)
		rect = image.Rectangle{Min: rect.Min.Add(edge), Max: rect.Max.Sub(edge)}
	}
	im := frame.Sub(rect)
	if !v.Mirror {
		return im
	}
	n := 3 * im.W * im.H
	*scratch = capture.Image{Pix: slices.Grow(scratch.Pix[:0], n)[:n], Stride: 3 * im.W, W: im.W, H: im.H}
	for y := range im.H {
		from, to := im.Row(y), scratch.Row(y)
		for i := 0; i < len(to); i += 3 {
			j := len(to) - 3 - i
			to[j], to[j+1], to[j+2] = from[i], from[i+1], from[i+2]
		}
	}
	return *scratch
}

// Views implements Varied.
func (n *network) Views() Views { return n.views }

// viewsOf reads the manifest's.
func viewsOf(m *bundle.Manifest) Views {
	return Views{Mirror: slices.Contains(m.Views, bundle.ViewMirror), Close: slices.Contains(m.Views, bundle.ViewClose)}
}

// Views implements Varied: what every member allows.
func (e *ensemble) Views() Views {
	all := Views{Mirror: true, Close: true}
	for _, m := range e.members {
		v := ViewsOf(m)
		all = Views{Mirror: all.Mirror && v.Mirror, Close: all.Close && v.Close}
	}
	return all
}
