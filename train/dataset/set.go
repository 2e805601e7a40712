// Package dataset is what a network is trained on: labelled examples as a network takes them, a split for validation, the
// order of an epoch and the balance of its classes, changes to pictures at random, and batches that are made ahead of their
// use. Everything random is worked out anew from the seed, the epoch and the example, so that a run that was interrupted goes
// on with the same numbers.
//
// How pixels become numbers is classify/prep's, the same code as on the device. Importing and cleaning of data sets are not here.
package dataset

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// Head is one question that the labels answer.
type Head struct {
	Name   string   // "class" where there is one
	Labels []string // by class number
}

// Set is examples: what a network takes, and what it should answer. Its methods may be called from several goroutines.
type Set interface {
	Len() int
	// Shape is that of one example, [H W C] for pictures.
	Shape() []int
	Heads() []Head
	// Label is the class of example i, 0 to the number of the head's labels; -1: not known, and the head learns nothing of it.
	Label(i, head int) int
	// Input writes example i into dst, row-major in Shape. What is random about it is drawn from r; nil: nothing is.
	Input(dst []float32, i int, r *rand.Rand) error
	// Name tells a person which example it is, such as its file.
	Name(i int) string
}

// Subset is a part of a set.
type Subset struct {
	Set
	Index []int // example i is example Index[i] of Set
}

// Len is the number of examples of the part.
func (s *Subset) Len() int { return len(s.Index) }

// Label is the class of the part's example i.
func (s *Subset) Label(i, head int) int { return s.Set.Label(s.Index[i], head) }

// Input writes the part's example i.
func (s *Subset) Input(dst []float32, i int, r *rand.Rand) error {
	return s.Set.Input(dst, s.Index[i], r)
}

// Name is that of the part's example i.
func (s *Subset) Name(i int) string { return s.Set.Name(s.Index[i]) }

// Split deals a share of the examples, 0 to 0.9, into a second part: of each combination of labels the same share, drawn by
// the seed, rounded, at least one, and never all. A class with one example keeps it in the first part.
func Split(s Set, share float64, seed uint64) (first, second *Subset, err error) {
	if !(share >= 0 && share <= 0.9) {
		return nil, nil, fmt.Errorf("split the examples: a share of %g is not in 0 to 0.9", share)
	}
	groups := map[string][]int{}
	var names []string
	for i := range s.Len() {
		key := combination(s, i)
		if groups[key] == nil {
			names = append(names, key)
		}
		groups[key] = append(groups[key], i)
	}
	slices.Sort(names)
	first, second = &Subset{Set: s}, &Subset{Set: s}
	for at, name := range names {
		group := groups[name]
		n := int(math.Round(share * float64(len(group))))
		if share > 0 {
			n = min(max(n, 1), len(group)-1)
		}
		r := rand.New(rand.NewPCG(seed, splitStream+uint64(at)))
		r.Shuffle(len(group), func(a, b int) { group[a], group[b] = group[b], group[a] })
		second.Index = append(second.Index, group[:n]...)
		first.Index = append(first.Index, group[n:]...)
	}
	slices.Sort(first.Index)
	slices.Sort(second.Index)
	return first, second, nil
}

// combination is an example's labels, as a key.
func combination(s Set, i int) string {
	var b strings.Builder
	for h := range s.Heads() {
		fmt.Fprintf(&b, "%06d ", s.Label(i, h))
	}
	return b.String()
}

// Counts is how many examples of each class a set has, for one head.
func Counts(s Set, head int) []int {
	n := make([]int, len(s.Heads()[head].Labels))
	for i := range s.Len() {
		if l := s.Label(i, head); l >= 0 {
			n[l]++
		}
	}
	return n
}

// Order is the permutation of n examples for an epoch.
func Order(n int, seed uint64, epoch int) []int {
	return rand.New(rand.NewPCG(seed, orderStream+uint64(epoch))).Perm(n)
}

// The streams of random numbers that one seed gives, apart by more than any count of epochs or classes.
const (
	orderStream  = 1 << 56
	splitStream  = 2 << 56
	changeStream = 3 << 56
	mixStream    = 4 << 56
)

// draw sets r's source to the numbers that belong to an example in an epoch.
func draw(source *rand.PCG, seed uint64, epoch, example int) {
	source.Seed(seed^uint64(epoch)*0x9E3779B97F4A7C15, changeStream+uint64(example))
}
