package flat

import "fmt"

// output is the network's only output.
func (m *Model) output() (int, *Tensor, error) {
	g := &m.Graphs[0]
	if len(g.Outputs) != 1 {
		return 0, nil, fmt.Errorf("append to model: it has %d outputs, one is needed", len(g.Outputs))
	}
	return g.Outputs[0], &g.Tensors[g.Outputs[0]], nil
}

// Dequantize makes the only output float32: an int8, uint8 or float16 one gets a DEQUANTIZE behind it, a float32 one
// stays as it is.
func (m *Model) Dequantize() error {
	x, _, err := m.output()
	if err != nil {
		return err
	}
	m.Graphs[0].Outputs[0], err = m.dequantize(x)
	return err
}

// Float is tensor x in float32: an int8, uint8 or float16 one with a DEQUANTIZE behind it, a float32 one as it is.
func (m *Model) Float(x int) (int, error) { return m.dequantize(x) }

func (m *Model) dequantize(x int) (int, error) {
	t := m.Graphs[0].Tensors[x]
	version := map[Type]int{UInt8: 1, Int8: 2, Float16: 3}[t.Type]
	switch {
	case t.Type == Float32:
		return x, nil
	case version == 0:
		return x, fmt.Errorf("append to model: %w: output %s cannot be dequantised", ErrUnsupported, t)
	case t.Type != Float16 && (t.Quant == nil || len(t.Quant.Scale) != 1):
		return x, fmt.Errorf("append to model: output %s states no scale", t)
	}
	y := m.AddTensor(t.Name+"/float", Float32, t.Shape...)
	m.AddOp(OpDequantize, version, []int{x}, []int{y}, Options{})
	return y, nil
}

// Mean appends a MEAN over height and width to every output [1 H W C], which gives float32 [1 C], and joins them when
// there are several, in their order: the only output is then an embedding of all their channels. An output that is a
// vector already stays as it is, made float.
func (m *Model) Mean() error {
	g := &m.Graphs[0]
	outs, total := append([]int(nil), g.Outputs...), 0
	for i, x := range outs {
		y, err := m.mean(x)
		if err != nil {
			return err
		}
		outs[i] = y
		total += g.Tensors[y].Elems()
	}
	if len(outs) == 0 {
		return fmt.Errorf("append to model: it has no output")
	}
	if len(outs) > 1 {
		y := m.AddTensor("embedding", Float32, 1, total)
		m.AddOp(OpConcatenation, 1, outs, []int{y}, ConcatenationOptions(1))
		outs = []int{y}
	}
	g.Outputs = outs
	return nil
}

// mean is Mean for one tensor; it returns the pooled one.
func (m *Model) mean(x int) (int, error) {
	x, err := m.dequantize(x)
	if err != nil {
		return 0, err
	}
	t := m.Graphs[0].Tensors[x]
	if len(t.Shape) == 2 {
		return x, nil
	}
	if len(t.Shape) != 4 {
		return 0, fmt.Errorf("append to model: output %s has rank %d, 4 is needed (N, H, W, C)", t, len(t.Shape))
	}
	axes := m.AddConst(t.Name+"/axes", Int32, Int32Bytes([]int{1, 2}), 2)
	y := m.AddTensor(t.Name+"/mean", Float32, t.Shape[0], t.Shape[3])
	m.AddOp(OpMean, 1, []int{x, axes}, []int{y}, ReducerOptions(false))
	return y, nil
}

// L2Norm appends a division by the Euclidean length, so that the only output, a vector, has length 1.
func (m *Model) L2Norm() error {
	if err := m.Dequantize(); err != nil {
		return err
	}
	x, t, err := m.output()
	if err != nil {
		return err
	}
	y := m.AddTensor(t.Name+"/unit", Float32, t.Shape...)
	m.AddOp(OpL2Norm, 1, []int{x}, []int{y}, L2NormOptions())
	m.Graphs[0].Outputs[0] = y
	return nil
}

// Head appends a classifier to the only output, an embedding of D numbers: FULLY_CONNECTED with w (classes rows of D
// weights) and b (one bias per class), then SOFTMAX. The new output is float32 [1 classes], probabilities. A quantised
// embedding is dequantised first.
func (m *Model) Head(w [][]float32, b []float32) error {
	if err := m.Dequantize(); err != nil {
		return err
	}
	x, t, err := m.output()
	if err != nil {
		return err
	}
	d, n := t.Elems(), len(w)
	if n == 0 || len(b) != n {
		return fmt.Errorf("append head: %d rows of weights and %d biases", n, len(b))
	}
	var flat []float32
	for i, row := range w {
		if len(row) != d {
			return fmt.Errorf("append head: row %d has %d weights, the embedding %s has %d numbers", i, len(row), t, d)
		}
		flat = append(flat, row...)
	}
	wt := m.AddConst("head/weights", Float32, Float32Bytes(flat), n, d)
	bt := m.AddConst("head/bias", Float32, Float32Bytes(b), n)
	logits := m.AddTensor("head/logits", Float32, 1, n)
	probs := m.AddTensor("probabilities", Float32, 1, n)
	m.AddOp(OpFullyConnected, 1, []int{x, wt, bt}, []int{logits}, FullyConnectedOptions(ActNone))
	m.AddOp(OpSoftmax, 1, []int{logits}, []int{probs}, SoftmaxOptions())
	m.Graphs[0].Outputs[0] = probs
	return nil
}
