package net

import (
	"fmt"
	"iter"
	"maps"
	"math"

	"gleaner/train/engine"
)

// FitNorms gives each batch norm the mean and the variance that its input has on the batches, and changes γ and β so that the
// network answers as before: norms that Import put behind folded convolutions then begin where the file left off, in training
// too. It returns the new weights; the backend's variables are w's.
func (n *Net) FitNorms(b engine.Backend, w Weights, batch int, batches iter.Seq2[[]float32, error]) (Weights, error) {
	layers, of, err := n.measure(&watch{norms: true}, b, w, batch, batches)
	if err != nil {
		return nil, err
	}
	out := w.Clone()
	for i, layer := range layers {
		gamma, beta, mean, variance := out[layer+"/gamma"], out[layer+"/beta"], out[layer+"/mean"], out[layer+"/var"]
		for c := range gamma {
			m, v := of[i].mean[c], of[i].variance[c]
			g := float64(gamma[c]) / math.Sqrt(float64(variance[c])+normEps)
			beta[c] += float32(g * (m - float64(mean[c])))
			gamma[c] = float32(g * math.Sqrt(v+normEps))
			mean[c], variance[c] = float32(m), float32(v)
		}
	}
	return out, nil
}

// SettleNorms gives the norms that learn the statistics of the batches, each of which goes through the network as in training,
// by its own statistics (precise batch norm: Wu and Johnson, "Rethinking 'Batch' in BatchNorm", 2021). Running statistics are those of
// changed and mixed pictures and of weights that have moved on. The weights are the backend's, or with average their moving averages.
func (n *Net) SettleNorms(b engine.Backend, average bool, batch int, batches iter.Seq2[[]float32, error]) error {
	settled, err := n.settled(b, average, nil, batch, batches)
	if err != nil {
		return err
	}
	for name, x := range settled {
		if err := b.Write(n.Var(name), x); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// Settle is SettleNorms for weights w, which it returns with the statistics. The backend's variables are w's afterwards.
func (n *Net) Settle(b engine.Backend, w Weights, batch int, batches iter.Seq2[[]float32, error]) (Weights, error) {
	settled, err := n.settled(b, false, w, batch, batches)
	if err != nil {
		return nil, err
	}
	out := maps.Clone(w)
	maps.Copy(out, settled)
	return out, nil
}

// settled are the statistics of the norms that learn, with weights w; nil: the backend's.
func (n *Net) settled(b engine.Backend, average bool, w Weights, batch int, batches iter.Seq2[[]float32, error]) (Weights, error) {
	layers, of, err := n.measure(&watch{norms: true, batch: true, average: average}, b, w, batch, batches)
	if err != nil {
		return nil, err
	}
	out := Weights{}
	for i, layer := range layers {
		if n.isFrozen(layer) {
			continue
		}
		for name, d := range map[string][]float64{"/mean": of[i].mean, "/var": of[i].variance} {
			x := make([]float32, len(d))
			for c := range d {
				x[c] = float32(d[c])
			}
			out[layer+name] = x
		}
	}
	return out, nil
}

// moments are what a norm's input has on pictures, by channel.
type moments struct{ mean, variance []float64 }

// measure is the moments over all batches of the input of each norm, by layer.
func (n *Net) measure(seen *watch, b engine.Backend, w Weights, batch int, batches iter.Seq2[[]float32, error]) (layers []string, of []moments, err error) {
	var sums []moments // of the means; of the variances and the squared means
	count := 0
	err = n.run(seen, 0, b, maps.Clone(w), batch, batches, func(values [][]float32) {
		for i := 0; i < len(values); i += 2 {
			if count == 0 {
				sums = append(sums, moments{make([]float64, len(values[i])), make([]float64, len(values[i]))})
			}
			for c, m := range values[i] {
				sums[i/2].mean[c] += float64(m)
				sums[i/2].variance[c] += float64(values[i+1][c]) + float64(m)*float64(m)
			}
		}
		count++
	})
	if err != nil {
		return nil, nil, fmt.Errorf("measure the norms: %w", err)
	}
	if count == 0 && len(seen.nodes) > 0 {
		return nil, nil, fmt.Errorf("measure the norms of network %s: there are no pictures", n.Name)
	}
	for _, s := range sums {
		for c := range s.mean {
			s.mean[c] /= float64(count)
			s.variance[c] = max(0, s.variance[c]/float64(count)-s.mean[c]*s.mean[c])
		}
	}
	return seen.layer, sums, nil
}

// norm watches a norm's input. What it returns stands for the norm, where the watch has norms do as in training.
func (w *watch) norm(b *Builder, layer string, x, gamma, beta *engine.Node) *engine.Node {
	if !w.norms {
		return nil
	}
	y, mean, variance := b.BatchNorm(layer, x, gamma, beta, normEps)
	w.nodes, w.layer = append(w.nodes, mean, variance), append(w.layer, layer)
	if !w.batch || b.n.isFrozen(layer) {
		return nil
	}
	return y
}
