package main

import (
	"math"
	"math/rand/v2"

	"gleaner/capture"
)

// dirt is what soils: its colour, B, G, R, and how much of it hides what is below, least and most.
type dirt struct {
	colour        [3]float64
	least, most   float64
	edge, stretch float64 // softness of the edge, as a share of the radius; length by width, at most
}

// dirts are sauce, mud, coffee, grease and mould. Some hardly show on some materials, as in a bin.
var dirts = []dirt{
	{[3]float64{30, 40, 150}, 0.35, 0.85, 0.3, 3},
	{[3]float64{35, 55, 80}, 0.4, 0.9, 0.4, 2},
	{[3]float64{30, 55, 95}, 0.25, 0.6, 0.5, 1.5},
	{[3]float64{70, 130, 150}, 0.2, 0.45, 0.8, 4},
	{[3]float64{60, 85, 65}, 0.3, 0.7, 0.6, 1.5},
}

// soil paints dirt on the thing in a picture: one to five stains, smears or splashes of one or two kinds of dirt, each over a point
// of the thing, from ones that are hardly to be seen to ones that cover a good part.
func soil(im capture.Image, r *rand.Rand) {
	thing := thingIn(im)
	kinds := [2]dirt{dirts[r.IntN(len(dirts))], dirts[r.IntN(len(dirts))]}
	strength := 0.5 + 0.5*r.Float64()
	for range 1 + r.IntN(5) {
		d := kinds[r.IntN(2)]
		at := thing[r.IntN(len(thing))]
		radius := float64(im.W) * (0.03 + 0.09*r.Float64()*r.Float64()*2)
		stain(im, float64(at%im.W), float64(at/im.W), radius, strength, d, r)
		for range r.IntN(6) { // splashes
			a, far := 2*math.Pi*r.Float64(), radius*(1.2+1.5*r.Float64())
			stain(im, float64(at%im.W)+far*math.Cos(a), float64(at/im.W)+far*math.Sin(a), radius*(0.08+0.15*r.Float64()), strength, d, r)
		}
	}
}

// stain lays one patch of dirt over the picture, with an outline of some waves and an uneven cover; the light and shade below show
// through.
func stain(im capture.Image, cx, cy, radius, strength float64, d dirt, r *rand.Rand) {
	cover := strength * (d.least + (d.most-d.least)*r.Float64())
	turn, long := math.Pi*r.Float64(), 1+(d.stretch-1)*r.Float64()
	var phase, wave [5]float64
	for k := range phase {
		phase[k], wave[k] = 2*math.Pi*r.Float64(), 0.25*r.Float64()/float64(k+1)
	}
	reach := int(radius*long*1.6) + 2
	for y := max(0, int(cy)-reach); y < min(im.H, int(cy)+reach); y++ {
		for x := max(0, int(cx)-reach); x < min(im.W, int(cx)+reach); x++ {
			dx, dy := float64(x)-cx, float64(y)-cy
			u := (dx*math.Cos(turn) + dy*math.Sin(turn)) / long
			v := dy*math.Cos(turn) - dx*math.Sin(turn)
			outline := 1.0
			for k := range phase {
				outline += wave[k] * math.Sin(float64(k+2)*math.Atan2(v, u)+phase[k])
			}
			a := min(1, max(0, (outline-math.Hypot(u, v)/radius)/d.edge))
			a *= cover * (0.85 + 0.15*math.Sin(0.35*float64(x)+phase[0])*math.Sin(0.4*float64(y)+phase[1]))
			if a <= 0 {
				continue
			}
			p := im.Pix[y*im.Stride+3*x:][:3]
			light := 0.45 + 0.55*(float64(p[0])+float64(p[1])+float64(p[2]))/(3*160)
			for c := range p {
				p[c] = byte(min(255, max(0, (1-a)*float64(p[c])+a*min(1.3, light)*d.colour[c])))
			}
		}
	}
}

// thingIn are the places, y·W + x, that differ from the board that the thing lies on, whose colour is that of the picture's rim; the
// middle of the picture where hardly any do.
func thingIn(im capture.Image) (at []int) {
	var rim [3]float64
	n := 0.0
	for i := range im.W * im.H {
		if x, y := i%im.W, i/im.W; x < 4 || y < 4 || x >= im.W-4 || y >= im.H-4 {
			for c, v := range im.Pix[y*im.Stride+3*x:][:3] {
				rim[c] += float64(v)
			}
			n++
		}
	}
	var middle []int
	for i := range im.W * im.H {
		x, y := i%im.W, i/im.W
		if x < im.W/4 || y < im.H/4 || x >= im.W*3/4 || y >= im.H*3/4 {
			continue
		}
		middle = append(middle, i)
		apart := 0.0
		for c, v := range im.Pix[y*im.Stride+3*x:][:3] {
			apart += math.Abs(float64(v) - rim[c]/n)
		}
		if apart > 60 {
			at = append(at, i)
		}
	}
	if len(at) < len(middle)/20 {
		return middle
	}
	return at
}
