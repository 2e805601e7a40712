package detect

import "fmt"

// YOLOv5 decodes rows of 5+classes values: x, y (centre), w, h, objectness, one probability per class; the score is
// their product. Coordinates are shares of the input, or pixels of it where pixels is not zero (then the input's side
// in pixels: width and height). An anchor gives its best class only, as Ultralytics' export does. Boxes appended to dst
// are in shares of the input.
func YOLOv5(rows []float32, classes int, pixels [2]float32, floor float32, dst []Detection) ([]Detection, error) {
	n := 5 + classes
	if classes < 1 || len(rows)%n != 0 {
		return dst, fmt.Errorf("%d values are not rows of 5 and %d classes", len(rows), classes)
	}
	floor = max(floor, 0)
	for i := 0; i+n <= len(rows); i += n {
		r := rows[i : i+n]
		if !(r[4] >= floor) { // no product with a probability exceeds it
			continue
		}
		best, c := argmax(r[5:], 1, classes)
		if s := r[4] * best; s >= floor && s <= 1 {
			dst = centred(r[0], r[1], r[2], r[3], pixels, c, s, dst)
		}
	}
	return dst, nil
}

// YOLOv8 decodes n boxes of x, y (centre), w, h and one probability per class, without objectness. byChannel says that
// the values are in the order [4+classes][n], as Ultralytics exports them; else [n][4+classes]. Coordinates as for
// YOLOv5.
func YOLOv8(v []float32, classes int, byChannel bool, pixels [2]float32, floor float32, dst []Detection) ([]Detection, error) {
	per := 4 + classes
	if classes < 1 || len(v)%per != 0 {
		return dst, fmt.Errorf("%d values are not boxes of 4 and %d classes", len(v), classes)
	}
	floor = max(floor, 0)
	n := len(v) / per
	box, val := per, 1 // steps from box to box and from value to value
	if byChannel {
		box, val = 1, n
	}
	for i := range n {
		r := v[i*box:]
		s, c := argmax(r[4*val:], val, classes)
		if s >= floor && s <= 1 {
			dst = centred(r[0], r[val], r[2*val], r[3*val], pixels, c, s, dst)
		}
	}
	return dst, nil
}

func centred(x, y, w, h float32, pixels [2]float32, class int, score float32, dst []Detection) []Detection {
	if pixels[0] > 0 {
		x, w = x/pixels[0], w/pixels[0]
		y, h = y/pixels[1], h/pixels[1]
	}
	b := finite(Box{x - w/2, y - h/2, x + w/2, y + h/2})
	if b.Area() == 0 {
		return dst
	}
	return append(dst, Detection{Box: b, Class: class, Score: score})
}

// argmax is the largest of the n values v[0], v[step], …, and its index; NaN is never the largest. -1 and 0 where there is none.
func argmax(v []float32, step int, n int) (float32, int) {
	best, at := float32(-1), 0
	for c := range n {
		if v[c*step] > best {
			best, at = v[c*step], c
		}
	}
	return best, at
}
