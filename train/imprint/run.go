package imprint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"gleaner/model/bundle"
	"gleaner/model/bundle/catalogue"
	"gleaner/train/checkpoint"
	"gleaner/train/net"
	"gleaner/train/runs"
)

// RunOptions says which run's head becomes one that the program ships.
type RunOptions struct {
	NativeDir string  // the folder that setup filled; the backbone is below it
	Run       string  // the folder of a run of gleaner train with epochs=0, norms=false and squares=0, whose backbone is that of the catalogue
	Name      string  // of the catalogue's entry and its two files
	About     string  // what it is, in a sentence
	Licence   string  // of backbone and pictures
	Accuracy  float64 // as measured by cross-validation, 0 to 1
	On        string  // on what
	Out       string  // the folder to write NAME.bin and NAME.json into
}

// FromRun writes the head that a run fitted on the frozen features of the catalogue's backbone as an entry of the catalogue: the
// weights, rounded to float16, and where they go. It returns the size of the weights' file in bytes.
func FromRun(ctx context.Context, o RunOptions) (int, error) {
	size, err := fromRun(ctx, o)
	if err != nil {
		return 0, fmt.Errorf("head of %s: %w", o.Run, err)
	}
	return size, nil
}

func fromRun(ctx context.Context, o RunOptions) (int, error) {
	kept, ok, err := runs.Stored(o.Run, nil)
	switch {
	case err != nil:
		return 0, err
	case !ok:
		return 0, errors.New("no run of gleaner train")
	case kept.Epochs != 0 || kept.Norms || kept.Units != 0 || kept.Squares != 0:
		return 0, errors.New("its backbone has learnt, or there is more than a head: train with epochs=0 norms=false units=0 squares=0")
	}
	b, err := bundle.Open(filepath.Join(o.Run, runs.BundleDir))
	if err != nil {
		return 0, err
	}
	ssd, backbone, err := openBackbone(ctx, o.NativeDir)
	if err != nil {
		return 0, err
	}
	var tensors []int
	for name := range strings.SplitSeq(kept.Cut, ",") {
		i := backbone.FindTensor(name)
		if i < 0 {
			return 0, fmt.Errorf("%s has no layer %s: train with net=%s", ssd.Name, name, ssd.Name)
		}
		tensors = append(tensors, i)
	}
	head, err := readHead(filepath.Join(o.Run, runs.BestFile), len(b.Labels))
	if err != nil {
		return 0, err
	}
	raw, err := head.Bytes()
	if err != nil {
		return 0, err
	}
	sum := sha256.Sum256(raw)
	e := catalogue.Entry{Name: o.Name, About: o.About, Words: b.Labels, Model: ssd.Model,
		Graft: &catalogue.Graft{Tensors: tensors, Head: o.Name + ".bin", SHA256: hex.EncodeToString(sum[:])},
		Manifest: bundle.Manifest{Version: hex.EncodeToString(sum[:4]), Task: "classify", Head: "probs", Input: b.Manifest.Input,
			Accuracy: o.Accuracy, AccuracyOn: o.On, Licence: o.Licence}}
	return len(raw), writeEntry(o.Out, e, raw)
}

// readHead reads the weights of a run's only head.
func readHead(path string, classes int) (*catalogue.Head, error) {
	f, err := checkpoint.Read(path)
	if err != nil {
		return nil, err
	}
	var head *catalogue.Head
	for _, a := range f.Arrays {
		name, ok := strings.CutSuffix(a.Name, "/w")
		if !ok || !net.IsHead(a.Name) {
			continue
		}
		bias := f.Array(name + "/b")
		if head != nil || bias == nil || len(a.Shape) != 2 || a.Shape[0] != classes || len(bias.Data) != classes {
			return nil, fmt.Errorf("%s: not one head of %d classes", path, classes)
		}
		head = &catalogue.Head{B: bias.Data}
		for k := range classes {
			head.W = append(head.W, a.Data[k*a.Shape[1]:(k+1)*a.Shape[1]])
		}
	}
	if head == nil {
		return nil, fmt.Errorf("%s: it has no head", path)
	}
	return head, nil
}
