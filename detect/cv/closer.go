package cv

import "gleaner/capture"

// closeUp is how many times finer than the small picture a blob is looked at before it is cut.
const closeUp = 2

// refound is the share of a blob that a closer look must find again.
const refound = 0.7

// look makes a blob's window: with a learned background from the frame's own pixels, without shadows, so that objects
// which touch only through their shadows fall apart; without one, or for a very large blob, from the small mask.
func (m *Motion) look(im capture.Image, b blob) window {
	r, ok := m.masker.(*reference)
	k := min(closeUp, m.srcW/m.w)
	if !ok || k < 1 || (b.x1-b.x0)*(b.y1-b.y0)*k*k > maxWindow {
		k = 1
	}
	win := window{x0: b.x0 * k, y0: b.y0 * k, w: (b.x1 - b.x0) * k, h: (b.y1 - b.y0) * k, k: k,
		left: b.x0 == 0, top: b.y0 == 0, right: b.x1 == m.w, bottom: b.y1 == m.h}
	if cap(m.near) < win.w*win.h {
		m.near = make([]byte, max(win.w*win.h, maxWindow))
	}
	win.m = m.near[:win.w*win.h]
	if k > 1 && m.lookFine(im, r, b, win) {
		return win
	}
	return m.lookSmall(b, win)
}

// lookFine fills the window from the frame. It reports false where too much of the blob is not found again, which
// happens when a thing has the colours of a shadow.
func (m *Motion) lookFine(im capture.Image, r *reference, b blob, win window) bool {
	for v := range win.h {
		labels := m.blobs.labels[(v+win.y0)/win.k*m.w:]
		r.fineRow(im, win.m[v*win.w:(v+1)*win.w], labels[b.x0:b.x1], win, v+win.y0, b)
	}
	open3(win.m, win.w)
	n := 0
	for _, v := range win.m {
		n += int(v)
	}
	return float32(n) > refound*float32(b.area*win.k*win.k)
}

// lookSmall fills the window from the small mask.
func (m *Motion) lookSmall(b blob, win window) window {
	k := win.k
	for v := range win.h {
		row := win.m[v*win.w : (v+1)*win.w]
		labels := m.blobs.labels[(v+win.y0)/k*m.w:]
		for u := range row {
			row[u] = is(labels[(u+win.x0)/k] == b.label)
		}
	}
	return win
}

// fineRow compares one row of a window with the background: row v of the frame at k times the small resolution.
func (r *reference) fineRow(im capture.Image, row []byte, labels []int32, win window, v int, b blob) {
	k := win.k
	y := (2*v + 1) * im.H / (2 * k * r.h)
	above, below := im.Row(max(y-1, 0)), im.Row(y)
	k2 := float32(r.o.Threshold * r.o.Threshold)
	for u := range row {
		row[u] = 0
		if labels[u/k] != b.label {
			continue
		}
		x := 3 * ((2*(u+win.x0) + 1) * im.W / (2 * k * r.w))
		left := max(x-3, 0)
		i := v/k*r.w + (u+win.x0)/k
		mean := r.mean[3*i : 3*i+3 : 3*i+3]
		var d, lo, hi float32
		lo = 1e9
		for c := range 3 {
			p := float32(int(above[left+c])+int(above[x+c])+int(below[left+c])+int(below[x+c])) / (4 * r.gain[c])
			e := p - mean[c]
			d += e * e
			q := (p + 4) / (mean[c] + 4) // softened: dark pixels have no reliable colour
			lo, hi = min(lo, q), max(hi, q)
		}
		// A shadow darkens all channels alike.
		shadow := hi < 1 && lo > 0.5 && hi-lo < 0.12
		row[u] = is(!shadow && d > k2*max(r.vari[i], floorVar))
	}
}

func is(b bool) byte {
	if b {
		return 1
	}
	return 0
}
