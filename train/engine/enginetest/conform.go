package enginetest

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gleaner/train/engine"
	"gleaner/train/engine/ref"
)

// Results are the arrays that a network gave: the outputs of each run, then all its variables after the last.
type Results struct {
	Names     []string
	Arrays    [][]float64
	Gradients map[int]bool // which of the arrays are gradients
}

// Oracle gives a network's results as ref computes them in float64.
func Oracle(n *Net) (*Results, error) {
	b := ref.New[float64]()
	defer b.Close()
	return Run(n, b)
}

// Run gives a network's results on a backend: one run after the other.
func Run(n *Net, b engine.Backend) (*Results, error) {
	return collect(n, b, func(r engine.Runner, runs [][][]float32, out [][][]float32) error {
		for i, in := range runs {
			if err := engine.Run(r, in, out[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// overlapped is Run with the next run begun before the last one is finished.
func overlapped(n *Net, b engine.Backend) (*Results, error) {
	return collect(n, b, func(r engine.Runner, runs [][][]float32, out [][][]float32) error {
		for i, in := range runs {
			if err := r.Start(in); err != nil {
				return err
			}
			if i > 0 {
				if err := r.Finish(out[i-1]); err != nil {
					return err
				}
			}
		}
		return r.Finish(out[len(out)-1])
	})
}

func collect(n *Net, b engine.Backend, run func(r engine.Runner, in, out [][][]float32) error) (*Results, error) {
	if err := Load(n, b); err != nil {
		return nil, err
	}
	r, err := b.Compile(n.Program)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.Name, err)
	}
	defer r.Close()
	out := make([][][]float32, len(n.Runs))
	for i := range out {
		for _, v := range n.Program.Outputs {
			out[i] = append(out[i], make([]float32, v.Shape.Size()))
		}
	}
	if err := run(r, n.Runs, out); err != nil {
		return nil, fmt.Errorf("%s: %w", n.Name, err)
	}
	res := &Results{Gradients: map[int]bool{}}
	for i := range out {
		for k, d := range out[i] {
			res.Gradients[len(res.Arrays)] = n.Grads == nil && k > 0 && k <= len(n.Params)
			res.add(fmt.Sprintf("run %d, %s", i, n.output(k)), d)
		}
	}
	for _, v := range n.Program.Vars() {
		d := make([]float32, v.Shape.Size())
		if err := b.Read(v, d); err != nil {
			return nil, err
		}
		res.Gradients[len(res.Arrays)] = slices.Contains(n.Grads, v)
		res.add("variable "+v.Name, d)
	}
	return res, nil
}

// Load writes a network's first values.
func Load(n *Net, b engine.Backend) error {
	for _, v := range n.Program.Vars() {
		x, ok := n.Values[v]
		if !ok {
			x = make([]float32, v.Shape.Size())
		}
		if err := b.Write(v, x); err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	return nil
}

func (n *Net) output(k int) string {
	if n.Grads == nil && k > 0 && k <= len(n.Params) {
		return "gradient by " + n.Params[k-1].Name
	}
	return fmt.Sprintf("output %d", k)
}

func (r *Results) add(name string, d []float32) {
	r.Names = append(r.Names, name)
	r.Arrays = append(r.Arrays, widen(d))
}

// First are the first n arrays.
func (r *Results) First(n int) *Results {
	return &Results{r.Names[:n], r.Arrays[:n], r.Gradients}
}

// small is the share of the greatest of a network's gradients that a parameter's gradients are measured by if all of them are
// smaller: some are 0 but for rounding, such as those of a shift that the next batch norm takes out again.
const small = 1e-2

// Differ is the greatest difference of two results, relative to the greatest element of want's array (absolute in an array of
// zeros), and where it is. Gradients below a hundredth of the network's greatest are measured by that hundredth.
func Differ(got, want *Results) (worst float64, where string) {
	steepest := 0.0
	for i, d := range want.Arrays {
		if want.Gradients[i] {
			steepest = max(steepest, greatest(d))
		}
	}
	for i, w := range want.Arrays {
		least := 0.0
		if want.Gradients[i] {
			least = small * steepest
		}
		if off, at := apartBy(got.Arrays[i], w, least); off > worst {
			worst, where = off, want.Names[i]+at
		}
	}
	return worst, where
}

// apartBy is the greatest difference of two arrays, relative to the greatest element of want or to least, whichever is more, and
// where it is.
func apartBy(got, want []float64, least float64) (worst float64, where string) {
	top := max(least, greatest(want))
	if top == 0 {
		top = 1
	}
	for k, x := range want {
		diff := math.Abs(got[k]-x) / top
		switch {
		case math.IsNaN(x) && math.IsNaN(got[k]):
			diff = 0
		case math.IsNaN(diff):
			diff = math.Inf(1)
		}
		if diff > worst {
			worst, where = diff, fmt.Sprintf("[%d] is %.7g and should be %.7g", k, got[k], x)
		}
	}
	return worst, where
}

func greatest(d []float64) (top float64) {
	for _, x := range d {
		top = max(top, math.Abs(x))
	}
	return top
}

// Compare runs a network on a backend and on the oracle, and gives the greatest difference as Differ does.
func Compare(n *Net, b engine.Backend) (worst float64, where string, err error) {
	want, err := Oracle(n)
	if err != nil {
		return 0, "", err
	}
	got, err := Run(n, b)
	if err != nil {
		return 0, "", err
	}
	worst, where = Differ(got, want)
	return worst, n.Name + ": " + where, nil
}

// Conform checks that a backend keeps its contract and agrees with the oracle in float64 to tol, relative to the greatest
// element of each array, on the outputs, gradients and variables of every case. The backend stays open.
func Conform(t *testing.T, b engine.Backend, tol float64) {
	for _, c := range Cases() {
		if c.Wide {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			n, err := c.Net()
			if err != nil {
				t.Fatal(err)
			}
			agree(t, n, b, tol)
		})
	}
	t.Run("inputs of a wrong size are refused", func(t *testing.T) { refuses(t, b) })
	t.Run("programs share variables", func(t *testing.T) { sharesVars(t, b, tol) })
	t.Run("a loss that is not finite changes nothing", func(t *testing.T) { keeps(t, b) })
	t.Run("a trace shows the values between", func(t *testing.T) { traces(t, b, tol) })
}

func agree(t *testing.T, n *Net, b engine.Backend, tol float64) {
	t.Helper()
	want, err := Oracle(n)
	if err != nil {
		t.Fatal(err)
	}
	for name, run := range map[string]func(*Net, engine.Backend) (*Results, error){"one by one": Run, "two under way": overlapped} {
		got, err := run(n, b)
		if err != nil {
			t.Fatal(err)
		}
		if worst, where := Differ(got, want); !(worst <= tol) {
			t.Errorf("%s: off by %.2g: %s", name, worst, where)
		}
	}
}

// training is a training case with batch norms.
func training(t *testing.T) *Net {
	t.Helper()
	c, ok := Find("training, sgd, momentum, decay")
	if !ok {
		t.Fatal("the case is gone")
	}
	n, err := c.Net()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func refuses(t *testing.T, b engine.Backend) {
	n := training(t)
	r, err := b.Compile(n.Program)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Start(n.Runs[0][1:]) == nil {
		t.Error("an input is missing, and that is no error")
	}
	short := slices.Clone(n.Runs[0])
	short[0] = short[0][1:]
	if r.Start(short) == nil {
		t.Error("an input is too short, and that is no error")
	}
	v := n.Program.Vars()[0]
	if b.Write(v, make([]float32, v.Shape.Size()+1)) == nil || b.Read(v, nil) == nil {
		t.Error("a variable was written or read with a wrong size")
	}
}

// sharesVars runs a training program and then an evaluation of the same variables.
func sharesVars(t *testing.T, b engine.Backend, tol float64) {
	n := training(t)
	z := n.Program.Outputs[len(n.Program.Outputs)-1] // the probabilities
	if err := Load(n, b); err != nil {
		t.Fatal(err)
	}
	first, err := b.Compile(n.Program)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := b.Compile(n.Program)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	want, err := Oracle(n)
	if err != nil {
		t.Fatal(err)
	}
	for i, in := range n.Runs {
		out := make([][]float32, len(n.Program.Outputs))
		out[len(out)-1] = make([]float32, z.Shape.Size())
		if err := engine.Run([]engine.Runner{first, second}[i%2], in, out); err != nil {
			t.Fatal(err)
		}
		k := (i+1)*len(out) - 1
		got := &Results{Names: want.Names[k : k+1], Arrays: [][]float64{widen(out[len(out)-1])}}
		if worst, where := Differ(got, &Results{Names: want.Names[k : k+1], Arrays: want.Arrays[k : k+1]}); !(worst <= tol) {
			t.Errorf("off by %.2g: %s", worst, where)
		}
	}
}

func keeps(t *testing.T, b engine.Backend) {
	n := training(t)
	if err := Load(n, b); err != nil {
		t.Fatal(err)
	}
	r, err := b.Compile(n.Program)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	bad := slices.Clone(n.Runs[0])
	y := slices.Index(n.Program.Inputs, n.Program.Input("y"))
	bad[y] = slices.Clone(bad[y])
	bad[y][0] = float32(math.NaN())
	out := make([][]float32, len(n.Program.Outputs))
	out[0] = make([]float32, 1)
	if err := engine.Run(r, bad, out); err != nil {
		t.Fatal(err)
	}
	if x := float64(out[0][0]); !math.IsNaN(x) && !math.IsInf(x, 0) {
		t.Errorf("a NaN in a label, and the loss is %g", x)
	}
	for _, v := range n.Program.Vars() {
		d := make([]float32, v.Shape.Size())
		if err := b.Read(v, d); err != nil {
			t.Fatal(err)
		}
		first := n.Values[v]
		if first == nil {
			first = make([]float32, len(d))
		}
		if !slices.Equal(d, first) {
			t.Errorf("%s has changed", v.Name)
		}
	}
}

// traces compares what a Tracer shows with what the oracle's steps make, where both make it.
func traces(t *testing.T, b engine.Backend, tol float64) {
	n := training(t)
	o := ref.New[float64]()
	defer o.Close()
	want, err := trace(n, o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := trace(n, b)
	if err != nil {
		t.Fatal(err)
	}
	if got == nil {
		t.Skip("the backend shows no values")
	}
	if len(got) < len(want)/2 {
		t.Errorf("%d values were shown of %d", len(got), len(want))
	}
	for id, d := range got {
		name := []string{fmt.Sprintf("value %d of layer %s", id, n.Program.Values[id].Layer)}
		if worst, where := Differ(&Results{Names: name, Arrays: [][]float64{d}}, &Results{Names: name, Arrays: [][]float64{want[id]}}); !(worst <= tol) {
			t.Errorf("off by %.2g: %s", worst, where)
		}
	}
}

// trace gives the values by their IDs; nil if the backend's runners are no Tracers.
func trace(n *Net, b engine.Backend) (map[int][]float64, error) {
	if err := Load(n, b); err != nil {
		return nil, err
	}
	r, err := b.Compile(n.Program)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	tracer, ok := r.(engine.Tracer)
	if !ok {
		return nil, nil
	}
	values := map[int][]float64{}
	err = tracer.Trace(n.Runs[0], func(_ *engine.Step, v *engine.Value, data []float32) { values[v.ID] = widen(data) })
	return values, err
}
