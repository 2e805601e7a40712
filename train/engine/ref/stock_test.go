package ref_test

import (
	"math"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"gleaner/train/engine/enginetest"
	"gleaner/train/engine/ref"
)

// stock is a case's network written with gorgonia's own operators, where those are right: an opinion on values and gradients
// that shares no code with ours. Pictures and weights are NCHW and OIHW there; build gets nodes by the case's names.
type stock struct {
	of    string // the case
	build func(in map[string]*G.Node) (loss *G.Node)
}

func must(n *G.Node, err error) *G.Node { return G.Must(n, err) }

// toTarget is ½Σ(y-t)².
func toTarget(y, t *G.Node) *G.Node {
	d := must(G.Square(must(G.Sub(y, t))))
	return must(G.Mul(must(G.Sum(d)), G.NewConstant(0.5)))
}

func stockConv(in map[string]*G.Node, k, stride, pad, dilation int) *G.Node {
	return must(G.Conv2d(in["x"], in["w"], tensor.Shape{k, k}, []int{pad, pad}, []int{stride, stride}, []int{dilation, dilation}))
}

var stocks = []stock{
	{"dense", func(in map[string]*G.Node) *G.Node { return toTarget(stockDense(in), in["target"]) }},
	{"dense 33 to 17, bias", func(in map[string]*G.Node) *G.Node {
		return toTarget(must(G.BroadcastAdd(stockDense(in), in["b"], nil, []byte{0})), in["target"])
	}},
	{"dense, relu", func(in map[string]*G.Node) *G.Node { return toTarget(must(G.Rectify(stockDense(in))), in["target"]) }},
	{"conv2d 3x3", func(in map[string]*G.Node) *G.Node { return toTarget(stockConv(in, 3, 1, 0, 1), in["target"]) }},
	{"conv2d 1x1", func(in map[string]*G.Node) *G.Node { return toTarget(stockConv(in, 1, 1, 0, 1), in["target"]) }},
	{"conv2d 16 to 32 channels", func(in map[string]*G.Node) *G.Node { return toTarget(stockConv(in, 3, 2, 1, 1), in["target"]) }},
	{"conv2d 7x7 stride 2, as a first layer of 3 channels", func(in map[string]*G.Node) *G.Node {
		return toTarget(stockConv(in, 7, 2, 3, 1), in["target"])
	}},
	{"conv2d, relu", func(in map[string]*G.Node) *G.Node {
		return toTarget(must(G.Rectify(stockConv(in, 3, 1, 1, 1))), in["target"])
	}},
	{"maxpool 2x2 stride 2", func(in map[string]*G.Node) *G.Node {
		return toTarget(must(G.MaxPool2D(in["x"], tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2})), in["target"])
	}},
	{"relu", func(in map[string]*G.Node) *G.Node { return toTarget(must(G.Rectify(in["x"])), in["target"]) }},
	{"add", func(in map[string]*G.Node) *G.Node { return toTarget(must(G.Add(in["a"], in["b"])), in["target"]) }},
	{"l2", func(in map[string]*G.Node) *G.Node {
		return must(G.Mul(must(G.Sum(must(G.Square(in["w"])))), G.NewConstant(0.15)))
	}},
	{"softmax_loss of shares", func(in map[string]*G.Node) *G.Node {
		p := must(G.SoftMax(in["z"]))
		return must(G.Mul(must(G.Sum(must(G.HadamardProd(in["y"], must(G.Log(p)))))), G.NewConstant(-1./6)))
	}},
	{"bce_loss of shares", func(in map[string]*G.Node) *G.Node {
		p, one := must(G.Sigmoid(in["z"])), G.NewConstant(1.0)
		yes := must(G.HadamardProd(in["y"], must(G.Log(p))))
		no := must(G.HadamardProd(must(G.Sub(one, in["y"])), must(G.Log(must(G.Sub(one, p))))))
		return must(G.Mul(must(G.Sum(must(G.Add(yes, no)))), G.NewConstant(-1./20)))
	}},
}

func stockDense(in map[string]*G.Node) *G.Node {
	return must(G.Mul(in["x"], must(G.Transpose(in["w"], 1, 0))))
}

func TestStockOperatorsAgree(t *testing.T) {
	for _, s := range stocks {
		t.Run(s.of, func(t *testing.T) {
			c, ok := enginetest.Find(s.of)
			if !ok {
				t.Fatal("there is no such case")
			}
			n, err := c.Net()
			if err != nil {
				t.Fatal(err)
			}
			ours := run64(t, n, n.Program, (*ref.Backend[float64]).Prepare)
			for i, want := range s.run(t, n) {
				top := 0.0
				for _, x := range want {
					top = max(top, math.Abs(x))
				}
				for k, x := range want {
					if !(math.Abs(ours[i][k]-x) <= 1e-12*top) {
						t.Fatalf("output %d[%d] is %.15g, and gorgonia has %.15g", i, k, ours[i][k], x)
					}
				}
			}
		})
	}
}

// run gives the loss and the gradients by the case's parameters.
func (s stock) run(t *testing.T, n *enginetest.Net) (results [][]float64) {
	t.Helper()
	g := G.NewGraph()
	in := map[string]*G.Node{}
	node := func(name string, shape []int, data []float32) {
		wide := make([]float64, len(data))
		for i, x := range data {
			wide[i] = float64(x)
		}
		d := tensor.New(tensor.WithShape(channelsFirst(shape)...), tensor.WithBacking(moved(wide, shape, true)))
		in[name] = G.NodeFromAny(g, d, G.WithName(name))
	}
	var params G.Nodes
	for _, p := range n.Params {
		node(p.Name, p.Shape, n.Values[p])
		params = append(params, in[p.Name])
	}
	for i, v := range n.Program.Inputs {
		node(v.Input, v.Shape, n.Runs[0][i])
	}
	loss := s.build(in)
	var value G.Value
	G.Read(loss, &value)
	if _, err := G.Grad(loss, params...); err != nil {
		t.Fatal(err)
	}
	vm := G.NewTapeMachine(g, G.BindDualValues(params...))
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	results = append(results, []float64{value.Data().(float64)})
	for i, p := range params {
		d, err := p.Grad()
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, moved(d.Data().([]float64), n.Params[i].Shape, false))
	}
	return results
}

// channelsFirst is the shape [N C H W] of [N H W C]; others stay.
func channelsFirst(s []int) []int {
	if len(s) != 4 {
		return s
	}
	return []int{s[0], s[3], s[1], s[2]}
}

// moved brings the elements of an array that is [N H W C] to [N C H W], or back.
func moved(d []float64, s []int, first bool) []float64 {
	if len(s) != 4 {
		return d
	}
	out := make([]float64, len(d))
	pixels, c := s[1]*s[2], s[3]
	for i := range d {
		picture, pixel, channel := i/(pixels*c), i/c%pixels, i%c
		j := (picture*c+channel)*pixels + pixel
		if first {
			out[j] = d[i]
		} else {
			out[i] = d[j]
		}
	}
	return out
}
