package imprint

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"

	"gleaner/capture/pictures"
	"gleaner/model/bundle"
	"gleaner/model/bundle/catalogue"
	"gleaner/model/flat"
)

// MakeOptions says which pictures a classifier is made of.
type MakeOptions struct {
	Pictures  string // as pictures.Open reads it: a folder with a sub-folder per class, a list file
	Name      string // of the bundle
	NativeDir string // the folder that setup filled; the backbone is below it
	Size      int    // the input's side in pixels
	Tensors   []int  // the layers that are averaged, by number in the backbone's file
	// Test is the share of the pictures that only measure the result, 0 to 0.5.
	Test    float64
	Fit     Options
	Workers int // pictures worked on at a time
	// Progress, if not nil, is told now and then how many pictures of how many are done, from several goroutines.
	Progress func(done, total int)
}

// DefaultMakeOptions is the backbone as the garments use it, at 160 pixels, with a fifth of the pictures as a test.
func DefaultMakeOptions() MakeOptions {
	return MakeOptions{NativeDir: ".native", Size: 160, Tensors: []int{187, 203, 213}, Test: 0.2, Fit: DefaultOptions(), Workers: 2}
}

// Made is a classifier, ready for bundle.Write or Store.Put.
type Made struct {
	Manifest bundle.Manifest
	Files    map[string][]byte
	Train    int // pictures that made the head
	Test     int // pictures that measured it; Manifest.Accuracy is their share of right answers
	Skipped  int // pictures that could not be read
}

// Make makes a classifier out of labelled pictures: the class means of a backbone's features, no training run. A few
// dozen pictures per class are enough to begin with.
func Make(ctx context.Context, o MakeOptions) (Made, error) {
	m, err := makeBundle(ctx, o)
	if err != nil {
		return m, fmt.Errorf("imprint %s: %w", o.Pictures, err)
	}
	return m, nil
}

func makeBundle(ctx context.Context, o MakeOptions) (Made, error) {
	if !(o.Test >= 0 && o.Test <= 0.5) {
		return Made{}, fmt.Errorf("a share of %v for the test is not in 0 to 0.5", o.Test)
	}
	p, err := pictures.Open(o.Pictures)
	if err != nil {
		return Made{}, err
	}
	ssd, net, err := openBackbone(ctx, o.NativeDir)
	if err != nil {
		return Made{}, err
	}
	in := inputOf(o.Size)
	backbone, err := catalogue.Backbone(net, o.Tensors, in)
	if err != nil {
		return Made{}, err
	}
	g := gatherer{workers: o.Workers, progress: o.Progress, backbone: backbone, in: in, pictures: p}
	all, err := g.gather(ctx)
	if err != nil {
		return Made{}, err
	}
	name := filepath.Base(p.String())
	train, test := all.split(o.Test, o.Fit.Seed)
	w, b, err := Fit(train.features, train.labels, len(p.Labels()), o.Fit)
	if err != nil {
		return Made{}, err
	}
	out := Made{Train: len(train.labels), Test: len(test.labels), Skipped: g.skipped + len(p.Skipped()), Manifest: bundle.Manifest{Name: o.Name, Version: "1",
		Task: "classify", Head: "probs", Input: in, Licence: ssd.Manifest.Licence + " (backbone)", Source: ssd.Name + " and " + name}}
	if out.Test > 0 {
		out.Manifest.Accuracy = Score(test.features, test.labels, w, b)
		out.Manifest.AccuracyOn = fmt.Sprintf("%d pictures of %s that made no part of it", out.Test, name)
	}
	labels := bundle.FormatLabels(p.Labels())
	file, err := catalogue.Classifier(net, o.Tensors, out.Manifest, "class means of "+name, &catalogue.Head{W: w, B: b}, labels)
	if err != nil {
		return Made{}, err
	}
	out.Files = map[string][]byte{bundle.ModelFile: file, bundle.LabelsFile: labels}
	return out, nil
}

// openBackbone is the network whose layers are used, as setup fetched it.
func openBackbone(ctx context.Context, nativeDir string) (catalogue.Entry, *flat.Model, error) {
	ssd, err := catalogue.Find("ssd-oidv4")
	if err != nil {
		return ssd, nil, err
	}
	_, files, err := catalogue.Build(ctx, ssd, "", catalogue.Options{NativeDir: nativeDir}, nil)
	if err != nil {
		return ssd, nil, err
	}
	net, err := flat.Read(files[bundle.ModelFile])
	return ssd, net, err
}

// inputOf is how the backbone takes pictures: -1 to 1, the whole picture with its proportions.
func inputOf(size int) bundle.Input {
	return bundle.Input{Prep: "linear/1", Width: size, Height: size, Colour: "rgb", Mean: []float32{127.5},
		Std: []float32{127.5}, Fit: "letterbox"}
}

// split deals a share of each class, drawn by lot, into test; every class keeps a picture.
func (s *seen) split(share float64, seed uint64) (train, test seen) {
	of := map[int]int{}
	for _, l := range s.labels {
		of[l]++
	}
	taken := map[int]int{}
	for _, i := range rand.New(rand.NewPCG(seed, 0x7e)).Perm(len(s.labels)) {
		l, to := s.labels[i], &train
		if taken[l] < int(share*float64(of[l])) {
			taken[l]++
			to = &test
		}
		to.features, to.labels = append(to.features, s.features[i]), append(to.labels, l)
	}
	return train, test
}
