package similar

import (
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"gleaner/capture"
	"gleaner/capture/pictures"
	"gleaner/internal/shared"
)

// TestPairsAreAllPairs compares with the definition, on random hashes with near ones among them.
func TestPairsAreAllPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var hashes []uint64
	for range 300 {
		h := r.Uint64()
		hashes = append(hashes, h)
		for range r.IntN(9) {
			h ^= 1 << r.IntN(64)
		}
		hashes = append(hashes, h)
	}
	var want []Pair
	for a := range hashes {
		for b := a + 1; b < len(hashes); b++ {
			if d := bits.OnesCount64(hashes[a] ^ hashes[b]); d <= Near {
				want = append(want, Pair{a, b, d})
			}
		}
	}
	if got := Pairs(hashes, nil); !slices.Equal(got, want) || len(want) < 100 {
		t.Errorf("%d pairs, want %d", len(got), len(want))
	}
}

func TestClusters(t *testing.T) {
	got := Clusters(6, []Pair{{A: 1, B: 4}, {A: 2, B: 4}, {A: 0, B: 5}})
	if want := []int{0, 1, 1, 3, 1, 0}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestNearCopiesAreFound changes real photos as copies are changed, and demands that they are found and others are not.
func TestNearCopiesAreFound(t *testing.T) {
	set, err := pictures.Open(shared.Path(t, "data/masks"))
	if err != nil {
		t.Fatal(err)
	}
	var hashes []uint64
	add := func(im capture.Image) {
		h, err := Hash(im)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, h)
	}
	const n = 120
	for i := range n {
		im, err := set.Image(i * set.Len() / n)
		if err != nil {
			t.Fatal(err)
		}
		add(im)
		brighter := im.CopyTo(capture.Image{})
		for k, v := range brighter.Pix {
			brighter.Pix[k] = byte(min(255, int(v)+20))
		}
		add(half(brighter))
	}
	found, wrong := 0, 0
	for _, p := range Pairs(hashes, nil) {
		if p.A/2 == p.B/2 {
			found++
		} else {
			wrong++
		}
	}
	if found < n*95/100 || wrong > n/20 {
		t.Errorf("%d of %d copies found, %d pairs of different photos", found, n, wrong)
	}
}

// half is a picture of half the width and height, each pixel one of four.
func half(im capture.Image) capture.Image {
	out := capture.NewImage(im.W/2, im.H/2)
	for y := range out.H {
		for x := range out.W {
			copy(out.Row(y)[3*x:3*x+3], im.Row(2 * y)[6*x:])
		}
	}
	return out
}
