package xla

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/go-xla/pkg/stablehlo"
	"github.com/gomlx/go-xla/pkg/types"
	"github.com/gomlx/go-xla/pkg/types/dtypes"

	"gleaner/train/engine"
)

// Precision says in which numbers a program computes. Parameters, statistics, losses and the optimiser are float32 in all.
type Precision int

// The precisions. XLA rounds the operands of float32 convolutions and products to TensorFloat-32, 10 bits of mantissa, on cards
// that have it, where their precision_config is DEFAULT, and does not where it is HIGHEST; both add up in float32.
const (
	Float32  Precision = iota // float32 throughout: precision_config HIGHEST
	TF32                      // precision_config DEFAULT
	BFloat16                  // activations, and weights where convolutions and dense layers use them, are bfloat16
)

func (p Precision) String() string {
	switch p {
	case Float32:
		return "float32"
	case TF32:
		return "tf32"
	case BFloat16:
		return "bf16"
	}
	return fmt.Sprintf("precision %d", int(p))
}

// Module is a program as StableHLO.
type Module struct {
	// Text is an MLIR module whose function main takes the program's inputs, then Vars, and gives the program's outputs, then
	// the new values of Written. All of them are float32.
	Text    []byte
	Vars    []*engine.Var // arguments behind the inputs
	Written []*engine.Var // results behind the outputs; each is in Vars too
	// Donated are the arguments that a result may take the place of, as attribute tf.aliasing_output says: Donated[i] is
	// the argument of Written[i].
	Donated []int
}

// Emit writes a program as StableHLO, fused or not: what engine.Fuse joins XLA joins anyway, and more.
func Emit(p *engine.Program, how Precision) (m *Module, err error) {
	e := &emitter{p: p, values: make([]value, len(p.Values)), vars: map[*engine.Var]value{}, old: map[*engine.Var]value{}}
	e.half = dtypes.Float32
	switch how {
	case Float32:
		e.how = types.DotGeneralPrecisionHighest
	case BFloat16:
		e.half = dtypes.BFloat16
	}
	defer func() {
		if r := recover(); r != nil {
			f, ok := r.(failure)
			if !ok {
				panic(r)
			}
			m, err = nil, fmt.Errorf("write the program as StableHLO: %w", e.at(f.err))
		}
	}()
	return e.emit()
}

// emitter walks a program's steps.
type emitter struct {
	builder
	p      *engine.Program
	module Module
	values []value               // by Value.ID
	vars   map[*engine.Var]value // what each variable holds: its argument, later what the last step gave it
	old    map[*engine.Var]value // the arguments
	step   *engine.Op            // at work, for messages
}

func (e *emitter) at(err error) error {
	if e.step == nil {
		return err
	}
	return fmt.Errorf("layer %s: %s: %w", e.step.Layer, e.step.Kind, err)
}

func (e *emitter) emit() (*Module, error) {
	program := stablehlo.New("program")
	e.fn = program.Main()
	e.arguments()
	for _, v := range e.p.Values {
		if v.Const != nil {
			e.values[v.ID] = e.constant(v)
		}
	}
	for i := range e.p.Steps {
		e.emitStep(&e.p.Steps[i])
	}
	e.step = nil
	var results []value
	for _, v := range e.p.Outputs {
		results = append(results, f32(e.value(v)))
	}
	var finite value
	if e.p.Update < len(e.p.Steps) {
		finite = check(stablehlo.IsFinite(results[0]))
	}
	for _, v := range e.module.Written {
		now := e.vars[v]
		if finite != nil {
			now = choose(finite, now, e.old[v])
		}
		results = append(results, now)
	}
	if len(results) == 0 {
		return nil, errors.New("write the program as StableHLO: it has no outputs")
	}
	if err := e.fn.Return(results...); err != nil {
		return nil, fmt.Errorf("write the program as StableHLO: %w", err)
	}
	text, err := program.Build()
	if err != nil {
		return nil, fmt.Errorf("write the program as StableHLO: %w", err)
	}
	e.module.Text = text
	return &e.module, nil
}

// arguments declares the inputs and the variables. A variable that is written says which result may lie in its place.
func (e *emitter) arguments() {
	for _, v := range e.p.Inputs {
		e.values[v.ID] = check(e.fn.Input(shapeOf(dtypes.Float32, v.Shape)))
	}
	e.module.Vars = e.p.Vars()
	for _, s := range e.p.Steps {
		for _, v := range s.Out {
			if v != nil && v.Var != nil && !slices.Contains(e.module.Written, v.Var) {
				e.module.Written = append(e.module.Written, v.Var)
			}
		}
	}
	e.module.Donated = make([]int, len(e.module.Written))
	for i, v := range e.module.Vars {
		var attributes map[string]any
		if k := slices.Index(e.module.Written, v); k >= 0 {
			attributes = map[string]any{"tf.aliasing_output": int32(len(e.p.Outputs) + k)}
			e.module.Donated[k] = len(e.p.Inputs) + i
		}
		e.old[v] = check(e.fn.InputWithAttributes(shapeOf(dtypes.Float32, v.Shape), attributes))
		e.vars[v] = e.old[v]
	}
}

func (e *emitter) constant(v *engine.Value) value {
	if len(v.Const) == 1 {
		return e.spread(e.scalar(dtypes.Float32, float64(v.Const[0])), v.Shape)
	}
	return e.array(v.Const, v.Shape)
}

// value is what a step reads.
func (e *emitter) value(v *engine.Value) value {
	if e.values[v.ID] != nil {
		return e.values[v.ID]
	}
	switch {
	case v.View != nil: // of an input or a variable, which no step made
		e.values[v.ID] = reshape(e.value(v.View), v.Shape)
		return e.values[v.ID]
	case v.Var != nil:
		return e.vars[v.Var]
	}
	fail("value %d is read before a step makes it", v.ID)
	return nil
}

func (e *emitter) emitStep(s *engine.Step) {
	e.step = s.Op
	in := make([]value, len(s.In))
	for i, v := range s.In {
		in[i] = e.value(v)
	}
	out := e.kernel(s.Op, in)
	if len(out) != len(s.Out) {
		fail("%d results and not %d", len(out), len(s.Out))
	}
	for i, v := range s.Out {
		if v == nil {
			continue
		}
		if !dims(out[i]).Equal(v.Shape) {
			fail("result %d is %v and should be %v", i, dims(out[i]), v.Shape)
		}
		e.values[v.ID] = out[i]
		if v.Var != nil {
			e.vars[v.Var] = out[i]
		}
	}
}

// kernel is an operator in StableHLO: its results, the main one first.
func (e *emitter) kernel(op *engine.Op, in []value) []value {
	for _, of := range []func(*engine.Op, []value) []value{e.layer, e.element, e.loss, e.quant, e.update} {
		if out := of(op, in); out != nil {
			return e.activated(op, out)
		}
	}
	fail("the operator is not known here")
	return nil
}

// fused is the activation that engine.Fuse put behind an operator.
func fused(op *engine.Op) engine.Act {
	switch a := op.Attr.(type) {
	case engine.Conv:
		return a.Act
	case engine.Lin:
		return a.Act
	case engine.Norm:
		return a.Act
	case engine.Sum:
		return a.Act
	}
	return engine.NoAct
}

// activated applies a fused activation to an operator's main result; batchNormDX masks by itself.
func (e *emitter) activated(op *engine.Op, out []value) []value {
	switch act := fused(op); {
	case act == engine.NoAct || op.Kind == engine.BatchNormDX:
	case act == engine.ActRelu:
		out[0] = maximum(out[0], e.number(0, out[0]))
	case act == engine.ActRelu6:
		out[0] = e.within(out[0], 0, 6)
	default:
		fail("the activation %d is not known here", act)
	}
	return out
}

func (e *emitter) layer(op *engine.Op, in []value) []value {
	switch op.Kind {
	case engine.Conv2D:
		return e.conv2D(op, in)
	case engine.Conv2DDX:
		return e.conv2DDX(op, in)
	case engine.Conv2DDW:
		return e.conv2DDW(op, in)
	case engine.Dense:
		return e.dense(op, in)
	case engine.DenseDX:
		return []value{e.dot(e.act(in[0]), 1, e.act(in[1]), 0, e.half)}
	case engine.DenseDW:
		return e.withBias(op.Attr.(engine.Lin).Bias, e.dot(e.act(in[1]), 0, e.act(in[0]), 0, dtypes.Float32), in[1])
	case engine.BatchNorm:
		return e.batchNorm(op, in)
	case engine.BatchNormDX:
		return e.batchNormDX(op, in)
	case engine.NormInfer:
		return e.normInfer(op, in)
	case engine.NormInferDX:
		return e.normInferDX(op, in)
	case engine.NormInferDP:
		return e.normInferDP(op, in)
	case engine.MaxPool:
		return e.maxPool(op, in)
	case engine.MaxPoolDX:
		return e.maxPoolDX(op, in)
	case engine.AvgPool:
		return e.avgPool(op, in)
	case engine.AvgPoolDX:
		return e.avgPoolDX(op, in)
	case engine.GlobalAvgPool:
		s := op.In[0]
		sum := e.sum(in[0], 1, 2)
		return []value{e.act(div(sum, e.number(float64(s[1]*s[2]), sum)))}
	case engine.GlobalAvgPoolDX:
		s := op.Out[0]
		dy := f32(in[0])
		return []value{e.spread(e.act(div(dy, e.number(float64(s[1]*s[2]), dy))), s, 0, 3)}
	}
	return nil
}
