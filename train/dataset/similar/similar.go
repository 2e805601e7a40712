// Package similar finds pictures that show the same thing: exact copies, and near ones that were scaled, compressed or lit
// anew. What becomes of them is for others: split keeps them together, look shows them.
package similar

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"runtime"

	"github.com/corona10/goimagehash"
	"golang.org/x/sync/errgroup"

	"gleaner/capture"
	"gleaner/train/dataset/pack"
)

// Near is the greatest Hamming distance of two hashes that counts as near: 6 of 64 bits.
const Near = 6

// Hash is the perceptual hash of a picture: the signs of its 8×8 lowest DCT frequencies, which scaling, compression and light
// hardly touch (Zauner 2010; github.com/corona10/goimagehash).
func Hash(im capture.Image) (uint64, error) {
	if im.Empty() {
		return 0, errors.New("an empty picture has no hash")
	}
	h, err := goimagehash.PerceptionHash(im.ToGo())
	if err != nil {
		return 0, fmt.Errorf("hash a picture: %w", err)
	}
	return h.GetHash(), nil
}

// Hashes are the hashes of a set's examples, and tell which examples are one flat colour: their hash says nothing.
func Hashes(s *pack.Set) (hashes []uint64, flat []bool, err error) {
	return HashesOf(context.Background(), len(s.Examples), func(i int) (capture.Image, error) {
		im := capture.NewImage(s.Format.Width, s.Format.Height)
		return im, s.Pixels(i, im.Pix)
	})
}

// HashesOf is Hashes for n pictures that at gives, in memory of their own; it is called from several goroutines.
func HashesOf(ctx context.Context, n int, at func(i int) (capture.Image, error)) (hashes []uint64, flat []bool, err error) {
	hashes, flat = make([]uint64, n), make([]bool, n)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		g.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			im, err := at(i)
			if err != nil {
				return err
			}
			flat[i] = isFlat(im)
			hashes[i], err = Hash(im)
			return err
		})
	}
	return hashes, flat, g.Wait()
}

func isFlat(im capture.Image) bool {
	lo, hi := byte(255), byte(0)
	for y := range im.H {
		for _, v := range im.Row(y)[:3*im.W] {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	return int(hi)-int(lo) < 8
}

// Pair is two examples that are near, A < B, and how far their hashes are apart in bits.
type Pair struct{ A, B, Distance int }

// Each calls with every pair of hashes at most Near bits apart, once, without those that skip tells of; skip may be nil. The order
// is the same every time, and says nothing. Nothing is kept: of n copies there are n(n-1)/2 pairs. Two such hashes agree in at least
// one of any seven bytes, since six bits cannot differ in all of them, so that only hashes with a common byte are compared
// (Norouzi et al. 2012, multi-index hashing).
func Each(hashes []uint64, skip []bool, call func(p Pair)) {
	for part := range Near + 1 {
		var buckets [256][]int32
		for i, h := range hashes {
			if skip == nil || !skip[i] {
				b := byte(h >> (8 * part))
				buckets[b] = append(buckets[b], int32(i))
			}
		}
		for _, bucket := range buckets {
			for k, a := range bucket {
				for _, b := range bucket[k+1:] {
					x := hashes[a] ^ hashes[b]
					if d := bits.OnesCount64(x); d <= Near && firstCommon(x) == part {
						call(Pair{int(a), int(b), d})
					}
				}
			}
		}
	}
}

// firstCommon is the first byte, from the lowest, in which two hashes agree, x being their difference.
func firstCommon(x uint64) int {
	for part := range 8 {
		if byte(x>>(8*part)) == 0 {
			return part
		}
	}
	return 8
}

// Clusters numbers examples by their hashes such that near ones, and those that are near to one of them, have one number: the
// least example of the cluster. Those that skip tells of, which may be nil, are alone. Its memory grows with the examples,
// however many of them are copies of one: equal hashes are one before they are compared.
func Clusters(hashes []uint64, skip []bool) []int {
	parent := make([]int, len(hashes))
	for i := range parent {
		parent[i] = i
	}
	find := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	join := func(i, j int) {
		a, b := find(i), find(j)
		parent[max(a, b)] = min(a, b)
	}
	var distinct []uint64
	var of []int // the first example of each distinct hash
	first := map[uint64]int{}
	for i, h := range hashes {
		switch at, ok := first[h]; {
		case skip != nil && skip[i]:
		case ok:
			join(at, i)
		default:
			first[h] = i
			distinct, of = append(distinct, h), append(of, i)
		}
	}
	Each(distinct, nil, func(p Pair) { join(of[p.A], of[p.B]) })
	for i := range parent {
		parent[i] = find(i)
	}
	return parent
}
