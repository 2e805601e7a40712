package dataset

import (
	"fmt"
	"math/rand/v2"
)

// Balance says how often the examples of rare and of common classes come in an epoch of training. Classes are those of the first
// head; examples whose class is not known come once in any case.
type Balance string

// The balances. The zero value is Natural.
const (
	Natural Balance = "none" // each example once
	// Over gives every class as many examples as the largest has: each of its own as often as the others, give or take once. Those
	// that come once more are drawn anew in each epoch, and an example that comes again is changed at random anew.
	Over Balance = "over"
	// Under gives every class as many examples as the smallest has, drawn anew in each epoch.
	Under Balance = "under"
)

// Drawn is how many examples an epoch of a set has.
func (b Balance) Drawn(set Set) int { return newDealer(set, b, 0).drawn() }

// Weights are the weights in a loss of a head's classes, such that each class of a head of answers, which are the same examples and may
// be the same set and head, weighs the same: the mean of what its examples weigh. An example of the answers weighs the mean count of a
// class over its own class's, 1 on the mean ("balanced" of King and Zeng, "Logistic Regression in Rare Events Data", 2001). A class
// without examples has the weight 1.
func Weights(set Set, head int, answers Set, of int) []float32 {
	each := balanced(answers, of)
	sum, n := make([]float64, len(set.Heads()[head].Labels)), Counts(set, head)
	for i := range set.Len() {
		if l := set.Label(i, head); l >= 0 {
			w := 1.0
			if a := answers.Label(i, of); a >= 0 {
				w = each[a]
			}
			sum[l] += w
		}
	}
	w := make([]float32, len(sum))
	for c := range w {
		w[c] = 1
		if n[c] > 0 {
			w[c] = float32(sum[c] / float64(n[c]))
		}
	}
	return w
}

// balanced is the mean count of a head's class over each class's own; 1 for a class without examples.
func balanced(set Set, head int) []float64 {
	counts := Counts(set, head)
	total, present := 0, 0
	for _, n := range counts {
		total += n
		present += min(n, 1)
	}
	w := make([]float64, len(counts))
	for c, n := range counts {
		w[c] = 1
		if n > 0 {
			w[c] = float64(total) / float64(present) / float64(n)
		}
	}
	return w
}

// dealer deals the examples of an epoch: a function of the seed and the epoch alone.
type dealer struct {
	n       int // examples of the set
	seed    uint64
	classes [][]int // examples by class, those of no class that there is left out; nil: each example once
	rest    []int   // of no known class
	each    int     // examples of each class
}

func newDealer(set Set, b Balance, seed uint64) *dealer {
	d := &dealer{n: set.Len(), seed: seed}
	switch b {
	case "", Natural:
		return d
	case Over, Under:
	default:
		panic(fmt.Sprintf("dataset: no balance %q", b)) // a program's mistake: options are checked
	}
	all := make([][]int, len(set.Heads()[0].Labels))
	for i := range d.n {
		if l := set.Label(i, 0); l >= 0 {
			all[l] = append(all[l], i)
		} else {
			d.rest = append(d.rest, i)
		}
	}
	for _, c := range all {
		if len(c) == 0 {
			continue
		}
		d.classes = append(d.classes, c)
		if b == Over && len(c) > d.each || b == Under && (d.each == 0 || len(c) < d.each) {
			d.each = len(c)
		}
	}
	return d
}

func (d *dealer) drawn() int {
	if d.classes == nil {
		return d.n
	}
	return len(d.classes)*d.each + len(d.rest)
}

// order is the examples of an epoch. Number v is example v%n, for the v/n+1'th time in this epoch.
func (d *dealer) order(epoch int) []int {
	if d.classes == nil {
		return Order(d.n, d.seed, epoch)
	}
	r := rand.New(rand.NewPCG(d.seed, orderStream+uint64(epoch)))
	list := append(make([]int, 0, d.drawn()), d.rest...)
	for _, c := range d.classes {
		whole := d.each / len(c)
		for time := range whole {
			for _, i := range c {
				list = append(list, i+time*d.n)
			}
		}
		for _, k := range r.Perm(len(c))[:d.each%len(c)] {
			list = append(list, c[k]+whole*d.n)
		}
	}
	r.Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
	return list
}
