package detect

import (
	"fmt"
	"unsafe"

	"gleaner/model"
)

// head reads a network's output tensors. Which tensor is which is found by shape, since converters order them as they
// like.
type head struct {
	name       string
	background bool
	labels     int
	w, h       int // input pixels

	roles   int    // how many outputs are read
	at      [4]int // role → output index: boxes, scores; for ssd-post boxes, classes, scores, count
	n       int    // boxes
	columns int    // values per box, or classes
	byChan  bool   // yolov8: [values][boxes]
	offset  int    // ssd-post: added to the class
	anchors []Anchor
	real    [4][]float32 // outputs as real numbers, scratch for those that are not float32
}

// meet finds the roles of the outputs.
func (h *head) meet(out []model.Tensor) error {
	switch h.name {
	case "ssd":
		return h.meetSSD(out)
	case "ssd-post":
		return h.meetPost(out)
	case "yolov5", "yolov8":
		return h.meetYOLO(out)
	case "blazeface-short":
		h.anchors = FaceShortAnchors()
		return h.meetFace(out)
	case "blazeface-full":
		h.anchors = FaceFullAnchors()
		return h.meetFace(out)
	}
	return fmt.Errorf("head %q finds no objects", h.name)
}

func (h *head) meetSSD(out []model.Tensor) error {
	h.anchors = SSDAnchors(h.w, h.h)
	h.n, h.roles = len(h.anchors), 2
	if len(out) != 2 {
		return fmt.Errorf("head ssd has 2 outputs, the model %d", len(out))
	}
	a, b := flat3(out[0]), flat3(out[1])
	// Column counts of 4 on both sides leave the converter's order, boxes first.
	switch {
	case a == [2]int{h.n, 4} && b[0] == h.n:
		h.at, h.columns = [4]int{0, 1}, b[1]
	case b == [2]int{h.n, 4} && a[0] == h.n:
		h.at, h.columns = [4]int{1, 0}, a[1]
	default:
		return fmt.Errorf("head ssd on %d×%d pixels has boxes [1 %d 4] and scores [1 %d classes], the model %v and %v",
			h.w, h.h, h.n, h.n, out[0].Shape, out[1].Shape)
	}
	return h.fits(h.columns)
}

func (h *head) meetPost(out []model.Tensor) error {
	if len(out) != 4 {
		return fmt.Errorf("head ssd-post has 4 outputs, the model %d", len(out))
	}
	// The operator's own order is boxes, classes, scores, count (tensorflow/lite/kernels/detection_postprocess.cc);
	// the shapes confirm it, but do not tell classes from scores.
	h.n = elems(out[1])
	if elems(out[0]) != 4*h.n || elems(out[2]) != h.n || elems(out[3]) != 1 {
		return fmt.Errorf("head ssd-post has boxes [1 n 4], classes [1 n], scores [1 n], count [1], the model %v %v %v %v",
			out[0].Shape, out[1].Shape, out[2].Shape, out[3].Shape)
	}
	h.at, h.roles = [4]int{0, 1, 2, 3}, 4
	if h.background { // the operator counts its classes without the background
		h.offset = 1
	}
	return nil
}

func (h *head) meetYOLO(out []model.Tensor) error {
	if len(out) != 1 || len(out[0].Shape) != 3 || out[0].Shape[0] != 1 {
		return fmt.Errorf("head %s has one output of rank 3, the model %d", h.name, len(out))
	}
	h.roles = 1
	a, b := out[0].Shape[1], out[0].Shape[2]
	head := 4
	if h.name == "yolov5" {
		head = 5
	}
	switch {
	case b == head+h.labels:
		h.n, h.columns = a, h.labels
	case a == head+h.labels && h.name == "yolov8":
		h.n, h.columns, h.byChan = b, h.labels, true
	default:
		return fmt.Errorf("head %s with %d labels has %d values per box, the model's output is %v", h.name, h.labels,
			head+h.labels, out[0].Shape)
	}
	return nil
}

func (h *head) meetFace(out []model.Tensor) error {
	h.n, h.roles = len(h.anchors), 2
	if len(out) != 2 {
		return fmt.Errorf("head %s has 2 outputs, the model %d", h.name, len(out))
	}
	for i := range 2 {
		if flat3(out[i]) == [2]int{h.n, 16} && flat3(out[1-i]) == [2]int{h.n, 1} {
			h.at = [4]int{i, 1 - i}
			return nil
		}
	}
	return fmt.Errorf("head %s has outputs [1 %d 16] and [1 %d 1], the model %v and %v", h.name, h.n, h.n, out[0].Shape,
		out[1].Shape)
}

func (h *head) fits(columns int) error {
	if columns != h.labels {
		return fmt.Errorf("%d labels, but the model has %d classes", h.labels, columns)
	}
	return nil
}

// flat3 is the last two sizes of a [1, n, k] shape; zero for any other.
func flat3(t model.Tensor) [2]int {
	if len(t.Shape) != 3 || t.Shape[0] != 1 {
		return [2]int{}
	}
	return [2]int{t.Shape[1], t.Shape[2]}
}

func elems(t model.Tensor) int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// decode appends what the outputs hold, boxes in shares of the input.
func (h *head) decode(out []model.Tensor, floor float32, dst []Detection) ([]Detection, error) {
	var v [4][]float32
	for k := range h.roles {
		var err error
		if v[k], err = h.reals(k, out[h.at[k]]); err != nil {
			return dst, err
		}
	}
	switch h.name {
	case "ssd":
		return SSDRaw(v[0], v[1], h.columns, h.anchors, h.background, floor, dst)
	case "ssd-post":
		return SSDPost(v[0], v[1], v[2], v[3][0], h.offset, floor, dst)
	case "yolov5":
		return YOLOv5(v[0], h.columns, h.pixels(v[0], 5+h.columns, h.n, false), floor, dst)
	case "yolov8":
		return YOLOv8(v[0], h.columns, h.byChan, h.pixels(v[0], 4+h.columns, h.n, h.byChan), floor, dst)
	}
	return Faces(v[0], v[1], float32(h.w), h.anchors, floor, dst)
}

// pixels tells whether a YOLO's boxes are in pixels, which exports do not state: shares of the input stay near 1, while
// in pixels the centres of the grid alone reach the input's size. It is the size for pixels and zero for shares.
func (h *head) pixels(v []float32, per, n int, byChan bool) [2]float32 {
	var most float32
	for i := range n {
		x := i * per
		if byChan {
			x = i
		}
		if v[x] < 1e6 { // NaN and nonsense tell nothing
			most = max(most, v[x])
		}
	}
	if most > 4 {
		return [2]float32{float32(h.w), float32(h.h)}
	}
	return [2]float32{}
}

// reals is output k as real numbers: a view on a float tensor's own memory, a converted copy of a quantised one.
func (h *head) reals(k int, t model.Tensor) ([]float32, error) {
	n := elems(t)
	switch t.Type {
	case model.Float32:
		if len(t.Data) < 4*n || n == 0 {
			return nil, fmt.Errorf("output %s holds %d bytes for %v", t.Name, len(t.Data), t.Shape)
		}
		return unsafe.Slice((*float32)(unsafe.Pointer(&t.Data[0])), n), nil
	case model.Int8, model.UInt8:
		if len(t.Data) < n {
			return nil, fmt.Errorf("output %s holds %d bytes for %v", t.Name, len(t.Data), t.Shape)
		}
		if len(h.real[k]) != n {
			h.real[k] = make([]float32, n)
		}
		scale, zero := t.Scale, t.Zero
		if scale == 0 {
			scale = 1
		}
		for i, q := range t.Data[:n] {
			v := int(q)
			if t.Type == model.Int8 {
				v = int(int8(q))
			}
			h.real[k][i] = scale * float32(v-zero)
		}
		return h.real[k], nil
	}
	return nil, fmt.Errorf("output %s is neither float32 nor int8 nor uint8", t.Name)
}
