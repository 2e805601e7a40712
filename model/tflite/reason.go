//go:build cgo && !nonative

package tflite

import (
	"errors"
	"fmt"
	"strings"

	"gleaner/model"
	"gleaner/model/flat"
)

// Why a rung does not run, in the words of model.Rung.Reason.
var (
	errNoClaim = errors.New("claims no operator of this model")
	// errUnsafe stands where a crash would be the program's own.
	errUnsafe = errors.New("cannot be tried safely: this program does not call tflite.ProbeChild")
)

// Steps of a trial, each of which may take its process down; they end the sentence "crashed while".
const (
	stageStarting   = "starting"
	stageLoading    = "loading"
	stageCreating   = "making a delegate"
	stageBuilding   = "taking the model"
	stageAllocating = "preparing"
	stageComputing  = "computing"
)

// loadError puts the loader's message in plain words where it is one of the two that operators meet. Those texts are
// glibc's, "NAME: cannot open shared object file: REASON".
func loadError(library, said string) error {
	if name, rest, ok := strings.Cut(said, ": cannot open shared object file"); ok {
		switch {
		case name != library:
			return fmt.Errorf("needs %s, which is not installed", name)
		case strings.Contains(rest, "No such file"):
			return errNoFile
		}
	}
	return errors.New("cannot be loaded: " + oneLine(said))
}

// oneLine makes one line of what native code says.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// customOp is the operator that TensorFlow Lite misses, from its message "Encountered unresolved custom op: NAME."; empty
// when the message is another one.
func customOp(said string) string {
	_, rest, ok := strings.Cut(said, "unresolved custom op: ")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, " ")
	return strings.TrimSuffix(strings.TrimSuffix(name, ";"), ".")
}

// edgeTPUOp is the one operator that the EdgeTPU compiler puts in place of all that it compiled.
const edgeTPUOp = "edgetpu-custom-op"

// lacksOp is the error of a network with an operator that nothing here computes. The ladder tells what became of the
// plug-ins that might have.
func lacksOp(path, op string, ladder []model.Rung, err error) *Error {
	e := &Error{Path: path, What: "needs the operator " + op, Err: err}
	if op == edgeTPUOp {
		e.What += ", which the EdgeTPU delegate provides"
	} else {
		e.What += ", which neither TensorFlow Lite nor a delegate here provides"
	}
	var tried []string
	for _, r := range ladder {
		if name, ok := strings.CutPrefix(r.Name, "external:"); ok {
			tried = append(tried, name+" "+r.Reason)
		}
	}
	switch {
	case len(tried) > 0:
		e.Hint = strings.Join(tried, "; ")
	case op == edgeTPUOp:
		e.Hint = "install libedgetpu1-std and set delegates to one entry with library: libedgetpu.so.1"
	default:
		e.Hint = "name the plug-in that has it under delegates, or export the model without it"
	}
	return e
}

// refusal is what a delegate's refusal means, with the first of its messages; the others are TensorFlow Lite's own, about
// putting things back.
func refusal(said string, oldUint8 bool) error {
	first, _, _ := strings.Cut(said, ";")
	if oldUint8 {
		return fmt.Errorf("refused this model, whose weights are uint8: %s", first)
	}
	return fmt.Errorf("refused this model: %s", first)
}

// hasUint8Weights says whether a network is quantised in the old way, to uint8 throughout, which XNNPACK refuses in all
// models seen so far. It reads the file again, since few files come here.
func hasUint8Weights(path string) bool {
	m, err := flat.ReadFile(path)
	if err != nil {
		return false
	}
	g := m.Graphs[0]
	for _, op := range g.Ops {
		switch m.Codes[op.Code].Builtin {
		case flat.OpConv2D, flat.OpDepthwiseConv2D, flat.OpFullyConnected:
		default:
			continue
		}
		if len(op.Inputs) > 1 && op.Inputs[1] >= 0 && g.Tensors[op.Inputs[1]].Type == flat.UInt8 {
			return true
		}
	}
	return false
}
