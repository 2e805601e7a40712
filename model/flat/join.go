package flat

import (
	"crypto/sha256"
	"fmt"
	"slices"
)

// Join puts two or more classifiers of the same input side by side into one network, which answers with the mean of their
// probabilities: soft voting. All have one input of the same shape, type, scale and zero point, and the same outputs in one order, each
// float32 and of the same shape. The result has the description, the metadata and the associated files of the first; constants that are equal are
// stored once, and the models themselves stay as they are. Models that do not fit each other are an error that names the first
// difference.
func Join(models ...*Model) (*Model, error) {
	if len(models) < 2 {
		return nil, fmt.Errorf("join models: %d of them, two are needed", len(models))
	}
	for i, m := range models {
		if err := joinable(models[0], m); err != nil {
			return nil, fmt.Errorf("join models: model %d: %w", i+1, err)
		}
	}
	first := models[0]
	j := &joiner{out: New(first.Description), buffers: map[[sha256.Size]byte]int{}}
	j.out.Graphs[0].Name = first.Graphs[0].Name
	var answers [][]int // by member and output
	for i, m := range models {
		answers = append(answers, j.add(i, m))
	}
	j.out.Graphs[0].Outputs = nil
	for o := range answers[0] {
		j.mean(o, answers)
	}
	for _, md := range first.Metadata {
		j.out.Metadata = append(j.out.Metadata, Metadata{md.Name, j.buffer(first.Buffers[md.Buffer])})
	}
	j.out.Files = slices.Clone(first.Files)
	return j.out, nil
}

// joinable tells whether a model can be joined with the first one.
func joinable(first, m *Model) error {
	if len(m.Graphs) != 1 {
		return fmt.Errorf("%w: control flow over %d graphs", ErrUnsupported, len(m.Graphs))
	}
	ins, outs := m.InputTensors(), m.OutputTensors()
	answers := first.OutputTensors()
	if len(ins) != 1 || len(outs) < 1 {
		return fmt.Errorf("it has %d inputs and %d outputs, one input and at least one output are needed", len(ins), len(outs))
	}
	if len(outs) != len(answers) {
		return fmt.Errorf("it has %d outputs, the first %d", len(outs), len(answers))
	}
	for _, md := range m.Metadata {
		if md.Buffer < 0 || md.Buffer >= len(m.Buffers) {
			return fmt.Errorf("metadata %q has buffer %d of %d", md.Name, md.Buffer, len(m.Buffers))
		}
	}
	for i, out := range outs {
		switch {
		case out.Type != Float32:
			return fmt.Errorf("%w: its output is %s, float32 is needed", ErrUnsupported, &out)
		case !slices.Equal(out.Shape, answers[i].Shape):
			return fmt.Errorf("its output is %s, that of the first %s", &out, &answers[i])
		case m.Graphs[0].Inputs[0] == m.Graphs[0].Outputs[i]:
			return fmt.Errorf("its output is its input")
		}
	}
	in := first.InputTensors()[0]
	switch {
	case ins[0].Type != in.Type || !slices.Equal(ins[0].Shape, in.Shape):
		return fmt.Errorf("its input is %s, that of the first %s", &ins[0], &in)
	case !sameScale(ins[0].Quant, in.Quant):
		return fmt.Errorf("its input is quantised in another way than that of the first")
	}
	return nil
}

// sameScale tells whether both quantisations mean the same numbers. Files state one without a scale where there is none.
func sameScale(a, b *Quant) bool {
	if a == nil || b == nil {
		return (a == nil || len(a.Scale) == 0) && (b == nil || len(b.Scale) == 0)
	}
	return slices.Equal(a.Scale, b.Scale) && slices.Equal(a.Zero, b.Zero)
}

// joiner is a network that grows by one member after the other.
type joiner struct {
	out     *Model
	buffers map[[sha256.Size]byte]int // by content
}

// buffer is the index of the buffer with that content. An empty one means "no constant", wherever it stands.
func (j *joiner) buffer(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	sum := sha256.Sum256(b)
	if i, ok := j.buffers[sum]; ok {
		return i
	}
	j.buffers[sum] = j.out.addBuffer(b)
	return j.buffers[sum]
}

// add appends member i, from 0, and returns the tensors that it answers with. Tensors of the later ones have the member's number
// before their names, so that every name is still there once.
func (j *joiner) add(i int, m *Model) []int {
	g, og := &m.Graphs[0], &j.out.Graphs[0]
	tensors := make([]int, len(g.Tensors))
	for k, t := range g.Tensors {
		if i > 0 && k == g.Inputs[0] {
			tensors[k] = og.Inputs[0]
			continue
		}
		if i > 0 {
			t.Name = fmt.Sprintf("%d/%s", i+1, t.Name)
		}
		t.Buffer = j.buffer(m.Buffers[t.Buffer])
		tensors[k] = len(og.Tensors)
		og.Tensors = append(og.Tensors, t)
	}
	renumber := func(ix []int) []int {
		ix = slices.Clone(ix)
		for k, x := range ix {
			if x >= 0 {
				ix[k] = tensors[x]
			}
		}
		return ix
	}
	for _, op := range g.Ops {
		c := m.Codes[op.Code]
		if op.Code = slices.Index(j.out.Codes, c); op.Code < 0 {
			op.Code = len(j.out.Codes)
			j.out.Codes = append(j.out.Codes, c)
		}
		op.Inputs, op.Outputs, op.Intermediates = renumber(op.Inputs), renumber(op.Outputs), renumber(op.Intermediates)
		og.Ops = append(og.Ops, op)
	}
	if i == 0 {
		og.Inputs = renumber(g.Inputs)
	}
	return renumber(g.Outputs)
}

// mean appends the mean of the members' output o as an output. Sums of two and one product are what every delegate has kernels for; a MEAN
// would need the answers copied together first.
func (j *joiner) mean(o int, answers [][]int) {
	m, g := j.out, &j.out.Graphs[0]
	sum := answers[0][o]
	shape := g.Tensors[sum].Shape
	for _, member := range answers[1:] {
		x := member[o]
		y := m.AddTensor(fmt.Sprintf("%s/sum", g.Tensors[x].Name), Float32, shape...)
		m.AddOp(OpAdd, 1, []int{sum, x}, []int{y}, AddOptions(ActNone))
		sum = y
	}
	of := ""
	if o > 0 {
		of = fmt.Sprint(" ", o+1)
	}
	share := m.AddConst("share"+of, Float32, Float32Bytes([]float32{1 / float32(len(answers))}), 1)
	y := m.AddTensor("mean"+of, Float32, shape...)
	m.AddOp(OpMul, 1, []int{sum, share}, []int{y}, MulOptions(ActNone))
	g.Outputs = append(g.Outputs, y)
}
