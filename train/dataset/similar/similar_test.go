package similar

import (
	"cmp"
	"math/bits"
	"math/rand/v2"
	"runtime"
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
	if got := pairs(hashes, nil); !slices.Equal(got, want) || len(want) < 100 {
		t.Errorf("%d pairs, want %d", len(got), len(want))
	}
}

// pairs are all pairs in the order of their examples.
func pairs(hashes []uint64, skip []bool) (all []Pair) {
	Each(hashes, skip, func(p Pair) { all = append(all, p) })
	slices.SortFunc(all, func(p, q Pair) int { return cmp.Or(p.A-q.A, p.B-q.B) })
	return all
}

// TestClusters compares with the definition, on random hashes with chains of near ones, copies and some that are left out.
func TestClusters(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var hashes []uint64
	var skip []bool
	for range 200 {
		h := r.Uint64()
		for range r.IntN(6) {
			if r.IntN(2) == 0 {
				for range 5 {
					h ^= 1 << r.IntN(64)
				}
			}
			hashes, skip = append(hashes, h), append(skip, r.IntN(8) == 0)
		}
	}
	r.Shuffle(len(hashes), func(a, b int) { hashes[a], hashes[b] = hashes[b], hashes[a] })
	want := make([]int, len(hashes))
	for i := range want {
		want[i] = i
	}
	for changed := true; changed; {
		changed = false
		for a := range hashes {
			for b := range a {
				if least := min(want[a], want[b]); !skip[a] && !skip[b] && want[a] != want[b] && bits.OnesCount64(hashes[a]^hashes[b]) <= Near {
					want[a], want[b], changed = least, least, true
				}
			}
		}
	}
	for range 3 {
		if got := Clusters(hashes, skip); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

// TestManyCopiesTakeLittle clusters copies of one picture, and near copies of it, in memory that grows with their number.
func TestManyCopiesTakeLittle(t *testing.T) {
	hashes := make([]uint64, 20_000) // 200 million pairs, 24 bytes each
	for i := range hashes {
		hashes[i] = uint64(i % 3)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := Clusters(hashes, nil)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
		t.Errorf("%d MB for %d hashes", n>>20, len(hashes))
	}
	for i, c := range got {
		if c != 0 {
			t.Fatalf("example %d is in cluster %d", i, c)
		}
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
	for _, p := range pairs(hashes, nil) {
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
