package dataset

import "math"

// The luma of ITU-R BT.601, and the scales of its colour differences U = 0.492·(B-Y) and V = 0.877·(R-Y), in which a turn of the hue
// is a rotation.
const (
	lumaR, lumaG, lumaB = 0.299, 0.587, 0.114
	scaleU, scaleV      = 0.492, 0.877
)

// tint is what a turn of the hue by degrees and a factor of the saturation do: red, green and blue become the luma plus the matrix
// times (R-G, B-G). Both differences are 0 for gray, which therefore stays as it is, exactly.
func tint(degrees, factor float64) (m [3][2]float32) {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	for j, d := range [2][2]float64{{1, 0}, {0, 1}} { // R-G and B-G
		luma := lumaR*d[0] + lumaB*d[1] // above G
		u, v := scaleU*(d[1]-luma), scaleV*(d[0]-luma)
		u, v = factor*(u*cos-v*sin), factor*(u*sin+v*cos)
		red, blue := v/scaleV, u/scaleU
		green := -(lumaR*red + lumaB*blue) / lumaG
		m[0][j], m[1][j], m[2][j] = float32(red), float32(green), float32(blue)
	}
	return m
}

// recolour changes a pixel's colours as tint says. Values may leave 0 to 255.
func recolour(v *[3]float32, red int, m *[3][2]float32) {
	g := v[1]
	rg, bg := v[red]-g, v[2-red]-g
	luma := g + lumaR*rg + lumaB*bg
	v[red] = luma + m[0][0]*rg + m[0][1]*bg
	v[1] = luma + m[1][0]*rg + m[1][1]*bg
	v[2-red] = luma + m[2][0]*rg + m[2][1]*bg
}
