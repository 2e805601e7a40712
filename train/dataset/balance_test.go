package dataset

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// labelled is examples of these classes; what an example gives is its number, and a random one.
type labelled []int

func (l labelled) Len() int     { return len(l) }
func (l labelled) Shape() []int { return []int{2} }
func (l labelled) Heads() []Head {
	return []Head{{Name: "class", Labels: []string{"a", "b", "c", "d"}}}
}
func (l labelled) Label(i, _ int) int { return l[i] }
func (l labelled) Name(i int) string  { return strconv.Itoa(i) }
func (l labelled) Input(dst []float32, i int, r *rand.Rand) error {
	dst[0], dst[1] = float32(i), 0
	if r != nil {
		dst[1] = r.Float32()
	}
	return nil
}

// uneven has 20 of a, 3 of b, 7 of c, none of d, and 2 of which nothing is known.
func uneven() (l labelled) {
	for c, n := range []int{20, 3, 7} {
		l = append(l, slices.Repeat([]int{c}, n)...)
	}
	return append(l, -1, -1)
}

func TestBalanceCounts(t *testing.T) {
	set := uneven()
	for b, want := range map[Balance][]int{"": {2, 20, 3, 7, 0}, Natural: {2, 20, 3, 7, 0}, Over: {2, 20, 20, 20, 0}, Under: {2, 3, 3, 3, 0}} {
		d := newDealer(set, b, 9)
		seen := map[int]bool{}
		for epoch := range 12 {
			order := d.order(epoch)
			got, times := make([]int, 5), make([]int, len(set))
			for _, v := range order {
				i := v % len(set)
				got[set[i]+1]++
				times[i]++
				seen[i] = true
			}
			if !slices.Equal(got, want) || len(order) != b.Drawn(set) {
				t.Fatalf("%q, epoch %d: %v of each class, want %v; %d examples", b, epoch, got, want, b.Drawn(set))
			}
			if len(slices.Compact(slices.Sorted(slices.Values(order)))) != len(order) {
				t.Fatalf("%q: two draws of one example are the same", b)
			}
			for i, n := range times {
				if c := set[i]; b == Over && c >= 0 && (n < 20/[]int{20, 3, 7}[c] || n > 20/[]int{20, 3, 7}[c]+1) {
					t.Fatalf("example %d of class %d comes %d times", i, c, n)
				}
			}
			if !slices.Equal(order, newDealer(set, b, 9).order(epoch)) {
				t.Fatalf("%q: the order is not the seed's and the epoch's", b)
			}
		}
		if slices.Equal(d.order(0), d.order(1)) || slices.Equal(d.order(0), newDealer(set, b, 10).order(0)) {
			t.Errorf("%q: epochs or seeds have one order", b)
		}
		if len(seen) < 20 {
			t.Errorf("%q: 12 epochs show %d examples", b, len(seen))
		}
	}
	if !slices.Equal(newDealer(set, "", 3).order(4), Order(len(set), 3, 4)) {
		t.Error("without a balance the order is another one")
	}
	nothing := labelled{-1, -1, -1}
	if n := Over.Drawn(nothing); n != 3 {
		t.Errorf("of 3 examples without a class %d are drawn", n)
	}
}

func TestWeights(t *testing.T) {
	set := uneven()
	w := Weights(set, 0, set, 0)
	if sums := []float32{20 * w[0], 3 * w[1], 7 * w[2], w[3]}; math.Abs(float64(sums[0]-10)) > 1e-4 || math.Abs(float64(sums[1]-10)) > 1e-4 ||
		math.Abs(float64(sums[2]-10)) > 1e-4 || w[3] != 1 {
		t.Errorf("classes weigh %v together, want 10 each", sums)
	}
}

// TestJoinedWeights: a head weighs its classes as the answers that it is joined to need it. Of six things the three dirty ones are one
// answer, and one clean can and two clean bags are two.
func TestJoinedWeights(t *testing.T) {
	dirt, answer := labelled{1, 1, 1, 0, 0, 0}, labelled{2, 2, 2, 0, 1, 1}
	w := Weights(dirt, 0, answer, 0)
	// Of each answer's 2, all of the dirty one's is on 3 things, and the others' 4 on 3.
	if want := []float32{4. / 3, 2. / 3}; math.Abs(float64(w[0]-want[0])) > 1e-6 || math.Abs(float64(w[1]-want[1])) > 1e-6 {
		t.Errorf("clean and dirty weigh %v, want %v", w[:2], want)
	}
}

// batches drains a feed.
func batches(t *testing.T, set Set, o FeedOptions) (all []string) {
	f := NewFeed(set, o)
	defer f.Close()
	for {
		b, err := f.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(b.Epoch, b.Number, b.N, b.Example, b.X, b.Y, b.Label))
		f.Release(b)
	}
}

// TestBalanceGoesOn: a feed that begins at any batch gives what an undisturbed one gives from there on.
func TestBalanceGoesOn(t *testing.T) {
	for _, b := range []Balance{Natural, Over, Under} {
		for _, mix := range []float64{0, 0.4} {
			o := FeedOptions{Batch: 4, Shuffle: true, Whole: true, Seed: 3, Epochs: 3, Workers: 2, Balance: b, Mix: mix}
			per := o.Batches(b.Drawn(uneven()))
			whole := batches(t, uneven(), o)
			if len(whole) != 3*per {
				t.Fatalf("%s: %d batches, want %d", b, len(whole), 3*per)
			}
			for at := range whole {
				later := o
				later.Epoch, later.Number, later.Workers = at/per, at%per, 1
				if !slices.Equal(batches(t, uneven(), later), whole[at:]) {
					t.Errorf("%s, mix %g: from batch %d on it differs", b, mix, at)
				}
			}
		}
	}
}

// TestBalanceLeavesJudgesAlone: what is not shuffled is each example once, in its order and unmixed.
func TestBalanceLeavesJudgesAlone(t *testing.T) {
	plain := FeedOptions{Batch: 5, Epochs: 2}
	changed := plain
	changed.Balance, changed.Mix = Over, 1
	if !slices.Equal(batches(t, uneven(), plain), batches(t, uneven(), changed)) {
		t.Error("a set that is only looked at is balanced or mixed")
	}
}

// TestCopiesDiffer: an example that comes again in an epoch is changed at random anew.
func TestCopiesDiffer(t *testing.T) {
	set := uneven()
	f := NewFeed(set, FeedOptions{Batch: Over.Drawn(set), Shuffle: true, Seed: 1, Epochs: 1, Balance: Over})
	defer f.Close()
	b, err := f.Next()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[[2]float32]bool{}
	for k := range b.N {
		seen[[2]float32{b.X[2*k], b.X[2*k+1]}] = true
	}
	if len(seen) != b.N {
		t.Errorf("%d of %d are different", len(seen), b.N)
	}
}

// TestMix: each row is its example and its partner's at one share, in the input and in what is wanted.
func TestMix(t *testing.T) {
	set := uneven()[:30]
	o := FeedOptions{Batch: 7, Shuffle: true, Seed: 4, Epochs: 3, Mix: 0.3}
	apart := o
	apart.Mix = 0
	mixed, plain := NewFeed(set, o), NewFeed(set, apart)
	defer mixed.Close()
	defer plain.Close()
	shares := map[float32]bool{}
	for {
		m, err := mixed.Next()
		p, err2 := plain.Next()
		if err == io.EOF && err2 == io.EOF {
			break
		}
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		for k := range m.N {
			j := m.N - 1 - k
			share := float32(1)
			if i, other := p.X[2*k], p.X[2*j]; j != k {
				share = (m.X[2*k] - other) / (i - other)
			}
			shares[share] = true
			if share < 0.4999 || share > 1.0001 {
				t.Errorf("an example keeps a share of %g", share)
			}
			var sum float32
			for c := range 4 {
				want := share*p.Y[0][4*k+c] + (1-share)*p.Y[0][4*j+c]
				if math.Abs(float64(m.Y[0][4*k+c]-want)) > 1e-4 {
					t.Errorf("of class %d %g is wanted, not %g", c, m.Y[0][4*k+c], want)
				}
				sum += m.Y[0][4*k+c]
			}
			if math.Abs(float64(sum)-1) > 1e-5 {
				t.Errorf("the shares add up to %g", sum)
			}
		}
		if !slices.Equal(m.Label[0], p.Label[0]) {
			t.Error("mixing changes the examples' own classes")
		}
		mixed.Release(m)
		plain.Release(p)
	}
	if len(shares) < 30 {
		t.Errorf("only %d different shares", len(shares))
	}
}

// TestBeta: mean and variance of Beta(a, a) are 1/2 and 1/(4·(2a+1)).
func TestBeta(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for _, a := range []float64{0.01, 0.2, 1, 4} {
		const n = 20000
		var sum, squares float64
		for range n {
			b := beta(r, a)
			if !(b >= 0 && b <= 1) {
				t.Fatalf("Beta(%g) gives %g", a, b)
			}
			sum, squares = sum+b, squares+(b-0.5)*(b-0.5)
		}
		if want := 1 / (4 * (2*a + 1)); math.Abs(sum/n-0.5) > 0.02 || math.Abs(squares/n-want) > 0.05*want {
			t.Errorf("Beta(%g) has a mean of %g and a variance of %g, want %g", a, sum/n, squares/n, want)
		}
	}
}

// TestSeen: what a preview shows is what a feed gives, for every example that an epoch has.
func TestSeen(t *testing.T) {
	set := uneven()
	for _, b := range []Balance{Natural, Over, Under} {
		for _, mix := range []float64{0, 0.4} {
			for _, whole := range []bool{true, false} {
				o := FeedOptions{Batch: 5, Shuffle: true, Whole: whole, Seed: 6, Epochs: 3, Balance: b, Mix: mix}
				f, seen := NewFeed(set, o), 0
				for {
					batch, err := f.Next()
					if err == io.EOF {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
					for k, i := range batch.Example {
						if batch.draws[k] != i {
							continue
						}
						v, err := Seen(set, o, batch.Epoch, i)
						if seen++; err != nil || !slices.Equal(v.X, batch.X[2*k:2*k+2]) || mix == 0 && v.With >= 0 {
							t.Fatalf("%s, mix %g, example %d: %+v, %v; the feed gives %v", b, mix, i, v, err, batch.X[2*k:2*k+2])
						}
					}
					f.Release(batch)
				}
				f.Close()
				if want := 3 * min(b.Drawn(set), len(set)); seen < want-12 || seen > want {
					t.Errorf("%s: %d views, want about %d", b, seen, want)
				}
			}
		}
	}
}
