// Package weights keeps a network's weights in a file of their own, and tells whether such a file, or a checkpoint, is of the
// network that wants to read it.
package weights

import (
	"encoding/json"
	"fmt"
	"slices"

	"gleaner/train/checkpoint"
	"gleaner/train/dataset"
	"gleaner/train/engine"
	"gleaner/train/net"
)

// The keys of a file's texts that say what is in it.
const (
	FormatKey  = "format"
	NetworkKey = "network"
	aboutKey   = "about"
)

const format = "gleaner weights 1"

// Identity is a network as files name it: its name, input and classes.
func Identity(n *net.Net, heads []dataset.Head) string {
	b, err := json.Marshal(struct {
		Name  string         `json:"name"`
		Input engine.Shape   `json:"input"`
		Heads []dataset.Head `json:"heads"`
	}{n.Name, n.Input, heads})
	if err != nil {
		panic(err) // texts and numbers
	}
	return string(b)
}

// Fit tells whether the file at path holds these variables of a network with these heads; the error, a *MismatchError, names
// the first difference.
func Fit(path string, f *checkpoint.File, n *net.Net, vars []*engine.Var, heads []dataset.Head) error {
	var is struct {
		Name  string
		Heads []dataset.Head
	}
	if json.Unmarshal([]byte(f.Text[NetworkKey]), &is) != nil {
		return &MismatchError{path, "it does not say of which network it is"}
	}
	if is.Name != n.Name {
		return &MismatchError{path, fmt.Sprintf("it is of the network %s, and this run trains %s", is.Name, n.Name)}
	}
	for i, h := range heads {
		if i >= len(is.Heads) || is.Heads[i].Name != h.Name || !slices.Equal(is.Heads[i].Labels, h.Labels) {
			return &MismatchError{path, fmt.Sprintf("head %s tells other classes apart than %v", h.Name, h.Labels)}
		}
	}
	for _, v := range vars {
		switch a := f.Array(v.Name); {
		case a == nil:
			return &MismatchError{path, fmt.Sprintf("it has no %s, which %s has as %v", v.Name, n.Name, v.Shape)}
		case !v.Shape.Equal(a.Shape):
			return &MismatchError{path, fmt.Sprintf("%s is %v in it, and %v in %s of this run", v.Name, a.Shape, v.Shape, n.Name)}
		}
	}
	return nil
}

// MismatchError says that a file with weights is not one of this run.
type MismatchError struct{ Path, Problem string }

func (e *MismatchError) Error() string { return fmt.Sprintf("%s does not fit: %s", e.Path, e.Problem) }

// Save writes weights to a file; about is what is said of them there, such as the epoch they are of.
func Save(path string, n *net.Net, heads []dataset.Head, w net.Weights, about any) error {
	f := &checkpoint.File{Text: map[string]string{FormatKey: format, NetworkKey: Identity(n, heads)}}
	s, err := json.Marshal(about)
	if err != nil {
		return fmt.Errorf("write weights: %w", err)
	}
	f.Text[aboutKey] = string(s)
	for _, v := range n.Vars() {
		f.Arrays = append(f.Arrays, checkpoint.Array{Name: v.Name, Shape: v.Shape, Data: w[v.Name]})
	}
	return checkpoint.Write(path, f)
}

// Load reads the weights of a network out of a file that a run of it left.
func Load(path string, n *net.Net, heads []dataset.Head) (net.Weights, error) {
	f, err := checkpoint.Read(path)
	if err != nil {
		return nil, err
	}
	if err := Fit(path, f, n, n.Vars(), heads); err != nil {
		return nil, err
	}
	w := net.Weights{}
	for _, v := range n.Vars() {
		w[v.Name] = f.Array(v.Name).Data
	}
	return w, nil
}
