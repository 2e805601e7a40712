// Command 4-unknown proves the score of unknown objects on 2,055 photos of waste: each of the six classes is left out in turn, heads
// are fitted on a frozen backbone to pictures of the other five, and the bundle, as the daemon runs it, tells pictures of those five
// that nothing was chosen with from pictures of the class that is left out. Near copies stay on one side. The bar is for an ImageNet
// backbone; the same is stated for the one that every user can fetch.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gleaner/capture"
	"gleaner/capture/pictures"
	"gleaner/classify"
	"gleaner/model"
	"gleaner/model/bundle"
	"gleaner/model/tflite"
	"gleaner/prove/internal/cv"
	"gleaner/prove/internal/proof"
	"gleaner/train"
	"gleaner/train/dataset"
	"gleaner/train/eval"
	"gleaner/train/recipe"
)

const (
	bar  = 0.85
	bars = "mean AUROC at least 0.85 with the ImageNet backbone"
)

func main() { proof.Main(bars, prove) }

func prove(ctx context.Context, dir string) (string, error) {
	data, err := cv.Data("trashnet")
	if err != nil {
		return "", err
	}
	all, err := pictures.Open(data)
	if err != nil {
		return "", err
	}
	imagenet, err := cv.ImageNet()
	if err != nil {
		return "", err
	}
	var figures []string
	var short error
	for _, backbone := range []struct {
		name string
		keys []string
	}{{"ImageNet", imagenet}, {"registry", nil}} {
		figure, mean, err := leaveOut(ctx, dir, all, backbone.name, backbone.keys)
		if err != nil {
			return strings.Join(figures, "; "), err
		}
		figures = append(figures, figure)
		if backbone.keys != nil && mean < bar {
			short = errors.Join(short, proof.ErrShort)
		}
	}
	return strings.Join(figures, "; "), short
}

// leaveOut leaves each class out in turn.
func leaveOut(ctx context.Context, dir string, all *pictures.Set, name string, keys []string) (figure string, mean float64, err error) {
	var each []string
	refused, known, found, strange := 0, 0, 0, 0
	for class, label := range all.Labels() {
		list := filepath.Join(dir, label+".txt")
		if err := writeList(list, all, class); err != nil {
			return "", 0, err
		}
		o, err := cv.Options(append([]string{"recipe=recycling", "data=" + list, "out=" + filepath.Join(dir, name+"-"+label), "fold=1/5", "val=0.1",
			"epochs=0", "flip=false", "report=false", "unknown=0.05"}, keys...)...)
		if err != nil {
			return "", 0, err
		}
		fmt.Printf("== %s without %s\n", name, label)
		r, err := train.Fit(ctx, o, false, cv.Tell())
		if err != nil {
			return "", 0, err
		}
		k, u, err := ask(ctx, r.Bundle, o, all, class)
		if err != nil {
			return "", 0, err
		}
		s, err := eval.AUROC(k, u)
		if err != nil {
			return "", 0, err
		}
		fmt.Printf("AUROC %v\n", s)
		each = append(each, fmt.Sprintf("%s %.3f", label, s.Value))
		mean += s.Value / float64(len(all.Labels()))
		refused, known, found, strange = refused+below(k), known+len(k), found+below(u), strange+len(u)
	}
	return fmt.Sprintf("%s: AUROC %.4f on the mean (%s), %.1f %% of the known and %.1f %% of the unknown objects refused", name, mean, strings.Join(each, ", "),
		100*float64(refused)/float64(known), 100*float64(found)/float64(strange)), mean, nil
}

// writeList lists the pictures of all classes but one.
func writeList(path string, all *pictures.Set, without int) error {
	var b strings.Builder
	for i := range all.Len() {
		if l := all.Label(i); l != without {
			fmt.Fprintf(&b, "%s\t%s\n", all.Path(i), all.Labels()[l])
		}
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// ask shows a bundle the test pictures of the classes that it knows, and all of the class that it does not know, as the daemon does. A
// score is greater the stranger a picture is, and above 0 for an unknown object.
func ask(ctx context.Context, dir string, o recipe.Options, all *pictures.Set, class int) (known, strange []float64, err error) {
	b, err := bundle.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	pool, err := model.NewPool(func() (model.Runner, error) { return tflite.Open(b.ModelPath(), tflite.DefaultOptions()) }, 1)
	if err != nil {
		return nil, nil, err
	}
	defer pool.Close()
	by, err := classify.NewModel(b, pool)
	if err != nil {
		return nil, nil, err
	}
	if _, ok := by.(classify.Familiar); !ok {
		return nil, nil, fmt.Errorf("%s has no score of unknown objects", dir)
	}
	look := func(im capture.Image, err error) (float64, error) {
		if err != nil {
			return 0, err
		}
		_, familiar, err := classify.Look(ctx, by, im, nil)
		return -float64(familiar), err
	}
	d, err := recipe.Open(ctx, &o, nil)
	if err != nil {
		return nil, nil, err
	}
	test := d.Test.(*dataset.Subset)
	for _, i := range test.Index {
		v, err := look(test.Set.(*dataset.Pictures).Picture(i))
		if err != nil {
			return nil, nil, err
		}
		known = append(known, v)
	}
	for i := range all.Len() {
		if all.Label(i) != class {
			continue
		}
		v, err := look(all.Image(i))
		if err != nil {
			return nil, nil, err
		}
		strange = append(strange, v)
	}
	return known, strange, nil
}

// below counts the objects that are taken for unknown ones.
func below(scores []float64) (n int) {
	for _, s := range scores {
		if s > 0 {
			n++
		}
	}
	return n
}
