// Package similar finds pictures that show the same thing: exact copies, and near ones that were scaled, compressed or lit
// anew. What becomes of them is for others: split keeps them together, look shows them.
package similar

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"slices"

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

// Pairs are all pairs of hashes at most Near bits apart, in the order of A and B, without those that skip tells of. Two such
// hashes agree in at least one of any seven bytes, since six bits cannot differ in all of them, so that only hashes
// with a common byte are compared (Norouzi et al. 2012, multi-index hashing).
func Pairs(hashes []uint64, skip []bool) []Pair {
	var pairs []Pair
	for part := range Near + 1 {
		shift := 8 * part
		buckets := map[byte][]int{}
		for i, h := range hashes {
			if skip == nil || !skip[i] {
				b := byte(h >> shift)
				buckets[b] = append(buckets[b], i)
			}
		}
		for _, bucket := range buckets {
			for k, a := range bucket {
				for _, b := range bucket[k+1:] {
					x := hashes[a] ^ hashes[b]
					if d := bits.OnesCount64(x); d <= Near && firstCommon(x) == part {
						pairs = append(pairs, Pair{a, b, d})
					}
				}
			}
		}
	}
	slices.SortFunc(pairs, func(p, q Pair) int {
		if p.A != q.A {
			return p.A - q.A
		}
		return p.B - q.B
	})
	return pairs
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

// Clusters numbers n examples such that near ones, and those that are near to one of them, have one number: the least
// example of the cluster.
func Clusters(n int, pairs []Pair) []int {
	parent := make([]int, n)
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
	for _, p := range pairs {
		a, b := find(p.A), find(p.B)
		parent[max(a, b)] = min(a, b)
	}
	for i := range parent {
		parent[i] = find(i)
	}
	return parent
}
