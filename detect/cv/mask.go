package cv

import "encoding/binary"

// Masks are w*h bytes, 0 or 1, row by row. The 3×3 operations are separable and work in place. Outside the picture a
// mask continues as its border does, so that objects at the border are not eaten.

// open3 removes what is thinner than 3 pixels.
func open3(m []byte, w int) {
	shrink3(m, w)
	swell3(m, w)
}

// close3 fills gaps thinner than 3 pixels.
func close3(m []byte, w int) {
	swell3(m, w)
	shrink3(m, w)
}

// swell3 grows the mask by one pixel to all sides. Each axis takes two passes: or with the next, upwards; then or with
// the one before, downwards. The second pass reads neighbours that hold themselves or the very pixel in question, so
// no copy of the old mask is needed.
func swell3(m []byte, w int) {
	or(m, w)
	for y := 0; y < len(m); y += w {
		or(m[y:y+w], 1)
	}
}

func shrink3(m []byte, w int) {
	flip(m)
	swell3(m, w)
	flip(m)
}

// or replaces m[i] by m[i-step] | m[i] | m[i+step].
func or(m []byte, step int) {
	n := len(m) - step
	i := 0
	for ; i+8 <= n; i += 8 {
		binary.LittleEndian.PutUint64(m[i:],
			binary.LittleEndian.Uint64(m[i:])|binary.LittleEndian.Uint64(m[i+step:]))
	}
	for ; i < n; i++ {
		m[i] |= m[i+step]
	}
	for i = len(m); i-8 >= step; i -= 8 {
		binary.LittleEndian.PutUint64(m[i-8:],
			binary.LittleEndian.Uint64(m[i-8:])|binary.LittleEndian.Uint64(m[i-8-step:]))
	}
	for i--; i >= step; i-- {
		m[i] |= m[i-step]
	}
}

func flip(m []byte) {
	i := 0
	for ; i+8 <= len(m); i += 8 {
		binary.LittleEndian.PutUint64(m[i:], binary.LittleEndian.Uint64(m[i:])^0x0101010101010101)
	}
	for ; i < len(m); i++ {
		m[i] ^= 1
	}
}
