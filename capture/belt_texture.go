package capture

// hash32 mixes a number into another that looks drawn by lot (Ellis: "Prospecting for hash functions", lowbias32).
func hash32(x uint32) uint32 {
	x ^= x >> 16
	x *= 0x7feb352d
	x ^= x >> 15
	x *= 0x846ca68b
	return x ^ x>>16
}

// blotches is one row of smooth noise, -128 to 127, with lumps of size pixels; it repeats after strip pixels.
type blotches struct {
	size int
	salt uint32
	at   []int // the row's value at every size pixels
}

func newBlotches(size int, salt uint32) blotches {
	return blotches{size: size, salt: salt, at: make([]int, strip/size+1)}
}

// row goes to row y.
func (b *blotches) row(y int) {
	j, f := y/b.size, ease(y%b.size*256/b.size)
	for i := range b.at {
		corner := uint32(i % (strip / b.size))
		up := int(hash32(corner+uint32(j)*0x9e3779b1+b.salt)>>24) - 128
		down := int(hash32(corner+uint32(j+1)*0x9e3779b1+b.salt)>>24) - 128
		b.at[i] = (up*(256-f) + down*f) >> 8
	}
}

// value is the noise at column u of the row.
func (b *blotches) value(u int) int {
	i, f := u/b.size, ease(u%b.size*256/b.size)
	return (b.at[i]*(256-f) + b.at[i+1]*f) >> 8
}

// ease bends a straight way from 0 to 256 into one without corners.
func ease(f int) int { return f * f * (768 - 2*f) >> 16 }

// thread is the height of a thread across its six pixels.
var thread = [6]int{-5, 1, 4, 4, 1, -5}

// texture is how much brighter than its colour the belt is at column u of the strip and row y, in grey levels: a
// basket weave, fibres, streaks that scrapers left, and a slanted seam every seamEvery pixels.
func texture(u, y int, salt uint32) int {
	t := thread[y%6]
	if (u/6+y/6)%2 == 1 {
		t = thread[u%6]
	}
	t += int(hash32(uint32(u)*73856093^uint32(y)*19349663^salt)>>29) - 3
	t += int(hash32(uint32(y/3)+salt)>>30) - 2
	switch d := (u + 5*seamEvery - y/5 - 300) % seamEvery; {
	case d < 5:
		t -= 12
	case d < 8, d >= seamEvery-3:
		t += 5
	case (d == 14 || d == 15) && y%14 < 9: // the stitching beside it
		t += 8
	}
	return t
}

// paintBelt draws the belt from column 0 of the strip on into dst: its texture over blotches of wear.
func paintBelt(dst Image, o BeltOptions) {
	lo, hi := levels(o)
	strength, salt := int(o.Texture*256), uint32(o.Seed)*2654435761
	wide, small := newBlotches(64, salt), newBlotches(16, salt+1)
	for y := range dst.H {
		row := dst.Row(y)
		wide.row(y)
		small.row(y)
		for x := range dst.W {
			t := (texture(x, y, salt) + (wide.value(x)*6+small.value(x)*3)>>7) * strength
			row[3*x] = byte(min(max(beltB+t*beltB/(beltG*256), lo), hi))
			row[3*x+1] = byte(min(max(beltG+t/256, lo), hi))
			row[3*x+2] = byte(min(max(beltR+t*beltR/(beltG*256), lo), hi))
		}
	}
}

// paintRails draws the machine's frame above and below the belt: a dark slot beside the belt, a rounded aluminium
// profile with a groove and bolts, dark housing at the frame's edge.
func paintRails(dst Image, o BeltOptions) {
	lo, hi := levels(o)
	top := beltTop(dst.H)
	for y := range dst.H {
		d := top - 1 - y // rows away from the belt
		if y >= top {
			d = y - (top + beltRows(dst.H))
		}
		if d < 0 {
			continue
		}
		row := dst.Row(y)
		for x := range dst.W {
			g := railShade(x, d*44/max(top, 1)) + int(hash32(uint32(x/7)+uint32(y)*65537)>>30)
			for c, t := range [3]int{4, 2, 0} {
				row[3*x+c] = byte(min(max(g+t, lo), hi))
			}
		}
	}
}

// railShade is the brightness of the rail at column x, d of 44 units away from the belt.
func railShade(x, d int) int {
	bx, bd := x%176-88, d-20
	r := bx*bx + bd*bd
	switch {
	case d < 4:
		return 34 // the slot
	case d >= 37:
		return 48 + (d-37)*2 // housing
	case r < 26:
		return 95 + 4*(bx-bd) // a bolt, lit from one side
	case r < 42:
		return 70
	case d == 28 || d == 29:
		return 92 // the groove
	}
	q := d - 13
	return 182 - q*q*90/576 // a rounded profile
}
