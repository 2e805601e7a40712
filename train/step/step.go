// Package step runs compiled networks on batches of examples: steps of training, and evaluation of a set. When which step is
// done, and with what learning rate, is train's to decide.
package step

import (
	"fmt"
	"math"
	"strings"

	"gleaner/train/dataset"
	"gleaner/train/engine"
	"gleaner/train/net"
	"gleaner/train/recipe"
)

// Stepper runs a training program on batches: it knows which input takes what.
type Stepper struct {
	Program  *engine.Program
	Run      engine.Runner
	In       [][]float32 // by input of the program
	pictures int         // which input takes the pictures
	labels   []int       // and which the labels, by head

	rate, step, corr1, corr2, blend []float32 // the scalar inputs, one number each

	loss  []float32
	probs [][]float32 // by head: probabilities [N classes] before the step
	out   [][]float32
	o     *recipe.Options
}

// program is the training program that the options ask for, with the classes' weights by head; nil: all 1.
func program(n *net.Net, o *recipe.Options, weights [][]float32) (*engine.Program, error) {
	rates, err := o.LayerRates()
	if err != nil {
		return nil, err
	}
	for _, r := range rates {
		if !hasLayer(n, r.Prefix) {
			return nil, fmt.Errorf("rates=%s:%g: network %s has no layer that begins so", r.Prefix, r.Share, n.Name)
		}
	}
	loss := engine.Loss{Smoothing: o.Smoothing, Gamma: o.Gamma}
	t := net.TrainOptions{ToStart: o.ToStart, Seed: uint32(o.Seed), Quantise: o.Quantise}
	for h := range n.Heads {
		if weights != nil {
			loss.Weights = weights[h]
		}
		t.Losses = append(t.Losses, loss)
	}
	t.Optimiser = engine.Optimiser{Kind: o.Optimiser, Momentum: o.Momentum, Nesterov: o.Nesterov, Beta1: o.Beta1, Beta2: o.Beta2,
		Decay: o.Decay, Clip: o.Clip, Average: o.Average > 0}
	t.Optimiser.Group = func(v *engine.Var) (rate, decay float64) {
		rate, decay = 1, 1
		longest := -1
		for _, r := range rates {
			if strings.HasPrefix(v.Name, r.Prefix) && len(r.Prefix) > longest {
				rate, longest = r.Share, len(r.Prefix)
			}
		}
		if len(v.Shape) < 2 && !o.DecayAll { // biases, and the factors and shifts of normalisations
			decay = 0
		}
		return rate, decay
	}
	return n.Training(o.Batch, t)
}

func hasLayer(n *net.Net, prefix string) bool {
	for _, v := range n.Vars() {
		if strings.HasPrefix(v.Name, prefix) {
			return true
		}
	}
	return false
}

// New compiles the training program. Its outputs are the loss, the gradients' norm if they are clipped, and each head's
// probabilities. By head, weights are those of the classes in the loss, as recipe.Options.ClassWeights gives them; nil: all 1.
func New(b engine.Backend, n *net.Net, o *recipe.Options, weights [][]float32) (*Stepper, error) {
	p, err := program(n, o, weights)
	if err != nil {
		return nil, err
	}
	run, err := b.Compile(p)
	if err != nil {
		return nil, err
	}
	s := &Stepper{Program: p, Run: run, o: o, In: make([][]float32, len(p.Inputs)), labels: make([]int, len(n.Heads)),
		loss: make([]float32, 1)}
	scalars := map[string]*[]float32{engine.StepInput: &s.step, engine.RateInput: &s.rate, engine.Corr1Input: &s.corr1,
		engine.Corr2Input: &s.corr2, engine.BlendInput: &s.blend}
	for i, v := range p.Inputs {
		if scalar, ok := scalars[v.Input]; ok {
			*scalar = make([]float32, 1)
			s.In[i] = *scalar
			continue
		}
		s.pictures = at(v.Input == net.PictureInput, i, s.pictures)
		for h, head := range n.Heads {
			s.labels[h] = at(v.Input == net.LabelInput(head.Name), i, s.labels[h])
		}
	}
	s.out = make([][]float32, len(p.Outputs))
	s.out[0] = s.loss
	first := len(p.Outputs) - len(n.Heads)
	for i, v := range p.Outputs[first:] {
		s.probs = append(s.probs, make([]float32, v.Shape.Size()))
		s.out[first+i] = s.probs[i]
	}
	return s, nil
}

func at(here bool, i, otherwise int) int {
	if here {
		return i
	}
	return otherwise
}

// maxStep is where dropout's numbers of steps begin anew: float32 holds whole numbers up to here.
const maxStep = 1 << 24

// Start begins a step, from 0, on a batch. The batch's memory may be used again.
func (s *Stepper) Start(b *dataset.Batch, step int, rate float64) error {
	s.Fill(b, step, rate)
	if err := s.Run.Start(s.In); err != nil {
		return fmt.Errorf("step %d: %w", step+1, err)
	}
	return nil
}

// Fill sets all inputs of a step.
func (s *Stepper) Fill(b *dataset.Batch, step int, rate float64) {
	s.In[s.pictures] = b.X
	for h, i := range s.labels {
		s.In[i] = b.Y[h]
	}
	t := float64(step)
	set(s.rate, rate)
	set(s.step, float64(step%maxStep))
	set(s.corr1, 1/(1-math.Pow(s.o.Beta1, t+1)))
	set(s.corr2, 1/(1-math.Pow(s.o.Beta2, t+1)))
	// A young average follows quickly: the decay rises to its value, as TensorFlow's ExponentialMovingAverage has it.
	set(s.blend, 1-min(s.o.Average, (1+t)/(10+t)))
}

func set(scalar []float32, v float64) {
	if scalar != nil {
		scalar[0] = float32(v)
	}
}

// Finish waits for the oldest step under way and gives its loss.
func (s *Stepper) Finish() (float64, error) {
	if err := s.Run.Finish(s.out); err != nil {
		return 0, err
	}
	return float64(s.loss[0]), nil
}

// Right counts the right answers to the batch of the step that finished last, over all heads, and how many there could be.
func (s *Stepper) Right(b *dataset.Batch) (right, answers int) {
	for h, p := range s.probs {
		classes := len(p) / s.o.Batch
		for i, l := range b.Label[h] {
			if l < 0 {
				continue
			}
			answers++
			if argmax(p[i*classes:(i+1)*classes]) == l {
				right++
			}
		}
	}
	return right, answers
}

// Judge evaluates a network on a set: mean cross-entropy and share of right answers.
type Judge struct {
	Program *engine.Program
	Run     engine.Runner
	feed    *dataset.Feed
	n       int         // examples
	In      [][]float32 // of the last batch
	out     [][]float32 // by head: logits [batch classes]
	batch   int
	// Answer, if not nil, is told by Score what the network answers: by head and example, each class's probability, and the
	// example's own class; -1 where that is not known.
	Answer func(head, example int, p []float32, label int)
}

// NewJudge compiles the evaluation of a set. Close ends it.
func NewJudge(b engine.Backend, n *net.Net, set dataset.Set, o *recipe.Options, average bool) (*Judge, error) {
	p, err := n.Evaluation(o.Batch, net.EvalOptions{Logits: true, Average: average, Quantise: o.Quantise})
	if err != nil {
		return nil, err
	}
	run, err := b.Compile(p)
	if err != nil {
		return nil, err
	}
	j := &Judge{Program: p, Run: run, n: set.Len(), In: make([][]float32, 1), batch: o.Batch}
	for _, v := range p.Outputs {
		j.out = append(j.out, make([]float32, v.Shape.Size()))
	}
	// It goes round without end: the first batches of the next time are made while the network trains.
	j.feed = dataset.NewFeed(set, dataset.FeedOptions{Batch: o.Batch, Epochs: math.MaxInt, Workers: o.Decoders()})
	return j, nil
}

// Close ends the evaluation.
func (j *Judge) Close() {
	j.feed.Close()
	_ = j.Run.Close()
}

// Score goes through the set once.
func (j *Judge) Score() (loss, accuracy float64, err error) {
	right, answers := 0, 0
	for done := 0; done < j.n; {
		b, err := j.feed.Next()
		if err != nil {
			return 0, 0, err
		}
		j.In[0] = b.X
		if err := engine.Run(j.Run, j.In, j.out); err != nil {
			return 0, 0, err
		}
		for h, logits := range j.out {
			classes := len(logits) / j.batch
			for i, l := range b.Label[h] {
				z := logits[i*classes : (i+1)*classes]
				if j.Answer != nil {
					j.Answer(h, b.Example[i], softmax(z), l)
				}
				if l < 0 {
					continue
				}
				part := crossEntropy(z, l)
				if loss += part; math.IsNaN(part) || math.IsInf(part, 0) {
					return part, 0, nil // j.In still holds the batch
				}
				answers++
				if argmax(z) == l {
					right++
				}
			}
		}
		done += b.N
		j.feed.Release(b)
	}
	return loss / float64(j.n), float64(right) / float64(max(1, answers)), nil
}

// softmax are the probabilities that logits stand for.
func softmax(z []float32) []float32 {
	p := make([]float32, len(z))
	sum := crossEntropy(z, 0) + float64(z[0]) // log Σ exp z
	for k, v := range z {
		p[k] = float32(math.Exp(float64(v) - sum))
	}
	return p
}

// crossEntropy is -log softmax(z)_l, in double precision.
func crossEntropy(z []float32, l int) float64 {
	top := float64(z[argmax(z)])
	sum := 0.0
	for _, v := range z {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum) - float64(z[l])
}

// argmax is the index of the greatest number, the first of equals.
func argmax(v []float32) (best int) {
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}
