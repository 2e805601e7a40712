package recipe

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gleaner/capture"
	"gleaner/capture/pictures"
	"gleaner/model/bundle"
	"gleaner/train/dataset"
	"gleaner/train/dataset/exif"
	"gleaner/train/heads"
	"gleaner/train/recipes"
)

// sets are the named sets of changes to training pictures. The doc of the option augment spells them out; a test compares.
var sets = map[string]string{
	"none":  "",
	"belt":  "flip=true rotate=180 shift=2 zoom=0.1 brightness=0.1 contrast=0.2 saturation=0.2 blur=4 noise=0.02 ground=random",
	"kiosk": "flip=true rotate=10 shift=2 zoom=0.15 shear=0.1 brightness=0.2 contrast=0.2 hue=5 saturation=0.2 blur=2 direction=any noise=0.02",
}

// changes are the keys that a set decides; those it does not name are set to change nothing.
var changes = []string{"flip=false", "shift=0", "rotate=0", "zoom=0", "shear=0", "cutout=0", "erase=0", "brightness=0", "contrast=0", "hue=0",
	"saturation=0", "blur=0", "direction=horizontal", "noise=0", "ground=black"}

// applySet sets all keys that change training pictures as a named set has them.
func (o *Options) applySet(name string) error {
	set, ok := sets[name]
	if !ok {
		return fmt.Errorf("augment=%s: not one of %s", name, strings.Join(slices.Sorted(maps.Keys(sets)), ", "))
	}
	for _, a := range append(slices.Clone(changes), strings.Fields(set)...) {
		if err := o.Set(a); err != nil {
			return err
		}
	}
	return nil
}

// applyRecipe sets the keys of a recipe.
func (o *Options) applyRecipe(name string) error {
	if name == "" {
		return nil
	}
	keys, err := recipes.Load(name)
	if err == nil {
		err = o.SetAll(keys)
	}
	if err != nil {
		return fmt.Errorf("recipe=%s: %w", name, err)
	}
	return nil
}

// SetAll takes key=value assignments in their order, except that recipe= and then augment= come first: keys of a recipe or a set
// that are given as well are as given, wherever they stand.
func (o *Options) SetAll(assignments []string) error {
	rank := func(a string) int {
		switch key, _, _ := strings.Cut(a, "="); key {
		case "recipe":
			return 0
		case "augment":
			return 1
		}
		return 2
	}
	ordered := slices.Clone(assignments)
	slices.SortStableFunc(ordered, func(a, b string) int { return rank(a) - rank(b) })
	for _, a := range ordered {
		if err := o.Set(a); err != nil {
			return err
		}
	}
	return nil
}

// Changes are what is done to training pictures at random.
func (o *Options) Changes() dataset.Augment {
	return dataset.Augment{Flip: o.Flip, Shift: o.Shift, Cutout: o.Cutout, Erase: o.Erase, Brightness: o.Brightness, Contrast: o.Contrast,
		Rotate: o.Rotate, Zoom: o.Zoom, Shear: o.Shear, Blur: o.Blur, BlurAny: o.Direction == "any", Hue: o.Hue, Saturation: o.Saturation,
		Noise: o.Noise, Ground: o.Ground == "random"}
}

// BundleViews are those of the manifest of a bundle with the weights of an epoch: what the changes showed the network besides the plain
// picture, which before the first epoch, 0, is nothing. A network that answers with the mean over a picture and its mirror image has
// nothing to gain from the latter.
func (o *Options) BundleViews(epoch int) (views []string) {
	if o.Flip && !o.WithMirror && epoch > 0 {
		views = append(views, bundle.ViewMirror)
	}
	if o.Zoom >= 0.1 && epoch > 0 {
		views = append(views, bundle.ViewClose)
	}
	return views
}

// Backdrop is the picture that ground= names, upright; empty where it names none.
func (o *Options) Backdrop() (capture.Image, error) {
	if slices.Contains([]string{"", "black", "random"}, o.Ground) {
		return capture.Image{}, nil
	}
	im, err := pictures.Load(o.Ground)
	if err != nil {
		return im, fmt.Errorf("ground=%s: neither black nor random, nor a picture of the empty belt: %w", o.Ground, err)
	}
	return exif.Upright(im, exif.OrientationOf(o.Ground)), nil
}

// Feed is how an epoch's batches for training are made: shuffled, whole, balanced and mixed as the options say. Where it begins and
// ends is the caller's to add.
func (o *Options) Feed() dataset.FeedOptions {
	return dataset.FeedOptions{Batch: o.Batch, Shuffle: true, Whole: true, Seed: o.Seed, Workers: o.Decoders(), Balance: o.dealt(), Mix: o.Mixup}
}

// dealt is the part of the balance that the order of an epoch sees to.
func (o *Options) dealt() dataset.Balance {
	if b := dataset.Balance(o.Balance); b == dataset.Over || b == dataset.Under {
		return b
	}
	return dataset.Natural
}

// ClassWeights are the weights in the loss of each head's classes, which the training pictures decide; nil: all 1. Where rules join
// several heads it is the classes of the joined answer that each weigh the same.
func (o *Options) ClassWeights(d *Data) (weights [][]float32) {
	if o.Balance != "weights" {
		return nil
	}
	for h := range d.Heads() {
		answers, head := d.Train, h
		if d.Joint != nil {
			answers, head = heads.Joined(d.Train, d.Joint), 0
		}
		weights = append(weights, dataset.Weights(d.Train, h, answers, head))
	}
	return weights
}
