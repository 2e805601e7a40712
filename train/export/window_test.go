package export

import (
	"slices"
	"testing"

	"gleaner/model/flat"
	"gleaner/train/engine"
)

// runtimeWindow is what TensorFlow Lite makes of a padding along one axis (tensorflow/lite/kernels/padding.h): how many
// results, and how many pixels before the first the first window begins.
func runtimeWindow(padding, n, k, stride, before, after int) (out, start int) {
	n += before + after
	if padding == flat.PadValid {
		return (n + stride - k) / stride, before
	}
	out = (n + stride - 1) / stride
	return out, before + max(0, (out-1)*stride+k-n)/2
}

// TestFitMeansTheSameWindow tries every window of a kind on small pictures: what the runtime makes of the answer is the window.
func TestFitMeansTheSameWindow(t *testing.T) {
	tried, padded := 0, 0
	for n := 3; n <= 8; n++ {
		for k := 1; k <= 3; k++ {
			for dil := 1; dil <= 2; dil++ {
				for stride := 1; stride <= 3; stride++ {
					for top := 0; top <= 3; top++ {
						for bottom := 0; bottom <= 3; bottom++ {
							eff := (k-1)*dil + 1
							if n+top+bottom < eff {
								continue
							}
							w := engine.Window{KH: k, KW: 1, SH: stride, SW: 1, DH: dil, DW: 1, Top: top, Bottom: bottom}
							oh := (n+top+bottom-eff)/stride + 1
							padding, pad := fit(w, n, 5, oh, 5)
							out, start := runtimeWindow(padding, n, eff, stride, pad.top, pad.bottom)
							cols, left := runtimeWindow(padding, 5, 1, 1, pad.left, pad.right)
							if out != oh || start != top || cols != 5 || left != 0 {
								t.Fatalf("%+v on %d rows: padding %d within %+v gives %d results from -%d, not %d from -%d", w, n, padding,
									pad, out, start, oh, top)
							}
							tried++
							if pad != (margins{}) {
								padded++
							}
						}
					}
				}
			}
		}
	}
	if padded == 0 || padded == tried {
		t.Errorf("%d of %d windows have a PAD", padded, tried)
	}
}

func TestFitNeedsNoPad(t *testing.T) {
	for _, c := range []struct {
		name    string
		w       engine.Window
		h, o    int
		padding int
		pad     margins
	}{
		{"none", engine.Square(3, 1, 0), 8, 6, flat.PadValid, margins{}},
		{"one on each side", engine.Square(3, 1, 1), 8, 8, flat.PadSame, margins{}},
		{"as TensorFlow", engine.Same(3, 2, 8, 8), 8, 4, flat.PadSame, margins{}},
		{"in front, stride 2", engine.Square(3, 2, 1), 8, 4, flat.PadValid, margins{top: 1, left: 1}},
		{"odd and symmetric", engine.Square(3, 2, 1), 9, 5, flat.PadSame, margins{}},
		{"rows that no window reaches", engine.Window{KH: 2, KW: 2, SH: 2, SW: 2, Bottom: 1, Right: 1}, 8, 4, flat.PadValid, margins{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := c.w
			w.DH, w.DW = 1, 1
			if padding, pad := fit(w, c.h, c.h, c.o, c.o); padding != c.padding || pad != c.pad {
				t.Errorf("padding %d within %+v, want %d within %+v", padding, pad, c.padding, c.pad)
			}
		})
	}
}

func TestCounts(t *testing.T) {
	w := engine.Window{KH: 3, KW: 2, SH: 2, SW: 2, Top: 1, Left: 1}
	if got, want := counts(w, 4, 3, 2, 2), []float32{2, 4, 3, 6}; !slices.Equal(got, want) {
		t.Errorf("counts are %v, want %v", got, want)
	}
}
