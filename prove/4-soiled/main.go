// Command 4-soiled proves that material and contamination are better learnt by two heads that a rule joins than by one flat head. Half
// of the waste photos of each class are soiled with dirt that is drawn; what is dirty is general waste, whatever its material. Both
// ways are cross-validated on the same pictures in the same folds, near copies in one, with the same frozen backbone that every user
// can fetch. The flat head sees the material of half of the pictures alone, the two heads that of all.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"gleaner/capture"
	decode "gleaner/capture/cv"
	"gleaner/prove/internal/cv"
	"gleaner/prove/internal/proof"
	"gleaner/train/dataset/importer"
	"gleaner/train/dataset/labels"
	"gleaner/train/dataset/pack"
	"gleaner/train/dataset/similar"
	"gleaner/train/dataset/split"
	"gleaner/train/eval"
)

const (
	attribute, clean, dirty, general = "dirt", "clean", "dirty", "general"

	size = 224 // pixels
	seed = 7
)

func main() {
	proof.Main("macro-F1 of two heads and a rule above that of one flat head, the paired 95 % interval of the difference above 0", prove)
}

func prove(ctx context.Context, dir string) (figure string, err error) {
	s, err := makeSets(ctx, dir)
	if err != nil {
		return "", err
	}
	keys := []string{"recipe=recycling", "epochs=0", "norms=false", "flip=false", "val=0"}
	two, err := cv.Run(ctx, dir, append(slices.Clip(keys), "data="+s.two, "rule="+attribute+":"+dirty+":"+general)...)
	if err != nil {
		return "", err
	}
	flat, err := cv.Run(ctx, dir, append(slices.Clip(keys), "data="+s.flat)...)
	if err != nil {
		return "", err
	}
	gain, err := s.compare(two, flat)
	if err != nil {
		return "", err
	}
	figure = fmt.Sprintf("macro-F1 %s by two heads and a rule, %s by one flat head; paired difference %+.4f (%+.4f to %+.4f) on %d pictures",
		cv.Text(two), cv.Text(flat), gain.Value, gain.Low, gain.High, len(s.truth))
	for i, c := range two.Classes {
		k := slices.IndexFunc(flat.Classes, func(o eval.Class) bool { return o.Label == c.Label })
		fmt.Printf("  %-10s F1 %v by two heads, %v by one (%d pictures)\n", c.Label, two.Classes[i].F1, flat.Classes[k].F1, c.Pictures)
	}
	if two.Mean <= flat.Mean || gain.Low <= 0 {
		return figure, proof.ErrShort
	}
	return figure, nil
}

// sets are the same pictures twice: with the material and the attribute, and with the joined class alone.
type sets struct {
	two, flat string
	truth     []string // joined, by picture
	group     []string // the part that a picture is tested in
}

// makeSets imports the photos, soils half of each class, and deals all of them into groups, which are the folds of both sets.
func makeSets(ctx context.Context, dir string) (*sets, error) {
	data, err := cv.Data("trashnet")
	if err != nil {
		return nil, err
	}
	list, err := labels.Open(data, labels.Options{})
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "waste.set")
	_, err = importer.Import(ctx, path, list, importer.Options{Size: size, Fit: "stretch", NewDecoder: func() importer.Decoder { return decode.NewDecoder() }})
	if err != nil {
		return nil, err
	}
	from, err := pack.Open(path)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	// The set lists its examples as they were imported, by several goroutines: by name they are the same each time.
	order := make([]int, len(from.Examples))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(from.Examples[a].Source.Path, from.Examples[b].Source.Path) })
	var examples []pack.Example
	var images []capture.Image
	seen := map[string]int{}
	lots := map[string]bool{} // of the first of each two pictures of a class: it is the dirty one
	r := rand.New(rand.NewPCG(seed, 0x5011))
	for _, i := range order {
		e, im := from.Examples[i], capture.NewImage(size, size)
		if err := from.Pixels(i, im.Pix); err != nil {
			return nil, err
		}
		if seen[e.Class]%2 == 0 {
			lots[e.Class] = r.IntN(2) == 0
		}
		e.Attributes = map[string]string{attribute: clean}
		if (seen[e.Class]%2 == 0) == lots[e.Class] {
			e.Attributes[attribute] = dirty
			soil(im, r)
		}
		seen[e.Class]++
		examples, images = append(examples, e), append(images, im)
	}
	return deal(ctx, dir, examples, images)
}

// deal writes both sets.
func deal(ctx context.Context, dir string, examples []pack.Example, images []capture.Image) (*sets, error) {
	hashes, plain, err := similar.HashesOf(ctx, len(images), func(i int) (capture.Image, error) { return images[i], nil })
	if err != nil {
		return nil, err
	}
	by := slices.Clone(examples)
	for i := range by {
		by[i].Class += " " + by[i].Attributes[attribute]
	}
	part, err := split.Folds(by, similar.Clusters(hashes, plain), cv.Folds, seed)
	if err != nil {
		return nil, err
	}
	s := &sets{two: filepath.Join(dir, "two.set"), flat: filepath.Join(dir, "flat.set")}
	for i := range examples {
		examples[i].Group = fmt.Sprint("part ", part[i]+1)
		s.group = append(s.group, examples[i].Group)
	}
	if err := write(s.two, examples, images); err != nil {
		return nil, err
	}
	for i := range examples {
		if examples[i].Attributes[attribute] == dirty {
			examples[i].Class = general
		}
		examples[i].Attributes = nil
		s.truth = append(s.truth, examples[i].Class)
	}
	return s, write(s.flat, examples, images)
}

func write(path string, examples []pack.Example, images []capture.Image) error {
	w, err := pack.Create(path, pack.Format{Width: size, Height: size, Fit: "stretch"})
	if err != nil {
		return err
	}
	for i, e := range examples {
		if err := w.Add(e.Source, []pack.Crop{{Example: e, Pixels: images[i].Pix}}, nil); err != nil {
			return errors.Join(err, w.Close())
		}
	}
	_, err = w.Finish()
	return err
}
