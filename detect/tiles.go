package detect

import "image"

func rect(t region) image.Rectangle { return image.Rect(t.x, t.y, t.x+t.w, t.y+t.h) }

// cut lists what the network sees of a w×h frame: the whole, and with tiles on each tile, rows from the top. Where the
// region of interest is given, tiles that miss its box are left out. The list is kept until the size changes.
func (n *network) cut(w, h int) []region {
	if w == n.tileW && h == n.tileH {
		return n.tiles
	}
	n.tileW, n.tileH = w, h
	n.tiles = append(n.tiles[:0], region{0, 0, w, h})
	if n.size == 0 || n.size >= max(w, h) {
		return n.tiles
	}
	in := n.roi.Bounds(w, h).Rect()
	for _, t := range Tiles(w, h, n.size, n.shared) {
		if t.Overlaps(in) {
			n.tiles = append(n.tiles, region{t.Min.X, t.Min.Y, t.Dx(), t.Dy()})
		}
	}
	return n.tiles
}

// Tiles lists as few squares with sides of size pixels, at least 1, as cover a w×h picture, rows from the top, neighbours
// sharing at least overlap of their sides, 0 to below 1. A picture that is narrower or lower makes them so.
func Tiles(w, h, size int, overlap float64) []image.Rectangle {
	var all []image.Rectangle
	for _, y := range starts(h, size, overlap) {
		for _, x := range starts(w, size, overlap) {
			all = append(all, image.Rect(x, y, x+min(size, w), y+min(size, h)))
		}
	}
	return all
}

// starts spreads as few parts of `size` as cover `length` with at least the given share of overlap.
func starts(length, size int, overlap float64) []int {
	if size >= length {
		return []int{0}
	}
	step := max(float64(size)*(1-overlap), 1)
	n := 1 + int((float64(length-size)+step-1)/step)
	at := make([]int, 0, n)
	for i := range n {
		at = append(at, i*(length-size)/(n-1))
	}
	return at
}
