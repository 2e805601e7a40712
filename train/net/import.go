package net

import (
	"fmt"
	"slices"
	"strings"

	"gleaner/model/flat"
	"gleaner/train/engine"
)

// ImportOptions say what becomes of a .tflite file.
type ImportOptions struct {
	Name string // of the network; "import" where empty
	// At is the tensor to cut behind, by its name in the file, or by what stands before the first ";" of it. Several, with commas
	// between them, are averaged and joined, so that the heads see more than one depth. Empty: the features before the classifier,
	// or a detector's widest map. It is not asked for where the file's own classifier is kept.
	At    string
	Input engine.Shape // [H W C] in place of the file's own height and width; nil: as the file has it
	// Heads are new ones on the features, which are averaged over the picture where they are a map. None: the file's own
	// classifier stays, as the head "class".
	Heads []Head
	Units int // of a hidden layer before the heads; 0: none
	// Squares are the units of a hidden layer with h-swish, which is a part of the heads; 0: none.
	Squares int
	Drop    float64 // dropout before the heads, [0, 1)
	// Freeze names layers that do not learn, by prefix: "trunk/" is all that comes from the file.
	Freeze []string
	// Norms puts a batch norm behind each convolution of the file. It answers as the file does until training begins; FitNorms
	// then gives it the pictures' statistics.
	Norms bool
	Seed  uint64 // of the new heads' weights
}

// trunkPrefix begins the names of layers that come from a file.
const trunkPrefix = "trunk/"

// Import makes a .tflite file a network that can be trained, and gives its weights: those of the file, dequantised, and fresh
// ones for new heads. Where the file is quantised the weights hold the ranges of its activations as well, for a quantised
// build. Inputs are real numbers, as the file's scale and zero point make them of its bytes. Layers are named after the
// tensors that they compute, "trunk/" before them.
//
// An operator that is not known here, or that has no gradient, is an error that names it and its tensor.
func Import(m *flat.Model, o ImportOptions) (*Net, Weights, error) {
	if o.Drop < 0 || o.Drop >= 1 || o.Units < 0 || o.Squares < 0 || o.Units > 0 && o.Squares > 0 {
		return nil, nil, fmt.Errorf("import: a dropout of %g, %d hidden units and %d squares are not possible", o.Drop, o.Units, o.Squares)
	}
	if o.Name == "" {
		o.Name = "import"
	}
	im, err := newImporter(m, o)
	if err != nil {
		return nil, nil, fmt.Errorf("import: %w", err)
	}
	if err := im.read(); err != nil {
		return nil, nil, fmt.Errorf("import: %w", err)
	}
	shape, heads, err := im.frame()
	if err != nil {
		return nil, nil, fmt.Errorf("import: %w", err)
	}
	n, err := Describe(o.Name, shape, heads, im.build)
	if err != nil {
		return nil, nil, fmt.Errorf("import: %w", err)
	}
	n.ranges, n.layers = im.ranges, im.layers
	if err := n.Freeze(o.Freeze...); err != nil {
		return nil, nil, fmt.Errorf("import: %w", err)
	}
	w := n.First(o.Seed)
	for layer, r := range im.ranges {
		w[layer+"/"+rangeName] = []float32{r[0], r[1]}
	}
	return n, w, nil
}

// What a file may ask for: numbers of one picture, and channels of a layer that have no weights to vouch for them.
const (
	mostNumbers  = 1 << 26
	mostChannels = 1 << 17
)

// importer is an import under way.
type importer struct {
	m      *flat.Model
	g      *flat.Graph
	o      ImportOptions
	end    end
	live   []bool            // by operator: the end needs it
	reads  []int             // by tensor: how many live operators read it
	alias  map[int]int       // tensors that are others under another name
	consts map[int][]float32 // constants that were asked for
	pads   map[int]pad       // tensors that are a padded tensor
	made   map[int]*layer    // by tensor
	layers []*layer
	names  map[string]bool
	ranges map[string][2]float32
}

// layer is one layer of the network to be.
type layer struct {
	name  string
	in    []int // tensors
	out   int
	act   Act
	plain bool // no activation yet, and one could follow
	apply func(b *Builder, l *layer, in []*engine.Node) *engine.Node
}

// pad is a tensor with zeros around it.
type pad struct {
	of                       int
	top, bottom, left, right int
}

func newImporter(m *flat.Model, o ImportOptions) (*importer, error) {
	if len(m.Graphs) != 1 {
		return nil, fmt.Errorf("the file has control flow over %d graphs", len(m.Graphs))
	}
	im := &importer{m: m, g: &m.Graphs[0], o: o, alias: map[int]int{}, consts: map[int][]float32{}, pads: map[int]pad{},
		made: map[int]*layer{}, names: map[string]bool{}, ranges: map[string][2]float32{}}
	if len(im.g.Inputs) != 1 {
		return nil, fmt.Errorf("the file has %d inputs, and one is needed", len(im.g.Inputs))
	}
	in := im.g.Tensors[im.g.Inputs[0]]
	if n := len(in.Shape); n != 2 && n != 4 || in.Elems() < 1 || in.Shape[0] != 1 || in.Elems() > mostNumbers {
		return nil, fmt.Errorf("the input is %v, and pictures [1 H W C] or features [1 C] are needed", &in)
	}
	if r, ok := im.span(im.g.Inputs[0]); ok {
		im.ranges[inputLayer] = r
	}
	var err error
	if im.end, err = im.findEnd(); err != nil {
		return nil, err
	}
	im.live = im.needed(append([]int{im.end.tensor}, im.end.more...)...)
	im.reads = make([]int, len(im.g.Tensors))
	for i, op := range im.g.Ops {
		for _, k := range op.Inputs {
			if k >= 0 && im.live[i] {
				im.reads[k]++
			}
		}
	}
	for _, k := range append([]int{im.end.tensor}, im.end.more...) {
		im.reads[k]++
	}
	return im, nil
}

// needed tells which operators compute tensors.
func (im *importer) needed(tensors ...int) []bool {
	live, need := make([]bool, len(im.g.Ops)), make([]bool, len(im.g.Tensors))
	for _, k := range tensors {
		need[k] = true
	}
	for i := len(im.g.Ops) - 1; i >= 0; i-- {
		op := &im.g.Ops[i]
		if !slices.ContainsFunc(op.Outputs, func(k int) bool { return need[k] }) {
			continue
		}
		live[i] = true
		for _, k := range op.Inputs {
			if k >= 0 {
				need[k] = true
			}
		}
	}
	return live
}

// frame is the network's input and its heads.
func (im *importer) frame() (engine.Shape, []Head, error) {
	in := engine.Shape(im.g.Tensors[im.g.Inputs[0]].Shape[1:])
	if want := im.o.Input; want != nil {
		if len(want) != len(in) || want[len(want)-1] != in[len(in)-1] {
			return nil, nil, fmt.Errorf("the input is %v and cannot be %v: height and width alone can change", in, want)
		}
		in = want
	}
	heads := im.o.Heads
	if len(heads) == 0 {
		t := im.g.Tensors[im.end.tensor]
		heads = []Head{{Name: "class", Classes: t.Elems(), Independent: im.end.independent}}
	}
	return in, heads, nil
}

// build applies the layers to a batch.
func (im *importer) build(b *Builder, x *engine.Node) []*engine.Node {
	values := map[int]*engine.Node{im.g.Inputs[0]: x}
	for _, l := range im.layers {
		in := make([]*engine.Node, len(l.in))
		for i, k := range l.in {
			in[i] = values[k]
		}
		values[l.out] = l.apply(b, l, in)
	}
	x = values[im.source(im.end.tensor)]
	if len(im.o.Heads) == 0 {
		return []*engine.Node{b.Flatten("head/class", x)}
	}
	x = averaged(b, "gap", x)
	if len(im.end.more) > 0 {
		all := []*engine.Node{b.Flatten("head", x)}
		for i, k := range im.end.more {
			layer := fmt.Sprintf("gap%d", i+2)
			all = append(all, b.Flatten(layer, averaged(b, layer, values[im.source(k)])))
		}
		x = b.Concat("depths", all...)
	}
	if c := b.Flatten("head", x); engine.ShapeOf(c)[1] > mostChannels {
		engine.Fail("head", "%d features are too many", engine.ShapeOf(c)[1])
	}
	if im.o.Units > 0 {
		x = b.Dense("hidden", x, im.o.Units, Relu)
	}
	x = b.Drop("drop", x, im.o.Drop)
	if im.o.Squares > 0 {
		return b.SquareLogits(x, im.o.Squares)
	}
	return b.AllLogits(x)
}

// averaged is a map's mean over the picture; vectors stay.
func averaged(b *Builder, layer string, x *engine.Node) *engine.Node {
	if s := engine.ShapeOf(x); len(s) == 4 && s[1]*s[2] > 1 {
		return b.GlobalAvgPool(layer, x)
	}
	return x
}

// source is the tensor that another is, behind operators that change nothing.
func (im *importer) source(tensor int) int {
	for {
		of, ok := im.alias[tensor]
		if !ok {
			return tensor
		}
		tensor = of
	}
}

// name is the name of the layer that computes a tensor: unique, and the same each time.
func (im *importer) name(tensor int) string {
	base, _, _ := strings.Cut(im.g.Tensors[tensor].Name, ";")
	if base == "" {
		base = fmt.Sprintf("tensor%d", tensor)
	}
	if strings.HasSuffix(base, normSuffix) {
		base += "/layer" // the name of a convolution's own norm ends so
	}
	base = trunkPrefix + base
	name := base
	for i := 2; im.names[name]; i++ {
		name = fmt.Sprintf("%s#%d", base, i)
	}
	im.names[name] = true
	return name
}

// input is the source of an operator's input, which must be known by now.
func (im *importer) input(op *flat.Op, i int) (int, error) {
	if i >= len(op.Inputs) || op.Inputs[i] < 0 {
		return 0, fmt.Errorf("its input %d is missing", i)
	}
	k := im.source(op.Inputs[i])
	if _, ok := im.pads[k]; ok {
		return 0, fmt.Errorf("its input %s is padded, which is known for convolutions alone", im.g.Tensors[k].Name)
	}
	if k != im.g.Inputs[0] && im.made[k] == nil {
		return 0, fmt.Errorf("its input %s is computed by nothing before it", im.g.Tensors[k].Name)
	}
	return k, nil
}

// shape is a tensor's shape in the file, of the rank that is wanted.
func (im *importer) shape(tensor, rank int) ([]int, error) {
	t := im.g.Tensors[tensor]
	if len(t.Shape) != rank || t.Elems() < 1 {
		return nil, fmt.Errorf("tensor %s is %v, and rank %d is needed", t.Name, t.Shape, rank)
	}
	return t.Shape, nil
}

// fresh tells whether a tensor is computed for the first time.
func (im *importer) fresh(out int) error {
	_, padded := im.pads[out]
	_, alias := im.alias[out]
	if padded || alias || im.made[out] != nil || out == im.g.Inputs[0] {
		return fmt.Errorf("tensor %s is computed twice", im.g.Tensors[out].Name)
	}
	return nil
}

// add appends a layer that computes a tensor with a fused activation, numbered as in the schema.
func (im *importer) add(out, act int, in []int, apply func(b *Builder, l *layer, in []*engine.Node) *engine.Node) error {
	if err := im.fresh(out); err != nil {
		return err
	}
	l := &layer{name: im.name(out), in: in, out: out, apply: apply}
	var err error
	if l.act, l.plain, err = im.activation(out, act); err != nil {
		return err
	}
	im.made[out] = l
	im.layers = append(im.layers, l)
	if r, ok := im.span(out); ok {
		im.ranges[l.name] = r
	}
	return nil
}
