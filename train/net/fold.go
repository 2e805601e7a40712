package net

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Fold is the network with each batch norm in the convolution before it, w·γ/sqrt(σ²+ε) and (b-μ)·γ/sqrt(σ²+ε)+β, and the
// weights that make it answer as this one does with w. Norms that stand alone stay. It shares no variables with this network.
func (n *Net) Fold(w Weights) (*Net, Weights, error) {
	f, err := describe(n.Name, n.Input, n.Heads, n.build, true)
	if err != nil {
		return nil, nil, err
	}
	f.frozen, f.ranges, f.layers = slices.Clone(n.frozen), n.ranges, n.layers
	for _, v := range n.Vars() {
		if len(w[v.Name]) != v.Shape.Size() {
			return nil, nil, fmt.Errorf("fold network %s: the weights have %d numbers for %s, which is %v",
				n.Name, len(w[v.Name]), v.Name, v.Shape)
		}
	}
	out := Weights{}
	for _, v := range f.vars {
		layer, name := v.layer, strings.TrimPrefix(v.v.Name, v.layer+"/")
		norm := layer + normSuffix
		if n.byName[norm+"/gamma"] == nil || f.byName[norm+"/gamma"] != nil {
			out[v.v.Name] = slices.Clone(w[v.v.Name])
			continue
		}
		switch name {
		case "w":
			out[v.v.Name] = foldWeights(w[v.v.Name], w, norm)
		case "b":
			out[v.v.Name] = foldBias(w[v.v.Name], w, norm)
		}
	}
	for name, d := range w {
		if strings.HasSuffix(name, "/"+rangeName) {
			out[name] = slices.Clone(d)
		}
	}
	return f, out, nil
}

func normScale(w Weights, norm string, k int) float64 {
	return float64(w[norm+"/gamma"][k]) / math.Sqrt(float64(w[norm+"/var"][k])+normEps)
}

func foldWeights(weights []float32, w Weights, norm string) []float32 {
	out := make([]float32, len(weights))
	row := len(weights) / len(w[norm+"/gamma"])
	for i, x := range weights {
		out[i] = float32(float64(x) * normScale(w, norm, i/row))
	}
	return out
}

// foldBias takes nil for a convolution that had no bias.
func foldBias(bias []float32, w Weights, norm string) []float32 {
	out := make([]float32, len(w[norm+"/gamma"]))
	for k := range out {
		b := -float64(w[norm+"/mean"][k])
		if bias != nil {
			b += float64(bias[k])
		}
		out[k] = float32(b*normScale(w, norm, k) + float64(w[norm+"/beta"][k]))
	}
	return out
}

// Folded tells whether the batch norms behind convolutions are in them.
func (n *Net) Folded() bool { return n.folded }
