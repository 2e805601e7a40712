package net

import (
	"fmt"
	"slices"
	"strings"

	"gleaner/model/flat"
)

// end is where an imported file is cut.
type end struct {
	tensor      int
	more        []int // tensors before it whose features the heads see as well
	independent bool  // the file's own head ends in a sigmoid
}

// findEnd decides where to cut.
func (im *importer) findEnd() (end, error) {
	if len(im.o.Heads) == 0 {
		return im.classifier()
	}
	if im.o.At == "" {
		return im.features()
	}
	var e end
	for k, name := range strings.Split(im.o.At, ",") {
		at := im.m.FindTensor(name)
		if at < 0 {
			return end{}, fmt.Errorf("the file has no tensor %q to cut at", name)
		}
		if k == 0 {
			e.tensor = at
			continue
		}
		e.more = append(e.more, at)
	}
	return e, nil
}

// producer is the operator that makes a tensor; nil if none does.
func (im *importer) producer(tensor int) (op *flat.Op, code int) {
	for i := range im.g.Ops {
		if slices.Contains(im.g.Ops[i].Outputs, tensor) {
			return &im.g.Ops[i], im.code(&im.g.Ops[i])
		}
	}
	return nil, -1
}

func (im *importer) code(op *flat.Op) int { return im.m.Codes[op.Code].Builtin }

// back is the tensor before a run of the given operators that ends in a tensor.
func (im *importer) back(tensor int, through ...int) int {
	for range im.g.Ops {
		op, code := im.producer(tensor)
		if op == nil || !slices.Contains(through, code) || len(op.Inputs) == 0 || op.Inputs[0] < 0 {
			break
		}
		tensor = op.Inputs[0]
	}
	return tensor
}

// classifier is the tensor with the logits of the file's own classifier.
func (im *importer) classifier() (end, error) {
	if im.o.At != "" || im.o.Units != 0 || im.o.Drop != 0 || im.o.Squares != 0 {
		return end{}, fmt.Errorf("a cut, hidden units, squares and dropout are for new heads, and none is named")
	}
	if len(im.g.Outputs) != 1 {
		return end{}, fmt.Errorf("the file has %d outputs and is no classifier: name new heads for its features", len(im.g.Outputs))
	}
	e := end{tensor: im.back(im.g.Outputs[0], flat.OpQuantize, flat.OpDequantize, flat.OpReshape, opSqueeze)}
	if op, code := im.producer(e.tensor); (code == flat.OpSoftmax || code == flat.OpLogistic) && len(op.Inputs) > 0 && op.Inputs[0] >= 0 {
		e = end{tensor: op.Inputs[0], independent: code == flat.OpLogistic}
	}
	return e, nil
}

// features is the tensor with what the network knows of a picture: what a classifier reads, the embedding that the file
// answers with, or the widest map of a network that is something else, such as a detector.
func (im *importer) features() (end, error) {
	if len(im.g.Outputs) == 1 {
		renames := []int{flat.OpQuantize, flat.OpDequantize, flat.OpReshape, opSqueeze}
		t := im.back(im.g.Outputs[0], append(renames, flat.OpSoftmax, flat.OpLogistic)...)
		op, code := im.producer(t)
		switch code {
		case flat.OpFullyConnected, flat.OpConv2D:
			if im.pixels(t) == 1 && len(op.Inputs) > 0 && op.Inputs[0] >= 0 && im.pixels(op.Inputs[0]) == 1 {
				return end{tensor: im.back(op.Inputs[0], renames...)}, nil
			}
		case flat.OpMean, flat.OpAveragePool2D, flat.OpMaxPool2D:
			return end{tensor: t}, nil
		}
	}
	widest := -1
	for i := range im.g.Ops {
		for _, k := range im.g.Ops[i].Outputs {
			t := &im.g.Tensors[k]
			if len(t.Shape) == 4 && im.pixels(k) > 1 && len(im.data(t.Buffer)) == 0 && im.depends(k) &&
				(widest < 0 || t.Shape[3] >= im.g.Tensors[widest].Shape[3]) {
				widest = k
			}
		}
	}
	if widest < 0 {
		return end{}, fmt.Errorf("the file has no map of features: name the tensor to cut at")
	}
	return end{tensor: widest}, nil
}

// pixels is height times width of a map, 1 for a vector.
func (im *importer) pixels(tensor int) int {
	if s := im.g.Tensors[tensor].Shape; len(s) == 4 {
		return s[1] * s[2]
	}
	return 1
}

// depends tells whether a tensor comes of the input; dequantised weights do not.
func (im *importer) depends(tensor int) bool {
	for i, live := range im.needed(tensor) {
		if live && slices.Contains(im.g.Ops[i].Inputs, im.g.Inputs[0]) {
			return true
		}
	}
	return false
}
