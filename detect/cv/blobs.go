package cv

// blob is one connected piece of foreground in a label image.
type blob struct {
	label          int32 // its value in the label image, from 1
	x0, y0, x1, y1 int   // x1 and y1 lie just outside
	area           int   // pixels
}

// length is the longer side.
func (b blob) length() float32 { return float32(max(b.x1-b.x0, b.y1-b.y0)) }

// blobber finds the connected pieces (8-neighbourhood) of a mask: runs of a row are joined with the runs they touch in
// the row above (union-find), which visits each pixel twice. Its slices are reused from frame to frame.
type blobber struct {
	labels []int32 // 0: background or too small
	runs   []run
	parent []int32
	index  []int32 // run root → position in blobs, or -1
	blobs  []blob
}

type run struct{ y, x0, x1 int32 }

// find labels the pieces of at least `least` pixels. The result and the labels are valid until the next call.
func (f *blobber) find(m []byte, w, h, least int) []blob {
	if len(f.labels) != w*h {
		f.labels = make([]int32, w*h)
	}
	clear(f.labels)
	f.runs, f.parent, f.index, f.blobs = f.runs[:0], f.parent[:0], f.index[:0], f.blobs[:0]
	above := 0 // first run of the row above
	for y := range h {
		row := len(f.runs)
		f.scan(m[y*w:(y+1)*w], int32(y))
		k := above
		for i := row; i < len(f.runs); i++ {
			// Runs of the row above that touch, corners included, overlap [x0-1, x1+1).
			for k < row && f.runs[k].x1 < f.runs[i].x0 {
				k++
			}
			for j := k; j < row && f.runs[j].x0 <= f.runs[i].x1; j++ {
				f.join(int32(i), int32(j))
			}
		}
		above = row
	}
	f.collect(w, least)
	return f.blobs
}

func (f *blobber) scan(row []byte, y int32) {
	for x := 0; x < len(row); {
		if row[x] == 0 {
			x++
			continue
		}
		from := x
		for x < len(row) && row[x] != 0 {
			x++
		}
		f.runs = append(f.runs, run{y, int32(from), int32(x)})
		f.parent = append(f.parent, int32(len(f.parent)))
		f.index = append(f.index, -1)
	}
}

func (f *blobber) root(i int32) int32 {
	for f.parent[i] != i {
		f.parent[i] = f.parent[f.parent[i]]
		i = f.parent[i]
	}
	return i
}

func (f *blobber) join(a, b int32) {
	a, b = f.root(a), f.root(b)
	// The smaller index is the root, so that blobs come in the order of their topmost run.
	f.parent[max(a, b)] = min(a, b)
}

// collect measures the pieces, drops the small ones and writes the labels of the others.
func (f *blobber) collect(w, least int) {
	for i, r := range f.runs {
		k := f.root(int32(i))
		if f.index[k] < 0 {
			f.index[k] = int32(len(f.blobs))
			f.blobs = append(f.blobs, blob{x0: int(r.x0), y0: int(r.y), x1: int(r.x1), y1: int(r.y) + 1})
		}
		b := &f.blobs[f.index[k]]
		b.x0, b.x1, b.y1 = min(b.x0, int(r.x0)), max(b.x1, int(r.x1)), int(r.y)+1
		b.area += int(r.x1 - r.x0)
	}
	n := int32(0)
	for i := range f.blobs {
		if f.blobs[i].area >= least {
			n++
			f.blobs[i].label = n
		}
	}
	for i, r := range f.runs {
		if l := f.blobs[f.index[f.root(int32(i))]].label; l != 0 {
			row := f.labels[int(r.y)*w+int(r.x0) : int(r.y)*w+int(r.x1)]
			for x := range row {
				row[x] = l
			}
		}
	}
	kept := f.blobs[:0]
	for _, b := range f.blobs {
		if b.label != 0 {
			kept = append(kept, b)
		}
	}
	f.blobs = kept
}

// absorb gives blobs whose boxes lie mostly in another's to that other: islands in an object's dark parts. The labels
// follow.
func (f *blobber) absorb(blobs []blob, w int) []blob {
	for i := 0; i < len(blobs); i++ {
		for j := range blobs {
			a, b := &blobs[i], blobs[j]
			if i == j || b.area > a.area || !lieIn(*a, b) {
				continue
			}
			for y := b.y0; y < b.y1; y++ {
				row := f.labels[y*w+b.x0 : y*w+b.x1]
				for x := range row {
					if row[x] == b.label {
						row[x] = a.label
					}
				}
			}
			*a = union(*a, b)
			blobs = append(blobs[:j], blobs[j+1:]...)
			i = -1 // the union may now hold others
			break
		}
	}
	return blobs
}
