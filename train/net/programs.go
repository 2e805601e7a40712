package net

import (
	"fmt"
	"strings"

	"gleaner/train/engine"
)

// PictureInput is the name of the input that takes the batch of pictures [N H W C], or of features [N C].
const PictureInput = "x"

// LabelInput is the name of the input that takes a head's wanted shares [N classes].
func LabelInput(head string) string { return "y/" + head }

// TrainOptions say what is learnt and how.
type TrainOptions struct {
	Losses    []engine.Loss // one per head; nil: plain cross-entropy for all
	Share     []float64     // of each head's loss in the sum; nil: 1 each
	Optimiser engine.Optimiser
	// ToStart pulls the parameters towards where they began, λ/2·Σ(w-w0)² (L2-SP, Li et al. 2018); 0: not. The start is in
	// the variables NAME:start, which StartStates fills.
	ToStart float64
	Seed    uint32 // of the dropout
	// NormRate is how far a running mean or variance follows each batch's, 0 to 1; 0 means 0.1.
	NormRate float64
	// Quantise makes the forward pass go through Bits bits as an exported int8 network does; 0: not. Fold the network first.
	Quantise int
}

// EvalOptions say how a network is evaluated.
type EvalOptions struct {
	Logits   bool // the outputs are logits instead of probabilities
	Average  bool // use the moving averages of the parameters (engine.Optimiser.Average)
	Quantise int  // as in TrainOptions
	// FileWeights leaves the weights of a quantised build as they are: those of an imported int8 or uint8 file are on a grid
	// already, which need not be ours.
	FileWeights bool
}

// Training is one step of training on a batch. Its outputs are the loss, the gradients' norm if the optimiser clips, and each
// head's probabilities [N classes] on the batch, as they were before the step.
func (n *Net) Training(batch int, o TrainOptions) (*engine.Program, error) {
	if o.NormRate == 0 {
		o.NormRate = 0.1
	}
	var loss *engine.Node
	var probabilities []*engine.Node
	g, err := engine.Build(func(g *engine.Graph) {
		b := &Builder{Graph: g, n: n, training: true, seed: o.Seed, normRate: o.NormRate, quantise: o.Quantise}
		logits := n.logits(b, batch)
		for i, h := range n.Heads {
			part, p := n.headLoss(b, h, logits[i], at(o.Losses, i, engine.Loss{}), at(o.Share, i, 1))
			probabilities = append(probabilities, p)
			loss = sum(g, "loss", loss, part)
		}
		if o.ToStart > 0 {
			for _, p := range n.Params() {
				part := g.L2(p.Name, g.Var(p), g.Var(n.state(p, "start", engine.Stat)), o.ToStart)
				loss = sum(g, "loss", loss, part)
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("network %s: %w", n.Name, err)
	}
	o.Optimiser.State = n.state
	p, err := g.Training(loss, n.Params(), o.Optimiser, probabilities...)
	if err != nil {
		return nil, fmt.Errorf("network %s: %w", n.Name, err)
	}
	return p, nil
}

func at[T any](list []T, i int, absent T) T {
	if i < len(list) {
		return list[i]
	}
	return absent
}

func sum(g *engine.Graph, layer string, a, b *engine.Node) *engine.Node {
	if a == nil {
		return b
	}
	return g.Add(layer, a, b)
}

func (n *Net) headLoss(b *Builder, h Head, z *engine.Node, l engine.Loss, share float64) (loss, probabilities *engine.Node) {
	y := b.Input(LabelInput(h.Name), engine.ShapeOf(z)...)
	if h.Independent {
		loss = b.BCELoss("loss/"+h.Name, z, y, l)
	} else {
		loss = b.SoftmaxLoss("loss/"+h.Name, z, y, l)
	}
	probabilities = b.Probabilities(loss)
	if share != 1 {
		loss = b.Scale("loss/"+h.Name, loss, share)
	}
	return loss, probabilities
}

// Evaluation answers for a batch. Its outputs are each head's probabilities [N classes], or the logits.
func (n *Net) Evaluation(batch int, o EvalOptions) (*engine.Program, error) {
	var outs []*engine.Node
	g, err := engine.Build(func(g *engine.Graph) {
		b := &Builder{Graph: g, n: n, average: o.Average, quantise: o.Quantise, keepWeights: o.FileWeights}
		outs = n.logits(b, batch)
		for i, h := range n.Heads {
			switch {
			case o.Logits:
			case h.Independent:
				outs[i] = g.Sigmoid(h.Name, outs[i])
			default:
				outs[i] = g.Softmax(h.Name, outs[i])
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("network %s: %w", n.Name, err)
	}
	return g.Evaluation(outs...)
}

// Features gives what the heads are fed, [N C], for a batch. A network whose heads are the file's own has none: an error.
func (n *Net) Features(batch int) (*engine.Program, error) {
	var x *engine.Node
	g, err := engine.Build(func(g *engine.Graph) {
		b := &Builder{Graph: g, n: n}
		n.logits(b, batch)
		if x = b.features; x == nil {
			engine.Fail(n.Name, "its head is the file's own, and has no features of its own")
		}
	})
	if err != nil {
		return nil, fmt.Errorf("network %s: %w", n.Name, err)
	}
	return g.Evaluation(x)
}

// HeadVars are the names of the weights [classes C] and the bias [classes] of the layer that makes a head's logits of the features.
func HeadVars(head string) (w, b string) { return headPrefix + head + "/w", headPrefix + head + "/b" }

// SquaresVars are the names of the weights [units C] and the bias [units] of the hidden layer of SquareLogits.
func SquaresVars() (w, b string) { return squaresLayer + "/w", squaresLayer + "/b" }

// IsHead tells whether a variable belongs to a head, and not to what its features are computed by.
func IsHead(name string) bool { return strings.HasPrefix(name, headPrefix) }

func (n *Net) logits(b *Builder, batch int) []*engine.Node {
	x := b.Input(PictureInput, append(engine.Shape{batch}, n.Input...)...)
	logits := n.build(b, b.quant(inputLayer, x))
	if len(logits) != len(n.Heads) {
		engine.Fail(n.Name, "%d heads are named, and the layers give %d", len(n.Heads), len(logits))
	}
	for i, h := range n.Heads {
		if s := engine.ShapeOf(logits[i]); !s.Equal(engine.Shape{batch, h.Classes}) {
			engine.Fail("head "+h.Name, "it gives %v, and %v is wanted", s, engine.Shape{batch, h.Classes})
		}
	}
	return logits
}

// state is the variable that belongs to a parameter by a name: an optimiser's slot, an average, a start.
func (n *Net) state(v *engine.Var, name string, role engine.Role) *engine.Var {
	key := v.Name + ":" + name
	if n.states[key] == nil {
		n.states[key] = &engine.Var{Name: key, Shape: v.Shape, Role: role}
		n.stateN = append(n.stateN, n.states[key])
	}
	return n.states[key]
}

// StartStates are the first values of the variables that training added, for parameters that begin as w: zeros for the
// optimiser's, the parameter itself for an average and a start.
func (n *Net) StartStates(w Weights) Weights {
	s := Weights{}
	for _, v := range n.vars {
		for _, name := range []string{"velocity", "m", "v", "average", "start"} {
			state := n.states[v.v.Name+":"+name]
			switch {
			case state == nil:
			case name == "average" || name == "start":
				s[state.Name] = append([]float32(nil), w[v.v.Name]...)
			default:
				s[state.Name] = make([]float32, v.v.Shape.Size())
			}
		}
	}
	return s
}
