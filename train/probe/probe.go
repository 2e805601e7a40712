// Package probe fits a network's heads on what its backbone makes of pictures, before anything else learns. The features, and their
// cache, are in train.
package probe

import (
	"fmt"

	"gleaner/train/dataset"
	"gleaner/train/linear"
	"gleaner/train/net"
)

// Options say how heads are fitted.
type Options struct {
	Decay   float64 // λ of linear.Options, or with squares of linear.Quadratic
	Squares int     // of each class; 0: plain heads
}

// Fit gives the weights of a network's heads by features x of a set's examples: of each example once, in the order of the set, and then
// as often again as there are further looks at them. Examples whose label of a head is not known do not count for it; weights are those
// of each head's classes, nil: all 1.
func Fit(n *net.Net, x [][]float32, set dataset.Set, weights [][]float32, o Options) (net.Weights, error) {
	if o.Squares > 0 {
		return squares(n, x, set, weights, o)
	}
	fitted := net.Weights{}
	for h, head := range n.Heads {
		labels, by := truth(set, h, len(x), weights)
		var known [][]float32
		var of []int
		var byKnown []float64
		for i, l := range labels {
			if l < 0 {
				continue
			}
			known, of = append(known, x[i]), append(of, l)
			if by != nil {
				byKnown = append(byKnown, by[i])
			}
		}
		m, err := linear.Fit(known, of, head.Classes, linear.Options{Decay: o.Decay, Weights: byKnown})
		if err != nil {
			return nil, fmt.Errorf("head %s: %w", head.Name, err)
		}
		w, b := net.HeadVars(head.Name)
		fitted[w], fitted[b] = m.Affine()
	}
	return fitted, nil
}

// truth is the label of a head for each of n looks, -1 where it is not known, and the weights of their classes.
func truth(set dataset.Set, head, n int, weights [][]float32) (labels []int, by []float64) {
	for i := range n {
		l := set.Label(i%set.Len(), head)
		labels = append(labels, l)
		if weights != nil {
			by = append(by, float64(weights[head][max(0, l)]))
		}
	}
	return labels, by
}

// squares fits heads that share a hidden layer of squares, each with units of its own.
func squares(n *net.Net, x [][]float32, set dataset.Set, weights [][]float32, o Options) (net.Weights, error) {
	q, err := linear.NewQuadratic(x)
	if err != nil {
		return nil, err
	}
	fitted := net.Weights{}
	v, c := net.SquaresVars()
	units, before := n.Var(c).Shape[0], 0
	for h, head := range n.Heads {
		labels, by := truth(set, h, len(x), weights)
		fit, err := q.Fit(labels, head.Classes, set.Len(), o.Squares, by, o.Decay)
		if err != nil {
			return nil, fmt.Errorf("head %s: %w", head.Name, err)
		}
		fitted[v], fitted[c] = append(fitted[v], fit.V...), append(fitted[c], fit.C...)
		// The head sees its own units; the other heads' it may learn to see.
		w, b := net.HeadVars(head.Name)
		fitted[b], fitted[w] = fit.B, make([]float32, head.Classes*units)
		own := len(fit.C)
		for k := range head.Classes {
			copy(fitted[w][k*units+before:], fit.W[k*own:(k+1)*own])
		}
		before += own
	}
	return fitted, nil
}
