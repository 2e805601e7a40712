package enginetest

import (
	"gleaner/train/engine"
)

func losses() (list []Case) {
	for _, l := range []struct {
		name string
		y    fill
		loss engine.Loss
	}{
		{"softmax_loss", onehot, engine.Loss{}},
		{"softmax_loss of shares", shares, engine.Loss{}},
		{"softmax_loss, weights", onehot, engine.Loss{Weights: []float32{0.5, 1, 3, 0, 2}}},
		{"softmax_loss, smoothing", onehot, engine.Loss{Smoothing: 0.1}},
		{"softmax_loss, focal 2", onehot, engine.Loss{Gamma: 2}},
		{"softmax_loss, focal 1/2", shares, engine.Loss{Gamma: 0.5}},
		{"softmax_loss, focal, weights, smoothing", onehot, engine.Loss{Gamma: 1.5, Smoothing: 0.2, Weights: []float32{2, 1, 0.25, 1, 4}}},
	} {
		list = append(list, Case{Name: l.name, build: func(b *builder) *engine.Node {
			loss := b.SoftmaxLoss("loss", b.param("z", uniform(-3, 3), 6, 5), b.input("y", l.y, 6, 5), l.loss)
			b.output(b.Probabilities(loss))
			return loss
		}})
	}
	for _, l := range []struct {
		name string
		y    fill
		loss engine.Loss
	}{
		{"bce_loss", integers(2), engine.Loss{}},
		{"bce_loss of shares", uniform(0, 1), engine.Loss{}},
		{"bce_loss, weights, smoothing", integers(2), engine.Loss{Smoothing: 0.1, Weights: []float32{0.5, 1, 3, 0, 2}}},
	} {
		list = append(list, Case{Name: l.name, build: func(b *builder) *engine.Node {
			loss := b.BCELoss("loss", b.param("z", uniform(-3, 3), 4, 5), b.input("y", l.y, 4, 5), l.loss)
			b.output(b.Probabilities(loss))
			return loss
		}})
	}
	great := values(90, -90, 0, 3, 2, 1, -150, -120, -100)
	return append(list,
		Case{Name: "softmax_loss of great numbers", build: func(b *builder) *engine.Node {
			return b.SoftmaxLoss("loss", b.param("z", great, 3, 3), b.input("y", values(0, 1, 0, 1, 0, 0, 0, 0, 1), 3, 3), engine.Loss{})
		}},
		Case{Name: "softmax_loss of great numbers, focal", build: func(b *builder) *engine.Node {
			return b.SoftmaxLoss("loss", b.param("z", great, 3, 3), b.input("y", values(1, 0, 0, 1, 0, 0, 0, 0, 1), 3, 3), engine.Loss{Gamma: 0.5})
		}},
		Case{Name: "bce_loss of great numbers", build: func(b *builder) *engine.Node {
			return b.BCELoss("loss", b.param("z", great, 3, 3), b.input("y", values(0, 1, 0, 1, 0, 0, 0, 0, 1), 3, 3), engine.Loss{})
		}},
		Case{Name: "l2", build: func(b *builder) *engine.Node {
			return b.L2("decay", b.param("w", uniform(-1, 1), 3, 2, 2, 4), nil, 0.3)
		}},
		Case{Name: "l2 towards the start", build: func(b *builder) *engine.Node {
			return b.L2("decay", b.param("w", uniform(-1, 1), 3, 2, 2, 4), b.stat("start", uniform(-1, 1), 3, 2, 2, 4), 0.3)
		}},
		Case{Name: "two losses, one with half a share", build: func(b *builder) *engine.Node {
			z := b.param("z", uniform(-2, 2), 3, 4)
			one := b.SoftmaxLoss("one", z, b.input("y", onehot, 3, 4), engine.Loss{})
			other := b.Scale("half", b.BCELoss("other", z, b.input("t", integers(2), 3, 4), engine.Loss{}), 0.5)
			return b.Add("sum", b.Add("sum", one, other), b.L2("decay", z, nil, 0.1))
		}})
}
