package imprint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"gleaner/model/bundle"
	"gleaner/model/bundle/catalogue"
	"gleaner/model/flat"
	"gleaner/train/checkpoint"
	"gleaner/train/net"
	"gleaner/train/recipe"
	"gleaner/train/runs"
)

// RunOptions says which run's network becomes one that the program ships.
type RunOptions struct {
	NativeDir string  // the folder that setup filled; the backbone is below it
	Run       string  // the folder of a run of gleaner train
	Name      string  // of the catalogue's entry and its two files
	About     string  // what it is, in a sentence
	Licence   string  // of backbone and pictures
	Accuracy  float64 // as it was measured on pictures that chose nothing, 0 to 1
	On        string  // on what
	Out       string  // the folder to write the entry and the weights into
}

// FromRun writes what a run came to as an entry of the catalogue. Of a head that was fitted on the frozen features of the
// catalogue's backbone (epochs=0, norms=false, squares=0, units=0) these are the head's weights, rounded to float16, and where they
// go; of a network that learnt as a whole, its bundle's file. It returns the size of the weights' file in bytes.
func FromRun(ctx context.Context, o RunOptions) (int, error) {
	size, err := fromRun(ctx, o)
	if err != nil {
		return 0, fmt.Errorf("network of %s: %w", o.Run, err)
	}
	return size, nil
}

func fromRun(ctx context.Context, o RunOptions) (int, error) {
	kept, ok, err := runs.Stored(o.Run, nil, nil)
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, errors.New("no run of gleaner train")
	}
	b, err := bundle.Open(filepath.Join(o.Run, runs.BundleDir))
	if err != nil {
		return 0, err
	}
	e := catalogue.Entry{Name: o.Name, About: o.About, Words: b.Labels, Manifest: bundle.Manifest{Task: "classify", Head: "probs",
		Input: b.Manifest.Input, Temperature: b.Manifest.Temperature, Accuracy: o.Accuracy, AccuracyOn: o.On, Licence: o.Licence}}
	var raw []byte
	if kept.Cut == "" {
		raw, err = whole(&e, b)
	} else {
		raw, err = graft(ctx, &e, o, &kept)
	}
	if err != nil {
		return 0, err
	}
	e.Manifest.Version = sumOf(raw)[:8]
	return len(raw), writeEntry(o.Out, e, raw)
}

// whole is the file of a bundle under the entry's name; the entry learns where it lies.
func whole(e *catalogue.Entry, b *bundle.Bundle) ([]byte, error) {
	net, err := flat.ReadFile(b.ModelPath())
	if err != nil {
		return nil, err
	}
	net.Description = e.About
	in := b.Manifest.Input
	net.SetMeta(flat.Meta{Name: e.Name, Description: e.About, Mean: in.Mean, Std: in.Std, Colour: in.Colour}, bundle.FormatLabels(b.Labels))
	raw, err := net.Bytes()
	e.Model = catalogue.Blob{Own: e.Name + ".tflite", File: e.Name + ".tflite", SHA256: sumOf(raw), Size: int64(len(raw))}
	e.Manifest.Source, e.Manifest.Views, e.Manifest.Unknown = b.Manifest.Source, b.Manifest.Views, b.Manifest.Unknown
	return raw, err
}

// graft is the head of a run whose backbone is that of the catalogue and has learnt nothing; the entry learns where it goes.
func graft(ctx context.Context, e *catalogue.Entry, o RunOptions, kept *recipe.Options) ([]byte, error) {
	if kept.Epochs != 0 || kept.Norms || kept.Units != 0 || kept.Squares != 0 {
		return nil, errors.New("its backbone has learnt, or there is more than a head: train with epochs=0 norms=false units=0 squares=0")
	}
	ssd, backbone, err := openBackbone(ctx, o.NativeDir)
	if err != nil {
		return nil, err
	}
	e.Model, e.Graft = ssd.Model, &catalogue.Graft{Head: e.Name + ".bin"}
	for name := range strings.SplitSeq(kept.Cut, ",") {
		i := backbone.FindTensor(name)
		if i < 0 {
			return nil, fmt.Errorf("%s has no layer %s: train with net=%s", ssd.Name, name, ssd.Name)
		}
		e.Graft.Tensors = append(e.Graft.Tensors, i)
	}
	head, err := readHead(filepath.Join(o.Run, runs.BestFile), len(e.Words))
	if err != nil {
		return nil, err
	}
	raw, err := head.Bytes()
	e.Graft.SHA256 = sumOf(raw)
	return raw, err
}

func sumOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
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

// writeEntry writes an entry of the catalogue and its weights into a folder.
func writeEntry(dir string, e catalogue.Entry, raw []byte) error {
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	weights := e.Model.Own
	if e.Graft != nil {
		weights = e.Graft.Head
	}
	for name, b := range map[string][]byte{weights: raw, e.Name + ".json": append(text, '\n')} {
		if err := renameio.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}
